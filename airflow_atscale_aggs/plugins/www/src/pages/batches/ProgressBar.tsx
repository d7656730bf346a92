import { HStack, Progress, Text } from "@chakra-ui/react";

import { formatShare } from "src/utils/numbers";

type Props = {
  /** From 0 to 1. */
  share: number;
  label: string;
};

/** How much of a batch is done. */
export const ProgressBar = ({ share, label }: Props) => (
  <HStack gap={3}>
    <Progress.Root colorPalette="running" flex={1} size="sm" value={Math.min(100, Math.max(0, share * 100))}>
      <Progress.Track aria-label={label} borderRadius="full">
        <Progress.Range />
      </Progress.Track>
    </Progress.Root>
    <Text fontSize="sm" fontVariantNumeric="tabular-nums" fontWeight="semibold" minW="3.5em" textAlign="end">
      {formatShare(share)}
    </Text>
  </HStack>
);
