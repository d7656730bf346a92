import { Box } from "@chakra-ui/react";
import { lazy, Suspense } from "react";

import { LoadingState } from "src/components/LoadingState";

import { SQL_COLORS } from "./sql_colors";

/** A name that is offered as one types. It is quoted when it is chosen, unless `text` says what is written instead. */
export type OfferedName = { name: string; kind: string; detail?: string; text?: string };

export type SqlEditorProps = {
  value: string;
  onChange: (value: string) => void;
  /** What it is for: `Query`. */
  label: string;
  /** Ctrl+Enter, or Command+Enter. */
  onRun?: () => void;
  /** Ctrl+Shift+Enter, or Command+Shift+Enter. */
  onExplain?: () => void;
  /** Names that are offered as one types: of the model, its attributes and metrics. */
  names?: readonly OfferedName[];
  /** What stands there while nothing is written. */
  placeholder?: string;
  /** Is told how to put a text where the cursor stands. */
  onReady?: (insert: (text: string) => void) => void;
};

const CodeMirror = lazy(() => import("./CodeMirrorEditor"));

/** An editor for one SQL statement. Tab leaves it, as it leaves every field. */
export const SqlEditor = (props: SqlEditorProps) => (
  <Box
    bg="bg.panel"
    borderRadius="md"
    borderWidth={1}
    css={{
      ...SQL_COLORS,
      "& .cm-editor": { fontSize: "sm", minHeight: "9rem", maxHeight: "50vh" },
      "& .cm-editor.cm-focused": { outline: "none" },
      "& .cm-scroller": { fontFamily: "mono", lineHeight: 1.6 },
      "& .cm-content": { caretColor: "var(--chakra-colors-fg)" },
      "& .cm-placeholder": { color: "fg.muted" },
      "& .cm-cursor": { borderLeftColor: "fg" },
      "& .cm-tooltip": { bg: "bg.panel", borderColor: "border", color: "fg" },
      "& .cm-tooltip-autocomplete ul li[aria-selected]": { bg: "brand.solid", color: "brand.contrast" },
      "& .cm-selectionBackground, & .cm-focused .cm-selectionBackground": { bg: "brand.muted !important" },
    }}
    _focusWithin={{ outline: "2px solid", outlineColor: "brand.focusRing", outlineOffset: "1px" }}
  >
    <Suspense fallback={<LoadingState label="Loading the editor" lines={5} />}>
      <CodeMirror {...props} />
    </Suspense>
  </Box>
);
