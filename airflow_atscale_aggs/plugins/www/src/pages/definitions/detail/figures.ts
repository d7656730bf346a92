/** What was predicted of a definition beside what was measured, and what the parts of a score mean. */
import { formatBytes, formatCompact, formatRows, formatTenths, UNKNOWN } from "src/utils/numbers";

import type { DefinitionDetail } from "../documents";

/** A figure that was predicted, and what became of it. */
export type Comparison = { label: string; predicted: string; measured: string; note: string };

/** How far off a prediction was: `as predicted`, `12 % more`, `3.4 times as many`, `half as many`; empty if unknown. */
export const describeDifference = (predicted: number | undefined, measured: number | null): string => {
  if (predicted === undefined || measured === null || predicted <= 0) {
    return "";
  }
  const ratio = measured / predicted;
  if (ratio > 0.98 && ratio < 1.02) {
    return "as predicted";
  }
  if (ratio >= 2) {
    return `${formatTenths(ratio)} times as much`;
  }
  const percent = Math.max(1, Math.round(Math.abs(ratio - 1) * 100));
  return ratio > 1 ? `${percent} % more` : `${percent} % less`;
};

const KNOWN: {
  figure: string;
  label: string;
  format: (value: number | null | undefined) => string;
  measured: (definition: DefinitionDetail) => number | null;
}[] = [
  { figure: "predicted_rows", label: "Rows", format: formatRows, measured: ({ rows }) => rows },
  {
    figure: "predicted_bytes",
    label: "Size",
    format: formatBytes,
    measured: ({ score_detail }) => score_detail?.size_bytes ?? null,
  },
  {
    figure: "predicted_saved_rows",
    label: "Rows saved",
    format: formatRows,
    measured: ({ score_detail }) => score_detail?.rows_saved ?? null,
  },
  { figure: "queries", label: "Queries", format: formatCompact, measured: ({ uses }) => uses },
];

/** Figures that can be compared, those that somebody predicted only. */
export const compareFigures = (definition: DefinitionDetail): Comparison[] =>
  KNOWN.filter(({ figure }) => figure in definition.evidence).map(({ figure, label, format, measured }) => {
    const predicted = definition.evidence[figure];
    const now = measured(definition);
    return {
      label,
      predicted: format(predicted),
      measured: now === null ? UNKNOWN : format(now),
      note: describeDifference(predicted, now),
    };
  });

const OTHER_LABELS: Record<string, string> = {
  predicted_upkeep_rows: "rows that a build reads and writes",
  cost_before_rows: "rows that all queries read before",
  predicted_rows_error: "possible error of the predicted rows",
  dimension_rows: "rows of its dimension",
};

/** Figures that spoke for a definition and have no counterpart: `a label: a figure`. */
export const otherFigures = (evidence: Record<string, number>): { label: string; value: string }[] =>
  Object.entries(evidence)
    .filter(([figure]) => !KNOWN.some((known) => known.figure === figure))
    .map(([figure, value]) => ({
      label: OTHER_LABELS[figure] ?? figure.replaceAll("_", " "),
      value: figure.endsWith("_error") ? `±${Math.round(value * 100)} %` : formatCompact(value),
    }));

const PART_MEANINGS: Record<string, { label: string; meaning: string }> = {
  payback: {
    label: "Payback",
    meaning:
      "What it saved, as a share of that and of what its builds took: 50 % when it just paid for itself.",
  },
  recency: {
    label: "Recency",
    meaning: "It halves with every 30 days without a use, and is 0 % while it was never used.",
  },
  compression: { label: "Compression", meaning: "How many fewer rows it has than its facts." },
};

/** The name and the meaning of a part of a score. */
export const scorePart = (name: string): { label: string; meaning: string } =>
  PART_MEANINGS[name] ?? { label: name.replaceAll("_", " "), meaning: "" };
