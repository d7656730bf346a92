/** Two batches beside each other, aggregate by aggregate. */
import type { BatchStep } from "./batches";

/** What became of an aggregate from one batch to the other. */
export type Change = "both" | "new" | "gone";

export type ComparedStep = {
  id: string;
  aggregate: string;
  fact: string;
  change: Change;
  before: BatchStep | undefined;
  after: BatchStep | undefined;
  /** Null unless both batches know the figure. */
  rowsDifference: number | null;
  secondsDifference: number | null;
  /** Whether the second batch built it from something else, or otherwise (in full instead of an increment). */
  isBuiltOtherwise: boolean;
};

const keyOf = (step: BatchStep): string => `${step.definition_id} ${step.fact}`;

const difference = (before: number | null | undefined, after: number | null | undefined): number | null =>
  before == null || after == null ? null : after - before;

/** The steps of both batches, matched by what they build; in no order. */
export const compareSteps = (before: readonly BatchStep[], after: readonly BatchStep[]): ComparedStep[] => {
  const pairs = new Map<string, { before?: BatchStep; after?: BatchStep }>();
  for (const step of before) {
    pairs.set(keyOf(step), { before: step });
  }
  for (const step of after) {
    pairs.set(keyOf(step), { ...pairs.get(keyOf(step)), after: step });
  }
  return [...pairs].flatMap(([id, pair]) => {
    const step = pair.after ?? pair.before;
    if (step === undefined) {
      return [];
    }
    const isBoth = pair.before !== undefined && pair.after !== undefined;
    return {
      id,
      aggregate: step.aggregate,
      fact: step.fact,
      change: isBoth ? "both" : pair.after === undefined ? "gone" : "new",
      before: pair.before,
      after: pair.after,
      rowsDifference: difference(pair.before?.rows, pair.after?.rows),
      secondsDifference: difference(pair.before?.seconds, pair.after?.seconds),
      isBuiltOtherwise:
        isBoth &&
        (pair.before?.build !== pair.after?.build ||
          (pair.before?.source != null &&
            pair.after?.source != null &&
            pair.before.source !== pair.after.source)),
    } satisfies ComparedStep;
  });
};

/** What the comparison is sorted by. */
export type ComparedBy = "change" | "aggregate" | "rows" | "seconds";

/** How large a difference is; of what is new or gone, the whole figure. */
const size = (difference: number | null, step: ComparedStep, figure: "rows" | "seconds"): number =>
  step.change === "both" ? Math.abs(difference ?? 0) : ((step.after ?? step.before)?.[figure] ?? 0);

const bySeconds = (one: ComparedStep, other: ComparedStep): number =>
  size(other.secondsDifference, other, "seconds") - size(one.secondsDifference, one, "seconds");
const byRows = (one: ComparedStep, other: ComparedStep): number =>
  size(other.rowsDifference, other, "rows") - size(one.rowsDifference, one, "rows");

const ORDERS: Record<ComparedBy, (one: ComparedStep, other: ComparedStep) => number> = {
  // What is new or gone is the largest change; then whatever took most longer or shorter.
  change: (one, other) =>
    Number(other.change !== "both") - Number(one.change !== "both") ||
    bySeconds(one, other) ||
    byRows(one, other),
  aggregate: (one, other) => other.aggregate.localeCompare(one.aggregate),
  rows: byRows,
  seconds: bySeconds,
};

/** The largest change first, or last. */
export const sortCompared = (
  steps: readonly ComparedStep[],
  by: ComparedBy,
  isDescending: boolean,
): ComparedStep[] => {
  const sorted = [...steps].sort(
    (one, other) => ORDERS[by](one, other) || one.aggregate.localeCompare(other.aggregate),
  );
  return isDescending ? sorted : sorted.reverse();
};
