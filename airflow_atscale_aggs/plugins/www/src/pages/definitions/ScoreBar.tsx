import { Box, HStack, Text } from "@chakra-ui/react";

import { formatCount, formatTenths, UNKNOWN } from "src/utils/numbers";

type Props = {
  /** From 0 to 100; null before the first judgement. */
  value: number | null;
  width?: string;
};

/** A score as a small bar with its figure. */
export const ScoreBar = ({ value, width = "3.5rem" }: Props) => {
  if (value === null) {
    return (
      <Text as="span" color="fg.muted" title="Not judged yet.">
        {UNKNOWN}
      </Text>
    );
  }
  const share = Math.max(0, Math.min(100, value));
  return (
    <HStack gap={2} justifyContent="flex-end" title={`${formatTenths(value)} of 100`}>
      <Box aria-hidden bg="bg.emphasized" borderRadius="full" height="6px" overflow="hidden" width={width}>
        <Box bg="brand.solid" borderRadius="full" height="100%" width={`${share}%`} />
      </Box>
      <Text as="span" fontVariantNumeric="tabular-nums" minW="1.75rem" textAlign="end">
        {formatCount(value)}
      </Text>
    </HStack>
  );
};
