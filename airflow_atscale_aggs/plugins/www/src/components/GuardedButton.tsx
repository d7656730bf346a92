import { Button, type ButtonProps, Portal, Tooltip } from "@chakra-ui/react";

type Props = Omit<ButtonProps, "disabled"> & {
  /** Why one may not press it now, in a sentence; empty: one may. */
  why: string;
};

/** A button that says why it cannot be pressed. It stays in reach of the keyboard, so that everybody learns it. */
export const GuardedButton = ({ why, onClick, children, ...rest }: Props) => {
  if (why === "") {
    return (
      <Button onClick={onClick} {...rest}>
        {children}
      </Button>
    );
  }
  return (
    <Tooltip.Root closeDelay={100} openDelay={200} positioning={{ placement: "top" }}>
      <Tooltip.Trigger asChild>
        <Button aria-disabled {...rest}>
          {children}
        </Button>
      </Tooltip.Trigger>
      <Portal>
        <Tooltip.Positioner>
          <Tooltip.Content maxW="20rem">{why}</Tooltip.Content>
        </Tooltip.Positioner>
      </Portal>
    </Tooltip.Root>
  );
};
