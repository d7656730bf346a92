import { Box, Button, Table, Text } from "@chakra-ui/react";

import { StatusBadge } from "src/components/StatusBadge";
import { TimeText } from "src/components/TimeText";
import { formatCount, formatSeconds, UNKNOWN } from "src/utils/numbers";

import type { DefinitionDetail, Instance } from "../documents";

type Props = { definition: DefinitionDetail; onOpen: (instance: Instance) => void };

/** When an instance reached its status, as near as is known. */
const moment = ({ activated_at: active, finished_at: finished, started_at: started }: Instance) =>
  active ?? finished ?? started;

/** The newest instances of a definition; a click opens one. */
export const InstancesTable = ({ definition, onOpen }: Props) => {
  const { instances, parts } = definition;
  if (instances.length === 0) {
    return (
      <Text color="fg.muted" fontSize="sm">
        No batch has built it yet. {definition.state === "defined" ? "The next one does." : ""}
      </Text>
    );
  }
  return (
    <Table.ScrollArea borderRadius="md" borderWidth={1}>
      <Table.Root interactive size="sm">
        <Table.Header>
          <Table.Row bg="bg.muted">
            <Table.ColumnHeader>Status</Table.ColumnHeader>
            {parts.length > 1 ? <Table.ColumnHeader>Fact</Table.ColumnHeader> : null}
            <Table.ColumnHeader textAlign="end">Rows</Table.ColumnHeader>
            <Table.ColumnHeader textAlign="end">Duration</Table.ColumnHeader>
            <Table.ColumnHeader>Built from</Table.ColumnHeader>
            <Table.ColumnHeader>When</Table.ColumnHeader>
            <Table.ColumnHeader />
          </Table.Row>
        </Table.Header>
        <Table.Body fontVariantNumeric="tabular-nums">
          {instances.map((instance) => (
            <Table.Row
              cursor="pointer"
              key={instance.id}
              onClick={() => {
                onOpen(instance);
              }}
            >
              <Table.Cell>
                <StatusBadge status={instance.status} />
              </Table.Cell>
              {parts.length > 1 ? <Table.Cell>{instance.fact}</Table.Cell> : null}
              <Table.Cell textAlign="end">{formatCount(instance.rows)}</Table.Cell>
              <Table.Cell textAlign="end">{formatSeconds(instance.seconds)}</Table.Cell>
              <Table.Cell>
                <Box maxW="14rem" title={instance.source ?? undefined} truncate>
                  {instance.source ?? UNKNOWN}
                </Box>
              </Table.Cell>
              <Table.Cell>
                <TimeText isRelative value={moment(instance)} />
              </Table.Cell>
              <Table.Cell textAlign="end">
                <Button
                  aria-label={`Open the instance in ${instance.table ?? `batch ${instance.batch_id}`}`}
                  onClick={(event) => {
                    event.stopPropagation();
                    onOpen(instance);
                  }}
                  size="2xs"
                  variant="ghost"
                >
                  Open
                </Button>
              </Table.Cell>
            </Table.Row>
          ))}
        </Table.Body>
      </Table.Root>
    </Table.ScrollArea>
  );
};
