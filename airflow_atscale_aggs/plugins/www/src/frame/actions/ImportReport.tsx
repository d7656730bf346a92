import { Alert, Button, HStack, Link, List, Stack, Text } from "@chakra-ui/react";
import { useState } from "react";
import { Link as RouterLink } from "react-router-dom";

import { type Column, DataTable } from "src/components/DataTable";
import { EmptyState } from "src/components/EmptyState";
import { Sentence } from "src/components/Sentence";
import { StatusBadge } from "src/components/StatusBadge";
import { statusLook } from "src/components/statuses";
import { TimeText } from "src/components/TimeText";
import { type Model, pageAddress } from "src/frame/models";
import { formatCount, plural } from "src/utils/numbers";

import { countOutcomes, type ImportAnswer, type ImportedNode, withOutcome } from "./import_report";

type Props = { model: Model; report: ImportAnswer };

const columnsFor = (model: Model): Column<ImportedNode>[] => [
  {
    id: "name",
    label: "Definition",
    width: "minmax(10rem, 1fr)",
    cell: (row) =>
      row.definition_id == null ? (
        <span title={row.name}>{row.name}</span>
      ) : (
        <Link asChild display="inline" title={row.name} variant="underline">
          <RouterLink to={pageAddress("definitions", model, { definition: row.definition_id })}>
            {row.name}
          </RouterLink>
        </Link>
      ),
  },
  {
    id: "outcome",
    label: "What became of it",
    width: "9rem",
    cell: (row) => <StatusBadge status={row.outcome} />,
    isNarrow: true,
  },
  {
    id: "why",
    label: "Why",
    width: "minmax(14rem, 2fr)",
    cell: (row) => (
      <span title={row.why}>
        <Sentence text={row.why} />
      </span>
    ),
    isNarrow: true,
    isOwnLine: true,
  },
];

/** What became of each definition of an imported file. */
export const ImportReport = ({ model, report }: Props) => {
  const [outcome, setOutcome] = useState("");
  const counts = countOutcomes(report.definitions);
  const filters = [{ outcome: "", count: report.definitions.length }, ...counts];
  return (
    <Stack gap={3}>
      <Text aria-live="polite">{report.message}</Text>
      {report.exported_at == null ? null : (
        <Text color="fg.muted" fontSize="sm">
          Exported by version {report.product_version}, <TimeText value={report.exported_at} />.
        </Text>
      )}
      {report.warnings.length === 0 ? null : (
        <Alert.Root alignItems="flex-start" status="warning">
          <Alert.Indicator />
          <Alert.Content minW={0}>
            <Alert.Title>{plural(report.warnings.length, "warning")}</Alert.Title>
            <Alert.Description>
              <List.Root ps={4}>
                {report.warnings.map((warning) => (
                  <List.Item key={warning}>
                    <Sentence text={warning} />
                  </List.Item>
                ))}
              </List.Root>
            </Alert.Description>
          </Alert.Content>
        </Alert.Root>
      )}
      <DataTable
        columns={columnsFor(model)}
        empty={
          <EmptyState title="The file has no definitions">
            User-defined aggregates are part of the model and are not exported.
          </EmptyState>
        }
        maxHeight="45vh"
        name="imported definitions"
        rowId={(row) => `${row.name} ${row.outcome}`}
        rows={withOutcome(report.definitions, outcome)}
        toolbar={
          <HStack aria-label="Filter by outcome" flexWrap="wrap" gap={1} role="group">
            {filters.map((each) => (
              <Button
                aria-pressed={outcome === each.outcome}
                key={each.outcome}
                onClick={() => {
                  setOutcome(each.outcome);
                }}
                size="xs"
                variant={outcome === each.outcome ? "subtle" : "ghost"}
              >
                {each.outcome === "" ? "All" : statusLook(each.outcome).label} {formatCount(each.count)}
              </Button>
            ))}
          </HStack>
        }
      />
    </Stack>
  );
};
