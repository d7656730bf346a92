/** Where the bars of a batch's timeline stand: times to places, from 0 (left) to 100 (right). */
import { type BatchStep, outcomeOf } from "./batches";

export type Span = { from: number; to: number };

/** A stretch of time in which nothing was built, drawn narrow: `from` and `to` are places, not times. */
export type Break = Span & { seconds: number };

export type TimeScale = {
  /** The place of a time (milliseconds since 1970). */
  place: (time: number) => number;
  breaks: Break[];
  ticks: { time: number; place: number }[];
  /** Seconds between two ticks. */
  tickSeconds: number;
};

const BREAK_WIDTH = 4;
const LEAST_BREAK_MS = 60_000;
const MOST_BREAKS = 6;
const TICK_SECONDS = [
  0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200,
  86_400,
];

const merged = (spans: readonly Span[]): Span[] => {
  const result: Span[] = [];
  for (const span of [...spans].sort((one, other) => one.from - other.from)) {
    const last = result.at(-1);
    if (last !== undefined && span.from <= last.to) {
      last.to = Math.max(last.to, span.to);
    } else {
      result.push({ ...span });
    }
  }
  return result;
};

/** Stretches that are drawn to scale; between two of them is a break. Only the longest pauses are worth one. */
const stretches = (spans: readonly Span[], all: Span): Span[] => {
  const busy = merged([{ from: all.from, to: all.from }, ...spans, { from: all.to, to: all.to }]);
  const work = busy.reduce((sum, span) => sum + span.to - span.from, 0);
  const pauses = busy.slice(1).map((span, index) => span.from - (busy[index]?.to ?? span.from));
  const shortest = [...pauses].sort((one, other) => other - one)[MOST_BREAKS] ?? 0;
  const least = Math.max(LEAST_BREAK_MS, work, shortest + 1);
  const result: Span[] = [];
  for (const span of busy) {
    const last = result.at(-1);
    if (last !== undefined && span.from - last.to < least) {
      last.to = span.to;
    } else {
      result.push({ ...span });
    }
  }
  return result;
};

/**
 * A scale over a batch's time. A long pause, such as between a failure and the day on which somebody cleared it, is
 * drawn as a narrow break, so that the bars beside it keep their width.
 *
 * @param spans when something was built, in milliseconds.
 * @param all what the scale has to hold.
 * @param most about how many ticks there is room for.
 */
export const timeScale = (spans: readonly Span[], all: Span, most = 6): TimeScale => {
  const parts = stretches(spans, { from: all.from, to: Math.max(all.to, all.from + 1) });
  const total = parts.reduce((sum, part) => sum + part.to - part.from, 0) || 1;
  const room = 100 - BREAK_WIDTH * (parts.length - 1);
  const placed: (Span & { at: number; width: number })[] = [];
  let at = 0;
  for (const part of parts) {
    const width = ((part.to - part.from) / total) * room;
    placed.push({ ...part, at, width });
    at += width + BREAK_WIDTH;
  }
  const place = (time: number): number => {
    const part = placed.findLast((each) => time >= each.from) ?? placed[0];
    if (part === undefined || time <= part.from) {
      return part?.at ?? 0;
    }
    return part.at + Math.min(1, (time - part.from) / (part.to - part.from || 1)) * part.width;
  };
  const tickSeconds =
    TICK_SECONDS.find((seconds) => total / 1000 / seconds <= most) ??
    Math.ceil(total / 1000 / most / 86_400) * 86_400;
  const step = tickSeconds * 1000;
  const ticks = placed.flatMap((part) => {
    const first = Math.ceil(part.from / step) * step;
    const count = Math.max(0, Math.floor((part.to - first) / step) + 1);
    return Array.from({ length: count }, (_, index) => {
      const time = first + index * step;
      return { time, place: place(time) };
    });
  });
  const breaks = placed.slice(1).map((part, index) => {
    const before = placed[index];
    const ended = before?.to ?? part.from;
    return { from: part.at - BREAK_WIDTH, to: part.at, seconds: (part.from - ended) / 1000 };
  });
  return { place, breaks, ticks, tickSeconds };
};

/** A step with when it was built, or (expected) when it will probably be; without times where nobody knows. */
export type TimedStep = {
  step: BatchStep;
  span: Span | undefined;
  isExpected: boolean;
  /** Index of the step that it was built from; undefined for those built from a fact. */
  source: number | undefined;
  /** How many steps stand between it and the fact. */
  depth: number;
};

const spanOf = (step: BatchStep, now: number): Span | undefined => {
  if (step.started_at === null) {
    return undefined;
  }
  const from = Date.parse(step.started_at);
  const isOver = step.finished_at !== null || outcomeOf(step.status) !== "building";
  const to = step.finished_at === null ? (isOver ? from : now) : Date.parse(step.finished_at);
  return { from, to: Math.max(from, to) };
};

/**
 * When what waits will probably be built: each takes its usual time, as many at once as are being built now.
 *
 * @param end when the batch will probably end, where that is known.
 */
const expectedSpans = (
  steps: readonly BatchStep[],
  now: number,
  end: number | undefined,
): Map<string, Span> => {
  const lanes = steps
    .filter((step) => outcomeOf(step.status) === "building" && step.started_at !== null)
    .map((step) => Math.max(now, Date.parse(step.started_at ?? "") + (step.usual_seconds ?? 0) * 1000));
  if (lanes.length === 0) {
    lanes.push(now);
  }
  const result = new Map<string, Span>();
  for (const step of steps) {
    if (outcomeOf(step.status) === "waiting" && step.usual_seconds !== null) {
      const lane = lanes.indexOf(Math.min(...lanes));
      const from = lanes[lane] ?? now;
      const to = from + step.usual_seconds * 1000;
      lanes[lane] = to;
      result.set(step.instance_id, { from, to });
    }
  }
  // Between two builds lies what Airflow takes to start the next: the estimated end knows of it, usual times do not.
  const last = Math.max(now, ...lanes);
  const stretch = end === undefined || last <= now ? 1 : Math.max(1, (end - now) / (last - now));
  for (const span of result.values()) {
    const shift = (span.from - now) * (stretch - 1);
    span.from += shift;
    span.to += shift;
  }
  return result;
};

/**
 * The steps in build order, with their times and what they were built from.
 *
 * @param isRunning whether what waits will still be built.
 * @param end when the batch will probably end (milliseconds since 1970), where that is known.
 */
export const timedSteps = (
  steps: readonly BatchStep[],
  now: number,
  isRunning: boolean,
  end?: number,
): TimedStep[] => {
  const ordered = [...steps].sort((one, other) => one.position - other.position);
  const expected = isRunning ? expectedSpans(ordered, now, end) : new Map<string, Span>();
  const byName = new Map<string, number>();
  const result: TimedStep[] = [];
  ordered.forEach((step, index) => {
    const source = byName.get(sourceKey(step.source ?? step.planned_source, step.fact));
    const span = spanOf(step, now);
    const later = span === undefined ? expected.get(step.instance_id) : undefined;
    result.push({
      step,
      span: span ?? later,
      isExpected: later !== undefined,
      source,
      depth: source === undefined ? 0 : (result[source]?.depth ?? 0) + 1,
    });
    // An aggregate of two facts has a step for each; both bear its name.
    byName.set(sourceKey(step.aggregate, step.fact), index);
  });
  return result;
};

const sourceKey = (aggregate: string, fact: string): string => `${fact}\n${aggregate}`;
