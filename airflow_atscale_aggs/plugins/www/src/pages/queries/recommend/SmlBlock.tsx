import { Box, Clipboard, IconButton } from "@chakra-ui/react";

type Props = { sml: string; label: string };

/** An entry of SML, as it is pasted into a file. */
export const SmlBlock = ({ sml, label }: Props) => (
  <Box borderRadius="md" borderWidth={1} position="relative">
    <Box
      aria-label={label}
      as="pre"
      bg="bg.subtle"
      borderRadius="md"
      fontFamily="mono"
      fontSize="xs"
      lineHeight="1.6"
      m={0}
      maxHeight="20rem"
      overflow="auto"
      p={3}
      pe={12}
      role="region"
      tabIndex={0}
    >
      <code>{sml}</code>
    </Box>
    <Clipboard.Root insetEnd={2} position="absolute" top={2} value={sml}>
      <Clipboard.Trigger asChild>
        <IconButton aria-label="Copy the SML" size="xs" variant="subtle">
          <Clipboard.Indicator />
        </IconButton>
      </Clipboard.Trigger>
    </Clipboard.Root>
  </Box>
);
