import { CloseButton, Drawer, Portal } from "@chakra-ui/react";
import type { ReactNode } from "react";

import { useAddressParams } from "src/hooks/useAddress";
import { useNarrow } from "src/hooks/useNarrow";

type Props = {
  /** The address's parameter that opens it: `?definition=…`. */
  param: string;
  title: ReactNode;
  /** Beside the title: a status, a link. */
  aside?: ReactNode;
  /** Buttons at its foot. */
  footer?: ReactNode;
  /** Parameters of what it has open inside; they go when it is closed. */
  alsoCloses?: readonly string[];
  /** `lg`, about 500 pixels, when absent; `xl` is about 900. */
  size?: "lg" | "xl";
  /** What it shows for the parameter's value. */
  children: (value: string) => ReactNode;
};

/**
 * Everything about one thing, at the right side of what it was chosen from.
 *
 * It is open while its parameter stands in the address: whoever gets the link sees the same, and the browser's Back
 * closes it. Focus stays inside, and returns to where it was.
 */
export const SideDrawer = (props: Props) => {
  const { param, title, aside, footer, alsoCloses = [], size = "lg", children } = props;
  const [params, setParams] = useAddressParams();
  const value = params.get(param) ?? "";
  const isNarrow = useNarrow();
  return (
    <Drawer.Root
      lazyMount
      onOpenChange={({ open }) => {
        if (!open) {
          setParams(Object.fromEntries([param, ...alsoCloses].map((name) => [name, null])));
        }
      }}
      open={value !== ""}
      placement="end"
      size={isNarrow ? "full" : size}
      unmountOnExit
    >
      <Portal>
        <Drawer.Backdrop />
        <Drawer.Positioner>
          <Drawer.Content>
            <Drawer.Header alignItems="center" flexWrap="wrap" gap={2} pe={16}>
              <Drawer.Title flex="1 1 auto" maxW="full" overflowWrap="anywhere">
                {title}
              </Drawer.Title>
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
