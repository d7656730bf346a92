import { Alert, Link, Stack, Table } from "@chakra-ui/react";
import { Link as RouterLink } from "react-router-dom";

import { Sentence } from "src/components/Sentence";
import { SqlBlock } from "src/components/sql/SqlBlock";
import { TimeText } from "src/components/TimeText";
import { type Model, pageAddress } from "src/frame/models";
import { Facts } from "src/pages/definitions/detail/Facts";
import { Section } from "src/pages/definitions/detail/Section";
import { formatCount, formatSeconds, UNKNOWN } from "src/utils/numbers";

import type { Query } from "../documents";
import { lacksValues, sourceName, standInOf } from "../queries";
import { MakeDefinition } from "./MakeDefinition";
import { SmallestChange } from "./SmallestChange";

const names = (list: readonly string[], none: string) => (list.length === 0 ? none : list.join(", "));

const Sources = ({ model, query }: { model: Model; query: Query }) => (
  <Table.ScrollArea borderRadius="md" borderWidth={1}>
    <Table.Root size="sm">
      <Table.Header>
        <Table.Row bg="bg.muted">
          <Table.ColumnHeader>Answered from</Table.ColumnHeader>
          <Table.ColumnHeader>For the fact</Table.ColumnHeader>
          <Table.ColumnHeader textAlign="end">Its rows</Table.ColumnHeader>
          <Table.ColumnHeader textAlign="end">Rows of the fact</Table.ColumnHeader>
        </Table.Row>
      </Table.Header>
      <Table.Body fontVariantNumeric="tabular-nums">
        {query.sources.map((source, at) => (
          <Table.Row key={`${source.fact} ${at}`}>
            <Table.Cell>
              {source.definition_id === null ? (
                `${sourceName(source)}${source.aggregate === null ? ", the fact itself" : ""}`
              ) : (
                <Link asChild variant="underline">
                  <RouterLink to={pageAddress("definitions", model, { definition: source.definition_id })}>
                    {sourceName(source)}
                  </RouterLink>
                </Link>
              )}
            </Table.Cell>
            <Table.Cell>{source.fact}</Table.Cell>
            <Table.Cell textAlign="end">{formatCount(source.rows)}</Table.Cell>
            <Table.Cell textAlign="end">{formatCount(source.fact_rows)}</Table.Cell>
          </Table.Row>
        ))}
      </Table.Body>
    </Table.Root>
  </Table.ScrollArea>
);

type Props = { model: Model; query: Query };

/** A query of the log: what it asked, what answered it, and what would make a miss a hit. */
export const QueryDetails = ({ model, query }: Props) => {
  const isMissed = query.outcome === "miss" || query.outcome === "partial";
  const standIn = standInOf(query, model);
  return (
    <Stack gap={6}>
      {query.fallback_reason === "" ? null : (
        <Alert.Root alignItems="flex-start" status="error">
          <Alert.Indicator />
          <Alert.Content minW={0}>
            <Alert.Title>An aggregate could not be read, so the facts answered</Alert.Title>
            <Alert.Description overflowWrap="anywhere">
              <Sentence text={query.fallback_reason} />
            </Alert.Description>
          </Alert.Content>
        </Alert.Root>
      )}
      <Section
        help={
          lacksValues(query.sql)
            ? "%s or ? stands where a value stood: the log does not keep the values of conditions."
            : undefined
        }
        title="SQL"
      >
        <SqlBlock label="SQL of the query" sql={query.sql} />
      </Section>
      <Facts
        facts={[
          ["Asked", <TimeText key="asked" value={query.asked_at} />],
          ["Who", query.user === "" ? UNKNOWN : query.user],
          ["Rows of the answer", formatCount(query.rows)],
          ["Took", formatSeconds(query.seconds)],
          ["Rows saved", query.rows_saved === null ? null : formatCount(query.rows_saved)],
          ["Time saved", query.seconds_saved === null ? null : formatSeconds(query.seconds_saved)],
          ["Attributes", names(query.attributes, "none: the grand total")],
          ["Metrics", names(query.metrics, "none: members only")],
          ["Filters by", names(query.filters, "nothing")],
          [
            "Stands for",
            query.weight === 1
              ? null
              : `${formatCount(query.weight)} queries, of which the log keeps this one`,
          ],
        ]}
      />
      {query.sources.length === 0 ? null : (
        <Section title="What answered it">
          <Sources model={model} query={query} />
        </Section>
      )}
      {isMissed ? (
        <>
          <Section
            help="As it would be answered now, which may differ from when it was asked."
            title="Why no aggregate answers"
          >
            <SmallestChange model={model} standIn={standIn} />
          </Section>
          <Section title="Make it a definition">
            <MakeDefinition model={model} standIn={standIn} />
          </Section>
        </>
      ) : null}
    </Stack>
  );
};
