import { Box, Code, HStack, Stack, Text } from "@chakra-ui/react";
import { LuArrowUpFromLine, LuLock } from "react-icons/lu";

import { Chips } from "../Chips";
import type { DefinitionDetail } from "../documents";

type Props = { definition: DefinitionDetail };

const Measure = ({ text, rolls_up: rollsUp }: { text: string; rolls_up: boolean }) => {
  const Icon = rollsUp ? LuArrowUpFromLine : LuLock;
  const meaning = rollsUp
    ? "Rolls up: coarser groups can be computed from it."
    : "Only for this very grain: coarser groups cannot be computed from it.";
  return (
    <HStack as="li" fontSize="sm" gap={2} minW={0}>
      <Box aria-hidden color={rollsUp ? "success.fg" : "warning.fg"} flexShrink={0}>
        <Icon />
      </Box>
      <Code bg="transparent" minW={0} overflowWrap="anywhere" px={0} size="sm" whiteSpace="normal">
        {text}
      </Code>
      <Text color="fg.muted" flexShrink={0} fontSize="xs" title={meaning}>
        {rollsUp ? "rolls up" : "this grain only"}
      </Text>
    </HStack>
  );
};

/** What is stored for the metrics of a definition, fact by fact, and what of it rolls up. */
export const StoredMeasures = ({ definition }: Props) => (
  <Stack gap={3}>
    {definition.metrics.length === 0 ? null : (
      <HStack flexWrap="wrap" gap={2}>
        <Text color="fg.muted" fontSize="sm">
          For the metrics
        </Text>
        <Box css={{ "& > div": { flexWrap: "wrap" } }}>
          <Chips most={50} room={Infinity} names={definition.metrics} />
        </Box>
      </HStack>
    )}
    {definition.parts.map((part) => (
      <Box key={part.fact}>
        <Text color="fg.muted" fontSize="xs" mb={1}>
          One table of the fact <b>{part.fact}</b>
        </Text>
        {part.measures.length === 0 ? (
          <Text fontSize="sm">No measure: the members of its attributes only.</Text>
        ) : (
          <Stack aria-label={`Measures of ${part.fact}`} as="ul" gap={1} listStyleType="none" m={0} p={0}>
            {part.measures.map((measure) => (
              <Measure key={measure.text} {...measure} />
            ))}
          </Stack>
        )}
      </Box>
    ))}
  </Stack>
);
