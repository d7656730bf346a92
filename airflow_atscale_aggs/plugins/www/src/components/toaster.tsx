import { createToaster, Portal, Spinner, Stack, Toast, Toaster as Chakra } from "@chakra-ui/react";
import type { ReactNode } from "react";

import { problemOf } from "src/api/problems";

import { Sentence } from "./Sentence";

// One for all mounts of the page: what was said stays when one goes to another tab.
const toaster = createToaster({ pauseOnPageIdle: true, placement: "bottom-end" });

/** Say what was done, in a sentence; or as an element, where there is a link to follow. */
export const sayDone = (title: string, description?: ReactNode): void => {
  toaster.create({ title, description, type: "success", closable: true });
};

/** Say what went wrong, in the server's words; for what has no place of its own on the page. */
export const sayProblem = (error: unknown): void => {
  const { title, detail } = problemOf(error);
  toaster.create({ title, description: detail, type: "error", closable: true, duration: 15_000 });
};

/** Where toasts are shown; the frame holds one. */
export const Toaster = () => (
  <Portal>
    <Chakra insetInline={{ mdDown: "4" }} toaster={toaster}>
      {(toast) => (
        <Toast.Root width={{ md: "sm" }}>
          {toast.type === "loading" ? <Spinner color="brand.solid" size="sm" /> : <Toast.Indicator />}
          <Stack flex="1" gap={1} maxWidth="100%">
            <Toast.Title>{toast.title}</Toast.Title>
            {toast.description === undefined ? null : (
              <Toast.Description overflowWrap="anywhere">
                {typeof toast.description === "string" ? (
                  <Sentence text={toast.description} />
                ) : (
                  toast.description
                )}
              </Toast.Description>
            )}
          </Stack>
          {toast.closable === true ? <Toast.CloseTrigger aria-label="Close" /> : null}
        </Toast.Root>
      )}
    </Chakra>
  </Portal>
);
