import { CloseButton, Drawer, Portal } from "@chakra-ui/react";
import type { ReactNode } from "react";

import { useAddressParam } from "src/hooks/useAddress";
import { useNarrow } from "src/hooks/useNarrow";

type Props = {
  /** The address's parameter that opens it: `?definition=…`. */
  param: string;
  title: ReactNode;
  /** Beside the title: a status, a link. */
  aside?: ReactNode;
  /** Buttons at its foot. */
  footer?: ReactNode;
  /** What it shows for the parameter's value. */
  children: (value: string) => ReactNode;
};

/**
 * Everything about one thing, at the right side of what it was chosen from.
 *
 * It is open while its parameter stands in the address: whoever gets the link sees the same, and the browser's Back
 * closes it. Focus stays inside, and returns to where it was.
 */
export const SideDrawer = ({ param, title, aside, footer, children }: Props) => {
  const [value, setValue] = useAddressParam(param);
  const isNarrow = useNarrow();
  return (
    <Drawer.Root
      lazyMount
      onOpenChange={({ open }) => {
        if (!open) {
          setValue(null);
        }
      }}
      open={value !== ""}
      placement="end"
      size={isNarrow ? "full" : "lg"}
      unmountOnExit
    >
      <Portal>
        <Drawer.Backdrop />
        <Drawer.Positioner>
          <Drawer.Content>
            <Drawer.Header alignItems="center" flexWrap="wrap" gap={2} pe={12}>
              <Drawer.Title overflowWrap="anywhere">{title}</Drawer.Title>
              {aside}
            </Drawer.Header>
            <Drawer.Body>{value === "" ? null : children(value)}</Drawer.Body>
            {footer === undefined ? null : (
              <Drawer.Footer borderTopWidth={1} flexWrap="wrap">
                {footer}
              </Drawer.Footer>
            )}
            <Drawer.CloseTrigger asChild>
              <CloseButton aria-label="Close" size="sm" />
            </Drawer.CloseTrigger>
          </Drawer.Content>
        </Drawer.Positioner>
      </Portal>
    </Drawer.Root>
  );
};
