import { EmptyState as Chakra, VStack } from "@chakra-ui/react";
import type { ReactNode } from "react";
import { LuInbox } from "react-icons/lu";

type Props = {
  title: string;
  /** Why there is nothing, and what to do first. */
  children?: ReactNode;
  icon?: ReactNode;
  /** Buttons or links. */
  action?: ReactNode;
};

/** What stands where there is nothing to show. */
export const EmptyState = ({ title, children, icon = <LuInbox aria-hidden />, action }: Props) => (
  <Chakra.Root size="md">
    <Chakra.Content>
      <Chakra.Indicator>{icon}</Chakra.Indicator>
      <VStack maxW="34rem" textAlign="center">
        <Chakra.Title>{title}</Chakra.Title>
        {children === undefined ? null : <Chakra.Description as="div">{children}</Chakra.Description>}
      </VStack>
      {action}
    </Chakra.Content>
  </Chakra.Root>
);
