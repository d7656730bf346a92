import { Badge, Table } from "@chakra-ui/react";

import type { components } from "src/api/schema";
import { formatCount } from "src/utils/numbers";

type Props = { segments: readonly components["schemas"]["SegmentRow"][] };

/** The tables of an incremental aggregate, each with its range. */
export const SegmentsTable = ({ segments }: Props) => (
  <Table.ScrollArea borderRadius="md" borderWidth={1} maxH="20rem">
    <Table.Root size="sm" stickyHeader>
      <Table.Header>
        <Table.Row bg="bg.muted">
          <Table.ColumnHeader>After</Table.ColumnHeader>
          <Table.ColumnHeader>Through</Table.ColumnHeader>
          <Table.ColumnHeader textAlign="end">Rows</Table.ColumnHeader>
          <Table.ColumnHeader>Settled</Table.ColumnHeader>
          <Table.ColumnHeader>Table</Table.ColumnHeader>
        </Table.Row>
      </Table.Header>
      <Table.Body fontVariantNumeric="tabular-nums">
        {segments.map((segment) => (
          <Table.Row key={segment.table}>
            <Table.Cell whiteSpace="nowrap">{segment.after ?? "the beginning"}</Table.Cell>
            <Table.Cell whiteSpace="nowrap">{segment.through}</Table.Cell>
            <Table.Cell textAlign="end">{formatCount(segment.rows)}</Table.Cell>
            <Table.Cell>
              <Badge colorPalette={segment.is_settled ? "success" : "running"} variant="subtle">
                {segment.is_settled ? "settled" : "not yet"}
              </Badge>
            </Table.Cell>
            <Table.Cell>{segment.table}</Table.Cell>
          </Table.Row>
        ))}
      </Table.Body>
    </Table.Root>
  </Table.ScrollArea>
);
