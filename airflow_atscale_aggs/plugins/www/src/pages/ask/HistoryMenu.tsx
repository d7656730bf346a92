import { Box, Button, HStack, Menu, Portal, Text } from "@chakra-ui/react";
import { LuHistory } from "react-icons/lu";

import { TimeText } from "src/components/TimeText";

import type { PastQuery } from "./asked";

type Props = {
  history: readonly PastQuery[];
  onChoose: (past: PastQuery) => void;
  onForget: () => void;
};

/** The queries that were asked since this tab of the browser was opened. */
export const HistoryMenu = ({ history, onChoose, onForget }: Props) => (
  <Menu.Root positioning={{ placement: "bottom-end" }}>
    <Menu.Trigger asChild>
      <Button disabled={history.length === 0} size="sm" variant="outline">
        <LuHistory aria-hidden /> Asked before
      </Button>
    </Menu.Trigger>
    <Portal>
      <Menu.Positioner>
        <Menu.Content maxH="60vh" maxW="min(36rem, 94vw)" overflow="auto">
          {history.map((past) => (
            <Menu.Item
              key={`${past.deed} ${past.sql}`}
              onClick={() => {
                onChoose(past);
              }}
              value={`${past.deed} ${past.sql}`}
            >
              <Box minW={0} width="100%">
                <Text fontFamily="mono" fontSize="xs" lineClamp={2} overflowWrap="anywhere">
                  {past.sql}
                </Text>
                <HStack color={past.isFailed ? "fg.error" : "fg.muted"} fontSize="xs" gap={2}>
                  <span>{past.outcome}</span>
                  <TimeText isRelative value={past.at} />
                </HStack>
              </Box>
            </Menu.Item>
          ))}
          <Menu.Separator />
          <Menu.Item onClick={onForget} value="forget">
            Forget these
          </Menu.Item>
        </Menu.Content>
      </Menu.Positioner>
    </Portal>
  </Menu.Root>
);
