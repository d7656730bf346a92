import { Button, CloseButton, Dialog, Portal, Stack } from "@chakra-ui/react";
import { useMutation } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { useNarrow } from "src/hooks/useNarrow";

import { ErrorState } from "./ErrorState";

type Props = {
  isOpen: boolean;
  onClose: () => void;
  /** A question: `Block 3 definitions?` */
  title: string;
  /** What will be done, to what, and whether it can be undone. */
  children: ReactNode;
  /** The verb: `Block`. */
  confirmLabel: string;
  /** What one presses instead; `Cancel` where that is not itself what is asked about. */
  cancelLabel?: string;
  /** Whether something is lost. */
  isDestructive?: boolean;
  /** Does it. The dialog closes when it is done, and shows why when it cannot be done. */
  onConfirm: () => Promise<unknown>;
  /** Whether what is chosen in the dialog can be done. */
  isReady?: boolean;
  /** `md` when absent; `xl` for dialogs in which one chooses among many. */
  size?: "md" | "lg" | "xl";
};

/** Ask before something is done that is not undone by a click. */
export const ConfirmDialog = (props: Props) => {
  const {
    isOpen,
    onClose,
    title,
    children,
    confirmLabel,
    cancelLabel = "Cancel",
    isDestructive = false,
    onConfirm,
    isReady = true,
    size = "md",
  } = props;
  const isNarrow = useNarrow();
  const action = useMutation({ mutationFn: onConfirm, onSuccess: onClose });
  const close = () => {
    action.reset();
    onClose();
  };
  return (
    <Dialog.Root
      closeOnInteractOutside={!isDestructive}
      lazyMount
      onOpenChange={({ open }) => {
        if (!open) {
          close();
        }
      }}
      open={isOpen}
      role="alertdialog"
      scrollBehavior="inside"
      size={isNarrow ? "full" : size}
      unmountOnExit
    >
      <Portal>
        <Dialog.Backdrop />
        <Dialog.Positioner>
          <Dialog.Content>
            <Dialog.Header>
              <Dialog.Title>{title}</Dialog.Title>
            </Dialog.Header>
            <Dialog.Body>
              <Stack gap={4}>
                <div>{children}</div>
                {action.isError ? <ErrorState error={action.error} /> : null}
              </Stack>
            </Dialog.Body>
            <Dialog.Footer>
              <Button onClick={close} variant="outline">
                {cancelLabel}
              </Button>
              <Button
                colorPalette={isDestructive ? "danger" : "brand"}
                disabled={!isReady}
                loading={action.isPending}
                onClick={() => {
                  action.mutate();
                }}
              >
                {confirmLabel}
              </Button>
            </Dialog.Footer>
            <Dialog.CloseTrigger asChild>
              <CloseButton aria-label="Close" size="sm" />
            </Dialog.CloseTrigger>
          </Dialog.Content>
        </Dialog.Positioner>
      </Portal>
    </Dialog.Root>
  );
};
