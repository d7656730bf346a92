import { Stack, Table, Text } from "@chakra-ui/react";

import { Sentence } from "src/components/Sentence";
import { TimeText } from "src/components/TimeText";

import type { DefinitionDetail } from "../documents";
import { originLook } from "../origins";
import { compareFigures, otherFigures } from "./figures";

type Props = { definition: DefinitionDetail };

const Comparisons = ({ definition }: Props) => {
  const comparisons = compareFigures(definition);
  return comparisons.length === 0 ? null : (
    <Table.ScrollArea borderRadius="md" borderWidth={1}>
      <Table.Root size="sm">
        <Table.Header>
          <Table.Row bg="bg.muted">
            <Table.ColumnHeader>Figure</Table.ColumnHeader>
            <Table.ColumnHeader textAlign="end">Predicted</Table.ColumnHeader>
            <Table.ColumnHeader textAlign="end">Measured</Table.ColumnHeader>
            <Table.ColumnHeader>Difference</Table.ColumnHeader>
          </Table.Row>
        </Table.Header>
        <Table.Body fontVariantNumeric="tabular-nums">
          {comparisons.map((row) => (
            <Table.Row key={row.label}>
              <Table.Cell>{row.label}</Table.Cell>
              <Table.Cell textAlign="end">{row.predicted}</Table.Cell>
              <Table.Cell textAlign="end">{row.measured}</Table.Cell>
              <Table.Cell color="fg.muted">{row.note}</Table.Cell>
            </Table.Row>
          ))}
        </Table.Body>
      </Table.Root>
    </Table.ScrollArea>
  );
};

/** Who asked for a definition and why, and whether what was predicted came true. */
export const WhyItExists = ({ definition }: Props) => {
  const { origin, reason, evidence, created_at: createdAt } = definition;
  const others = otherFigures(evidence);
  return (
    <Stack fontSize="sm" gap={3}>
      <Text>
        {originLook(origin).meaning} Defined <TimeText isRelative value={createdAt} />.
      </Text>
      {reason === "" ? null : (
        <Text borderInlineStartWidth={3} borderColor="brand.emphasized" ps={3}>
          <Sentence text={reason} />
        </Text>
      )}
      <Comparisons definition={definition} />
      {others.length === 0 ? null : (
        <Text color="fg.muted" fontSize="xs">
          Also known then: {others.map(({ label, value }) => `${value} ${label}`).join(", ")}.
        </Text>
      )}
    </Stack>
  );
};
