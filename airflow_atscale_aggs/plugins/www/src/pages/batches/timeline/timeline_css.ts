/**
 * The style of the timeline. Its bars move every second, and there may be thousands: they are plain elements with
 * classes, since a styled component each would keep the browser busy.
 */
import type { SystemStyleObject } from "@chakra-ui/react";

import { OUTCOME_LOOKS, OUTCOMES } from "../batches";

export const ROW_HEIGHT = 28;

const tones: SystemStyleObject = Object.fromEntries(
  OUTCOMES.map((outcome) => [
    `& .${outcome}`,
    {
      "--tone": `colors.${OUTCOME_LOOKS[outcome].palette}.solid`,
      "--tone-text": `colors.${OUTCOME_LOOKS[outcome].palette}.fg`,
    },
  ]),
);

export const TIMELINE_CSS: SystemStyleObject = {
  ...tones,
  "& .row": {
    alignItems: "center",
    bg: "transparent",
    color: "fg",
    cursor: "pointer",
    display: "grid",
    fontSize: "xs",
    gridTemplateColumns: "var(--columns)",
    height: `${ROW_HEIGHT}px`,
    textAlign: "start",
    width: "100%",
  },
  "& .row:hover": { bg: "bg.muted/60" },
  "& .row:focus-visible": { outline: "2px solid", outlineColor: "brand.focusRing", outlineOffset: "-2px" },
  "& .place": { insetInlineStart: 0, position: "absolute", top: 0, width: "100%" },
  "& .label": {
    alignItems: "center",
    display: "flex",
    gap: "0.375rem",
    minWidth: 0,
    paddingInlineEnd: "0.5rem",
  },
  "& .label svg": { color: "var(--tone-text)", flexShrink: 0, height: "0.875rem", width: "0.875rem" },
  "& .name": { overflow: "hidden", textOverflow: "ellipsis", whiteSpace: "nowrap" },
  "& .again": {
    alignItems: "center",
    color: "warning.fg",
    display: "flex",
    flexShrink: 0,
    fontSize: "2xs",
    gap: "2px",
  },
  "& .again svg": { color: "inherit", height: "0.625rem", width: "0.625rem" },
  "& .track": { height: "100%", marginInlineEnd: "0.75rem", position: "relative" },
  "& .bar": {
    background: "var(--tone)",
    borderRadius: "sm",
    height: "50%",
    minWidth: "3px",
    position: "absolute",
    top: "25%",
    transition: "left 0.3s linear, width 0.3s linear",
  },
  "& .bar.expected": { background: "transparent", border: "1px dashed var(--tone)", opacity: 0.7 },
  "& .arrow": {
    "--line": "colors.border.emphasized",
    borderBottom: "1px solid var(--line)",
    borderBottomLeftRadius: "4px",
    borderLeft: "1px solid var(--line)",
    position: "absolute",
  },
  "& .arrow.expected": { borderStyle: "dashed" },
  "& .arrow.pointed": { "--line": "colors.brand.solid", zIndex: 1 },
  "& .arrow::after": {
    borderBlock: "3px solid transparent",
    borderLeft: "4px solid var(--line)",
    bottom: "-3.5px",
    content: '""',
    position: "absolute",
    right: "-1px",
  },
  "& .grid-line": {
    borderInlineStart: "1px solid",
    borderColor: "border",
    height: "100%",
    opacity: 0.6,
    position: "absolute",
  },
  "& .tick": { paddingBlock: "0.375rem", position: "absolute", whiteSpace: "nowrap" },
  "& .now": {
    borderInlineStart: "2px solid",
    borderColor: "running.solid",
    height: "100%",
    position: "absolute",
  },
  "& .pause": {
    alignItems: "center",
    bg: "bg.muted",
    color: "fg.muted",
    display: "flex",
    fontSize: "2xs",
    height: "100%",
    paddingTop: "0.5rem",
    position: "absolute",
    whiteSpace: "nowrap",
    writingMode: "vertical-rl",
  },
  "@media (prefers-reduced-motion: reduce)": { "& .bar": { transition: "none" } },
};
