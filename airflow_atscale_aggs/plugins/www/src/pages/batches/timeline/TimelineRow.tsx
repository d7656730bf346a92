import { LuRefreshCw } from "react-icons/lu";

import { statusLook } from "src/components/statuses";
import { formatCount, formatRows, formatSeconds, plural } from "src/utils/numbers";
import { formatTime } from "src/utils/times";

import { OUTCOME_LOOKS, outcomeOf, stepSeconds } from "../batches";
import type { TimedStep } from "../timeline";

type Props = {
  row: TimedStep;
  index: number;
  top: number;
  /** What is told of it, line by line. */
  lines: readonly string[];
  place: (time: number) => number;
  /** Whether the tab key stops here. */
  canFocus: boolean;
  onOpen: () => void;
};

const MOST_DEPTH = 5;

/** What the tooltip of a step tells, line by line; also what is read out. */
export const stepLines = ({ step, span, isExpected }: TimedStep, now: number, zone: string): string[] => {
  const seconds = stepSeconds(step, now);
  const usual = step.usual_seconds === null ? "" : ` (usually ${formatSeconds(step.usual_seconds)})`;
  const lines = [
    `${statusLook(step.status).label}, ${step.build === "increment" ? "by an increment" : "in full"}`,
    `From ${step.source ?? step.planned_source}`,
  ];
  if (seconds !== null) {
    lines.push(`${formatSeconds(seconds)}${usual}`);
  } else if (isExpected && span !== undefined) {
    const begin = formatTime(new Date(span.from).toISOString(), zone, "HH:mm:ss");
    lines.push(`Expected at about ${begin}, for ${formatSeconds(step.usual_seconds)}`);
  }
  if (step.rows !== null) {
    lines.push(formatRows(step.rows));
  } else if (step.estimated_rows !== null) {
    lines.push(`About ${formatRows(step.estimated_rows)}`);
  }
  if (step.failures > 0) {
    lines.push(plural(step.failures, "failed attempt"));
  }
  return lines;
};

/** One aggregate on the timeline: its name and its bar. */
export const TimelineRow = ({ row, index, top, lines, place, canFocus, onOpen }: Props) => {
  const { step, span, isExpected, depth } = row;
  const outcome = outcomeOf(step.status);
  const Icon = OUTCOME_LOOKS[outcome].icon;
  const from = span === undefined ? 0 : place(span.from);
  return (
    <div className={`place ${outcome}`} role="listitem" style={{ transform: `translateY(${top}px)` }}>
      <button
        aria-label={[step.aggregate, ...lines].join(". ")}
        className="row"
        data-index={index}
        onClick={onOpen}
        tabIndex={canFocus ? 0 : -1}
        type="button"
      >
        <span
          className="label"
          style={{ paddingInlineStart: `${0.75 + Math.min(depth, MOST_DEPTH) * 0.75}rem` }}
        >
          <Icon aria-hidden />
          <span className="name">{step.aggregate}</span>
          {step.failures > 0 ? (
            <span className="again">
              <LuRefreshCw aria-hidden />
              {formatCount(step.failures)}
            </span>
          ) : null}
        </span>
        <span className="track">
          {span === undefined ? null : (
            <span
              className={isExpected ? "bar expected" : "bar"}
              style={{ left: `${from}%`, width: `${place(span.to) - from}%` }}
            />
          )}
        </span>
      </button>
    </div>
  );
};
