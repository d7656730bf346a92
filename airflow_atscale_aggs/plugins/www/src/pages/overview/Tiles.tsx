import { SimpleGrid } from "@chakra-ui/react";

import { StatTile } from "src/components/StatTile";
import { formatCompact, formatCount, formatSeconds, formatShare, plural } from "src/utils/numbers";

import { type Overview, totalsOf } from "./overview";

type Props = { overview: Overview | undefined; days: number };

const storedHelp = (rows: number, facts: number | null): string =>
  facts === null || facts === 0
    ? "How many the facts have is known after a batch."
    : `${formatShare(rows / facts)} of the facts' ${formatCompact(facts)}.`;

const servingHelp = (active: number, definitions: number): string =>
  active > definitions
    ? `of ${plural(definitions, "definition")}; those on several facts have a table for each.`
    : `of ${plural(definitions, "definition")}.`;

/** The figures at the top: what the aggregates do, and what they take. */
export const Tiles = ({ overview, days }: Props) => {
  const totals = totalsOf(overview?.days ?? []);
  const isLoading = overview === undefined;
  const hasQueries = totals.queries > 0;
  return (
    <SimpleGrid gap={3} minChildWidth={{ base: "9.5rem", md: "12rem" }}>
      <StatTile
        help={
          hasQueries
            ? `of ${plural(totals.queries, "query", "queries")} in ${plural(days, "day")}.`
            : `No query in ${plural(days, "day")}.`
        }
        isLoading={isLoading}
        label="Answered from aggregates"
        value={formatShare(totals.hitShare)}
      />
      <StatTile
        help={
          hasQueries
            ? `of ${formatCompact(totals.factRows)} that the facts would have read.`
            : "Counted with the first query."
        }
        isLoading={isLoading}
        label="Rows not read"
        value={hasQueries ? formatCompact(totals.rowsNotRead) : "–"}
      />
      <StatTile
        help={hasQueries ? "Partly estimated, from what the facts took." : "Counted with the first query."}
        isLoading={isLoading}
        label="Time saved"
        value={hasQueries ? formatSeconds(totals.secondsSaved) : "–"}
      />
      <StatTile
        help={servingHelp(overview?.active ?? 0, overview?.definitions ?? 0)}
        isLoading={isLoading}
        label="Tables that serve"
        value={formatCount(overview?.active)}
      />
      <StatTile
        help={storedHelp(overview?.rows ?? 0, overview?.fact_rows ?? null)}
        isLoading={isLoading}
        label="Rows stored"
        value={formatCompact(overview?.rows)}
      />
    </SimpleGrid>
  );
};
