import { Box, HStack, Text } from "@chakra-ui/react";

import { statusLook } from "src/components/statuses";
import { formatCount } from "src/utils/numbers";

import { countOutcomes, OUTCOME_LOOKS, OUTCOMES } from "./batches";

type Props = {
  /** Instances by shown status. */
  counts: Record<string, number>;
  /** Whether the figures stand beside the bar; they are in its tooltip anyway. */
  hasText?: boolean;
};

/** `54 active, 2 failed`. */
export const countWords = (counts: Record<string, number>): string =>
  Object.entries(counts)
    .filter(([, count]) => count > 0)
    .sort(([, one], [, other]) => other - one)
    .map(([status, count]) => `${formatCount(count)} ${statusLook(status).label.toLowerCase()}`)
    .join(", ");

/** How the aggregates of a batch went, as a small bar. */
export const CountsBar = ({ counts, hasText = false }: Props) => {
  const outcomes = countOutcomes(counts);
  const total = Object.values(outcomes).reduce((sum, count) => sum + count, 0);
  const words = total === 0 ? "no aggregates yet" : countWords(counts);
  return (
    <HStack aria-label={words} gap={2} role="img" title={words} width="100%">
      <HStack
        bg="bg.muted"
        borderRadius="full"
        flex={1}
        gap="1px"
        height="8px"
        minW="3rem"
        overflow="hidden"
        aria-hidden
      >
        {OUTCOMES.filter((outcome) => outcomes[outcome] > 0).map((outcome) => (
          <Box
            bg={outcome === "waiting" ? "colorPalette.muted" : "colorPalette.solid"}
            colorPalette={OUTCOME_LOOKS[outcome].palette}
            flexBasis={0}
            flexGrow={outcomes[outcome]}
            height="100%"
            key={outcome}
            minW="3px"
          />
        ))}
      </HStack>
      {hasText ? (
        <Text
          aria-hidden
          color="fg.muted"
          fontSize="xs"
          fontVariantNumeric="tabular-nums"
          minW="4.5em"
          textAlign="end"
        >
          {formatCount(outcomes.built)} of {formatCount(total)}
        </Text>
      ) : null}
    </HStack>
  );
};
