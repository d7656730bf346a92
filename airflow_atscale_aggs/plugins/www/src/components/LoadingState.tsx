import { Box, Skeleton, Stack } from "@chakra-ui/react";

type Props = {
  /** What is being read, for those who hear the page: `Reading definitions`. */
  label: string;
  /** How many lines stand for what will come. */
  lines?: number;
  /** Height of one line, in CSS. */
  height?: string;
};

/** What stands where something will be, at about its size, so that nothing jumps when it comes. */
export const LoadingState = ({ label, lines = 6, height = "1.75rem" }: Props) => (
  <Box aria-busy aria-label={label} role="status">
    <Stack aria-hidden gap={2}>
      {Array.from({ length: lines }, (_, line) => (
        <Skeleton height={height} key={line} />
      ))}
    </Stack>
  </Box>
);
