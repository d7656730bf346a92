import { Box, Button, Stack, Table, Text } from "@chakra-ui/react";
import { Fragment, useState } from "react";
import { LuChevronDown, LuChevronRight } from "react-icons/lu";

import { GuardedButton } from "src/components/GuardedButton";
import { Sentence } from "src/components/Sentence";
import { StatusBadge } from "src/components/StatusBadge";
import { formatBytes, formatCompact, formatShare, plural } from "src/utils/numbers";

import type { Recommendation } from "../documents";
import { SmlBlock } from "./SmlBlock";

const grainText = ({ attributes }: Recommendation): string =>
  attributes.length === 0 ? "none: the grand total" : attributes.join(", ");

const Details = ({ row }: { row: Recommendation }) => (
  <Stack fontSize="sm" gap={2} maxW="60rem" whiteSpace="normal">
    <Text>
      <Sentence text={row.reason} />.
    </Text>
    <Text color="fg.muted">
      Of <code>{row.fact}</code>, with {row.metrics.length === 0 ? "no metrics" : row.metrics.join(", ")};
      about {formatBytes(row.size_bytes)}.
    </Text>
    <Text fontWeight="medium">SML to paste below `aggregates:` instead, if the model should list it</Text>
    <SmlBlock label={`SML of ${row.name}`} sml={row.sml} />
  </Stack>
);

type Props = {
  rows: readonly Recommendation[];
  /** What became of those that were defined, by name. */
  outcomes: Readonly<Record<string, string>>;
  onDefine: (row: Recommendation) => void;
  /** Why one may not define any; empty: one may. */
  why: string;
};

/** What should be defined, what saves most first. */
export const RecommendationTable = ({ rows, outcomes, onDefine, why }: Props) => {
  const [open, setOpen] = useState("");
  return (
    <Table.ScrollArea borderRadius="md" borderWidth={1} maxHeight="24rem">
      <Table.Root aria-label="Recommended aggregates" size="sm" stickyHeader>
        <Table.Header>
          <Table.Row bg="bg.muted">
            <Table.ColumnHeader>Name</Table.ColumnHeader>
            <Table.ColumnHeader>Grain</Table.ColumnHeader>
            <Table.ColumnHeader textAlign="end">Rows</Table.ColumnHeader>
            <Table.ColumnHeader textAlign="end">Rows saved</Table.ColumnHeader>
            <Table.ColumnHeader textAlign="end">Share</Table.ColumnHeader>
            <Table.ColumnHeader>Gives way</Table.ColumnHeader>
            <Table.ColumnHeader />
          </Table.Row>
        </Table.Header>
        <Table.Body>
          {rows.map((row) => {
            const isOpen = open === row.name;
            const outcome = outcomes[row.name];
            return (
              <Fragment key={row.name}>
                <Table.Row bg="bg">
                  <Table.Cell minW="12rem">
                    <Button
                      aria-expanded={isOpen}
                      gap={1}
                      height="auto"
                      minW={0}
                      onClick={() => {
                        setOpen(isOpen ? "" : row.name);
                      }}
                      overflowWrap="anywhere"
                      px={0}
                      size="sm"
                      textAlign="start"
                      variant="plain"
                      whiteSpace="normal"
                    >
                      {isOpen ? <LuChevronDown aria-hidden /> : <LuChevronRight aria-hidden />}
                      {row.name}
                    </Button>
                  </Table.Cell>
                  <Table.Cell minW="10rem">{grainText(row)}</Table.Cell>
                  <Table.Cell
                    fontVariantNumeric="tabular-nums"
                    textAlign="end"
                    title={`About ${plural(row.rows, "row")}, as predicted.`}
                  >
                    {formatCompact(row.rows)}
                  </Table.Cell>
                  <Table.Cell
                    fontVariantNumeric="tabular-nums"
                    textAlign="end"
                    title={`${plural(row.rows_saved, "row")} that queries would not read.`}
                  >
                    {formatCompact(row.rows_saved)}
                  </Table.Cell>
                  <Table.Cell
                    fontVariantNumeric="tabular-nums"
                    textAlign="end"
                    title="Of all rows that the queries read."
                  >
                    {formatShare(row.share)}
                  </Table.Cell>
                  <Table.Cell>{row.gives_way.length === 0 ? "nothing" : row.gives_way.join(", ")}</Table.Cell>
                  <Table.Cell textAlign="end">
                    {outcome === undefined ? (
                      <GuardedButton
                        aria-label={`Define ${row.name}`}
                        onClick={() => {
                          onDefine(row);
                        }}
                        size="xs"
                        variant="outline"
                        why={why}
                      >
                        Define
                      </GuardedButton>
                    ) : (
                      <StatusBadge status={outcome} />
                    )}
                  </Table.Cell>
                </Table.Row>
                {isOpen ? (
                  <Table.Row bg="bg">
                    <Table.Cell colSpan={7}>
                      <Box py={1}>
                        <Details row={row} />
                      </Box>
                    </Table.Cell>
                  </Table.Row>
                ) : null}
              </Fragment>
            );
          })}
        </Table.Body>
      </Table.Root>
    </Table.ScrollArea>
  );
};
