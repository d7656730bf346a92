import { Box, Button, Table, Text } from "@chakra-ui/react";
import { useState } from "react";

import { Sentence } from "src/components/Sentence";
import { formatCount, plural } from "src/utils/numbers";

import type { Candidate } from "../documents";

type Props = { candidates: readonly Candidate[]; isHit: boolean };

const FEW = 5;
const MOST = 200;

const why = ({ explanation, missing }: Candidate) =>
  missing.length === 0 ? explanation : `${explanation}: ${missing.map((name) => `\`${name}\``).join(", ")}`;

/** Aggregates that do not answer, the nearest first: why, and what would have to change. */
export const Candidates = ({ candidates, isHit }: Props) => {
  const [isWhole, setWhole] = useState(false);
  const shown = candidates.slice(0, isWhole ? MOST : FEW);
  const hasEstimate = shown.some(({ extra_rows: extra }) => extra !== null);
  if (candidates.length === 0) {
    return null;
  }
  return (
    <Box>
      <Text fontSize="sm" fontWeight="semibold" mb={1}>
        {isHit ? "Why no other one answers" : "What is nearest, and why it does not answer"}
      </Text>
      <Box borderRadius="md" borderWidth={1} overflowX="auto">
        <Table.Root size="sm">
          <Table.Header>
            <Table.Row bg="bg.muted">
              <Table.ColumnHeader>Aggregate</Table.ColumnHeader>
              <Table.ColumnHeader textAlign="end">Rows</Table.ColumnHeader>
              <Table.ColumnHeader minW="12rem">Why not</Table.ColumnHeader>
              <Table.ColumnHeader minW="14rem">Smallest change</Table.ColumnHeader>
              {hasEstimate ? (
                <Table.ColumnHeader textAlign="end" whiteSpace="nowrap">
                  Rows it adds
                </Table.ColumnHeader>
              ) : null}
            </Table.Row>
          </Table.Header>
          <Table.Body>
            {shown.map((candidate) => (
              <Table.Row key={candidate.aggregate} verticalAlign="top">
                <Table.Cell fontWeight="medium" minW="11rem" overflowWrap="anywhere">
                  {candidate.aggregate}
                </Table.Cell>
                <Table.Cell fontVariantNumeric="tabular-nums" textAlign="end">
                  {formatCount(candidate.rows)}
                </Table.Cell>
                <Table.Cell>
                  <Sentence text={why(candidate)} />
                </Table.Cell>
                <Table.Cell>
                  {candidate.change === "" ? (
                    <Text as="span" color="fg.muted">
                      none would do
                    </Text>
                  ) : (
                    <Sentence text={candidate.change} />
                  )}
                </Table.Cell>
                {hasEstimate ? (
                  <Table.Cell fontVariantNumeric="tabular-nums" textAlign="end">
                    {candidate.extra_rows === null ? "" : `about ${formatCount(candidate.extra_rows)}`}
                  </Table.Cell>
                ) : null}
              </Table.Row>
            ))}
          </Table.Body>
        </Table.Root>
      </Box>
      {candidates.length > shown.length && !isWhole ? (
        <Button
          mt={2}
          onClick={() => {
            setWhole(true);
          }}
          size="xs"
          variant="outline"
        >
          Show all {plural(candidates.length, "aggregate")}
        </Button>
      ) : null}
      {isWhole && candidates.length > MOST ? (
        <Text color="fg.muted" fontSize="xs" mt={1}>
          The nearest {MOST} of {formatCount(candidates.length)}.
        </Text>
      ) : null}
    </Box>
  );
};
