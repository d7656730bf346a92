/** What a batch is, in words: its type, how its steps went, how its time compares, where Airflow shows it. */
import type { IconType } from "react-icons";
import { LuBan, LuCheck, LuClock, LuLoaderCircle, LuX } from "react-icons/lu";

import type { components } from "src/api/schema";
import { formatSeconds, formatShare, formatTenths, plural, UNKNOWN } from "src/utils/numbers";

export type BatchRow = components["schemas"]["BatchRow"];
export type BatchDetail = components["schemas"]["BatchDetail"];
export type BatchStep = components["schemas"]["BatchStep"];

/** Whether a batch goes on by itself: what is shown of it changes. */
export const isMoving = (status: string): boolean => status === "in_progress" || status === "requested";

const TYPES: Record<string, string> = {
  "": "Batch",
  full: "Full",
  incremental: "Incremental",
  increment: "Increment",
};

/** `Full`, `Incremental`, `Increment`; another word as it is. */
export const buildWord = (build: string): string => TYPES[build] ?? build;

/** `Full`, or `Full, of 3 aggregates` where only some were asked for. */
export const typeWords = (batch: Pick<BatchRow, "build_type" | "aggregates">): string =>
  batch.aggregates.length === 0
    ? buildWord(batch.build_type)
    : `${buildWord(batch.build_type)}, of ${plural(batch.aggregates.length, "aggregate")}`;

/** How the build of a step went, whatever became of its table since. */
export type Outcome = "built" | "building" | "failed" | "canceled" | "waiting";

/** In the order in which a bar shows them. */
export const OUTCOMES: readonly Outcome[] = ["built", "building", "failed", "canceled", "waiting"];

export const OUTCOME_LOOKS: Record<Outcome, { label: string; palette: string; icon: IconType }> = {
  built: { label: "Built", palette: "success", icon: LuCheck },
  building: { label: "Building", palette: "running", icon: LuLoaderCircle },
  failed: { label: "Failed", palette: "failed", icon: LuX },
  canceled: { label: "Canceled", palette: "skipped", icon: LuBan },
  waiting: { label: "Waiting", palette: "queued", icon: LuClock },
};

const OUTCOME_OF: Record<string, Outcome> = {
  active: "built",
  staged: "built",
  inactive: "built",
  deleted: "built",
  unavailable: "built",
  building: "building",
  failed: "failed",
  canceled: "canceled",
};

/** How a step went, by its shown status. A table that was replaced or dropped later had been built all the same. */
export const outcomeOf = (status: string): Outcome => OUTCOME_OF[status] ?? "waiting";

/** Steps by outcome, from the counts by status. */
export const countOutcomes = (counts: Record<string, number>): Record<Outcome, number> => {
  const sums: Record<Outcome, number> = { built: 0, building: 0, failed: 0, canceled: 0, waiting: 0 };
  for (const [status, count] of Object.entries(counts)) {
    sums[outcomeOf(status)] += count;
  }
  return sums;
};

/** Seconds from one ISO time to another, or to now (milliseconds since 1970). */
export const secondsBetween = (from: string, to: string | null, now: number): number =>
  Math.max(0, ((to === null ? now : Date.parse(to)) - Date.parse(from)) / 1000);

/** How long a batch took, or has been running. */
export const batchSeconds = (
  batch: Pick<BatchRow, "seconds" | "created_at" | "status">,
  now: number,
): number | null =>
  batch.seconds ?? (batch.status === "in_progress" ? secondsBetween(batch.created_at, null, now) : null);

/** How long a step took, or has been in the making. */
export const stepSeconds = (
  step: Pick<BatchStep, "seconds" | "started_at" | "status">,
  now: number,
): number | null =>
  step.seconds ??
  (step.status === "building" && step.started_at !== null
    ? secondsBetween(step.started_at, null, now)
    : null);

export type Comparison = { words: string; palette: "fg" | "success" | "warning" };

/**
 * How a duration compares with the usual one: `38 % longer`.
 *
 * Differences below a tenth or below a second are not worth a word of their own: they are `as usual`.
 *
 * @returns undefined where one of both is unknown.
 */
export const compareWithUsual = (
  seconds: number | null,
  usual: number | null,
  isRunning = false,
): Comparison | undefined => {
  if (seconds === null || usual === null || usual <= 0) {
    return undefined;
  }
  const difference = seconds - usual;
  if (Math.abs(difference) < 1 || Math.abs(difference) < usual / 10) {
    return { words: isRunning ? "about the usual time" : "as usual", palette: "fg" };
  }
  if (difference < 0) {
    return isRunning
      ? undefined
      : { words: `${formatShare(-difference / usual)} shorter`, palette: "success" };
  }
  const words =
    difference >= usual
      ? `${formatTenths(seconds / usual)} times as long`
      : `${formatShare(difference / usual)} longer`;
  return { words, palette: difference >= usual / 2 ? "warning" : "fg" };
};

/** A difference with its sign: `+3.4 s`, `-12 s`, `±0`. */
export const signed = (
  difference: number | null,
  format: (value: number) => string = formatSeconds,
): string => {
  if (difference === null) {
    return UNKNOWN;
  }
  if (difference === 0) {
    return "±0";
  }
  return `${difference > 0 ? "+" : "−"}${format(Math.abs(difference))}`;
};

type Driven = { dag_id: string | null; run_id: string | null };

/** Where Airflow shows the run that drives a batch; undefined when no run does. */
export const runAddress = ({ dag_id, run_id }: Driven): string | undefined =>
  dag_id === null || run_id === null
    ? undefined
    : `/dags/${encodeURIComponent(dag_id)}/runs/${encodeURIComponent(run_id)}`;

/**
 * Where Airflow shows the task instance that builds a step, so that one can clear it.
 *
 * @param taskId the mapped task; `batch_build.build` inside a task group.
 * @returns undefined where no run drives the batch, or one may not read its DAG.
 */
export const taskAddress = (
  batch: Driven,
  taskId: string | null,
  mapIndex: number | null,
): string | undefined => {
  const run = runAddress(batch);
  return run === undefined || taskId === null || mapIndex === null
    ? undefined
    : `${run}/tasks/${encodeURIComponent(taskId)}/mapped/${mapIndex}`;
};

/**
 * A batch with what has changed of it since it was read.
 *
 * @param changed with the steps that have changed only.
 * @returns undefined where the steps do not come to the server's counts: all of them have to be read anew.
 */
export const withChanges = (before: BatchDetail, changed: BatchDetail): BatchDetail | undefined => {
  const news = new Map(changed.steps.map((step) => [step.instance_id, step]));
  const steps = changed.is_partial
    ? before.steps.map((step) => news.get(step.instance_id) ?? step)
    : changed.steps;
  const counts: Record<string, number> = {};
  for (const { status } of steps) {
    counts[status] = (counts[status] ?? 0) + 1;
  }
  const isSame =
    Object.keys(counts).length === Object.keys(changed.counts).length &&
    Object.entries(counts).every(([status, count]) => changed.counts[status] === count);
  return isSame ? { ...changed, steps, is_partial: false } : undefined;
};

/** Rows that a batch wrote; null when it has built nothing. */
export const rowsOf = (steps: readonly BatchStep[]): number | null => {
  const known = steps.map((step) => step.rows).filter((rows) => rows !== null);
  return known.length === 0 ? null : known.reduce((sum, rows) => sum + rows, 0);
};
