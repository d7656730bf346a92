import { Box, Portal, Text } from "@chakra-ui/react";

type Props = {
  title: string;
  lines: readonly string[];
  /** What it stands below (or above, at the foot of the window). */
  anchor: DOMRect;
};

const ROOM = 150;

/** What stands beside the bar that one points at. Its text is also the name of the bar's button. */
export const StepTip = ({ title, lines, anchor }: Props) => {
  const isBelow = anchor.bottom + ROOM < globalThis.innerHeight;
  return (
    <Portal>
      <Box
        aria-hidden
        bg="bg.panel"
        borderRadius="md"
        borderWidth={1}
        boxShadow="md"
        fontSize="xs"
        left={`${Math.max(8, Math.min(anchor.left, globalThis.innerWidth - 320))}px`}
        maxW="19rem"
        pointerEvents="none"
        position="fixed"
        px={3}
        py={2}
        top={isBelow ? `${anchor.bottom + 6}px` : undefined}
        bottom={isBelow ? undefined : `${globalThis.innerHeight - anchor.top + 6}px`}
        zIndex="tooltip"
      >
        <Text fontWeight="semibold" overflowWrap="anywhere">
          {title}
        </Text>
        {lines.map((line) => (
          <Text key={line} overflowWrap="anywhere">
            {line}
          </Text>
        ))}
      </Box>
    </Portal>
  );
};
