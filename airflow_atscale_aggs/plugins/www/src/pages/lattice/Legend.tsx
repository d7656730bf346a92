import { Box, HStack, Text } from "@chakra-ui/react";

import { type Coloring, legendOf, type LatticeNode } from "./lattice";

type Props = { coloring: Coloring; nodes: readonly LatticeNode[] };

const Swatch = ({ bg, label }: { bg: string; label: string }) => (
  <HStack gap={1.5}>
    <Box
      aria-hidden
      bg={bg === "" ? "bg" : bg}
      borderColor={bg === "" ? "border.emphasized" : bg}
      borderRadius="full"
      borderStyle={bg === "" ? "dashed" : "solid"}
      borderWidth="1.5px"
      boxSize="13px"
    />
    {label}
  </HStack>
);

const Line = ({ isDashed, label }: { isDashed: boolean; label: string }) => (
  <HStack gap={1.5}>
    <Box
      aria-hidden
      borderColor="fg.muted"
      borderStyle={isDashed ? "dashed" : "solid"}
      borderTopWidth={2}
      width="24px"
    />
    {label}
  </HStack>
);

/** What colours, sizes and lines of the lattice mean. */
export const Legend = ({ coloring, nodes }: Props) => (
  <HStack color="fg.muted" columnGap={4} flexWrap="wrap" fontSize="xs" rowGap={1}>
    <HStack flexWrap="wrap" gap={2}>
      <Text>{coloring === "use" ? "Uses:" : "Age of its build:"}</Text>
      <Swatch bg="" label={coloring === "use" ? "never" : "not built"} />
      {legendOf(coloring, nodes).map((step) => (
        <Swatch key={step.label} {...step} />
      ))}
    </HStack>
    <Line isDashed={false} label="was built from" />
    <Line isDashed label="could be built from" />
    <Text>The more rows, the larger; squares are facts.</Text>
  </HStack>
);
