import { Box, Center, Flex, HStack, Stack, Text, VisuallyHidden } from "@chakra-ui/react";
import { LuArrowUp, LuCheck } from "react-icons/lu";

import { Chips } from "../Chips";
import type { Structure } from "../documents";
import { drawGrain, type Ladder, type Rung } from "./grain";

type Kind = Rung["kind"];

const LOOKS: Record<Kind, { word: string; mark: object; text: object }> = {
  stored: {
    word: "stored",
    mark: { bg: "brand.solid", borderColor: "brand.solid", color: "brand.contrast" },
    text: { color: "fg", fontWeight: "semibold" },
  },
  derivable: {
    word: "coarser, so it can be derived",
    mark: { bg: "brand.subtle", borderColor: "brand.emphasized", color: "brand.fg" },
    text: { color: "fg" },
  },
  absent: {
    word: "finer, so it cannot be had",
    mark: { bg: "bg.panel", borderColor: "border.emphasized", borderStyle: "dashed" },
    text: { color: "fg.muted" },
  },
};

const Mark = ({ kind }: { kind: Kind }) => (
  <Center
    aria-hidden
    borderRadius="full"
    borderWidth={kind === "stored" ? 0 : "1.5px"}
    boxSize="18px"
    flexShrink={0}
    fontSize="11px"
    zIndex={1}
    {...LOOKS[kind].mark}
  >
    {kind === "stored" ? <LuCheck strokeWidth={3} /> : kind === "derivable" ? <LuArrowUp /> : null}
  </Center>
);

const Step = ({ rung, isLast }: { rung: Rung; isLast: boolean }) => (
  <HStack as="li" alignItems="flex-start" gap={2} position="relative" pb={isLast ? 0 : 2.5}>
    {isLast ? null : (
      <Box
        aria-hidden
        borderColor={rung.kind === "derivable" ? "brand.emphasized" : "border.emphasized"}
        borderInlineStartWidth="1.5px"
        borderStyle={rung.kind === "derivable" ? "solid" : "dashed"}
        bottom={0}
        insetInlineStart="8px"
        position="absolute"
        top="18px"
      />
    )}
    <Mark kind={rung.kind} />
    <Text
      fontSize="sm"
      lineHeight="18px"
      minW={0}
      overflowWrap="anywhere"
      title={`${rung.name}: ${LOOKS[rung.kind].word}`}
      {...LOOKS[rung.kind].text}
    >
      {rung.label}
      <VisuallyHidden>, {LOOKS[rung.kind].word}</VisuallyHidden>
    </Text>
  </HStack>
);

const Steps = ({ ladder, title, isNamed }: { ladder: Ladder; title: string; isNamed: boolean }) => (
  <Box flex="1 1 8rem" maxW="14rem" minW="8rem">
    {isNamed ? (
      <Text color="fg.muted" fontSize="xs" mb={1.5} truncate>
        {ladder.label}
      </Text>
    ) : null}
    <Box as="ol" aria-label={`${title}, ${ladder.label}: coarse to fine`} listStyleType="none" m={0} p={0}>
      {ladder.rungs.map((rung, at) => (
        <Step isLast={at === ladder.rungs.length - 1} key={rung.name} rung={rung} />
      ))}
    </Box>
  </Box>
);

const Legend = () => (
  <HStack aria-hidden color="fg.muted" columnGap={4} flexWrap="wrap" fontSize="xs" rowGap={1}>
    {(["stored", "derivable", "absent"] as const).map((kind) => (
      <HStack gap={1.5} key={kind}>
        <Mark kind={kind} />
        {LOOKS[kind].word}
      </HStack>
    ))}
  </HStack>
);

type Props = { attributes: readonly string[]; structure: Structure };

/** A grain, drawn on the hierarchies of its dimensions: one column for each dimension in a role, coarse at the top. */
export const GrainLadder = ({ attributes, structure }: Props) => {
  const { columns, loose, absent } = drawGrain(attributes, structure);
  if (attributes.length === 0) {
    return <Text fontSize="sm">It has no attribute: one row with the totals of all rows.</Text>;
  }
  return (
    <Stack gap={4}>
      <Flex columnGap={3} flexWrap="wrap" rowGap={3}>
        {columns.map((column) => (
          <Box
            borderRadius="md"
            borderWidth={1}
            flexGrow={column.ladders.length}
            key={column.title}
            minW="9.5rem"
            p={3}
          >
            <Text fontSize="sm" fontWeight="semibold" mb={2.5} title={column.title} truncate>
              {column.title}
            </Text>
            <Flex columnGap={4} flexWrap="wrap" rowGap={3}>
              {column.ladders.map((ladder) => (
                <Steps
                  isNamed={column.ladders.length > 1}
                  key={ladder.name}
                  ladder={ladder}
                  title={column.title}
                />
              ))}
            </Flex>
          </Box>
        ))}
      </Flex>
      {columns.length === 0 ? null : <Legend />}
      {loose.length === 0 ? null : (
        <HStack flexWrap="wrap" fontSize="sm" gap={2}>
          <Text color="fg.muted">Stored, and a level of no hierarchy:</Text>
          <Chips most={50} room={Infinity} names={loose} />
        </HStack>
      )}
      {absent.length === 0 ? null : (
        <Text color="fg.muted" fontSize="sm">
          Nothing is stored of {absent.join(", ")}.
        </Text>
      )}
    </Stack>
  );
};
