import { Text } from "@chakra-ui/react";

import { TimeText } from "src/components/TimeText";
import { formatCount, formatSeconds, plural } from "src/utils/numbers";

import { type BatchDetail, isMoving, secondsBetween } from "./batches";
import { ProgressBar } from "./ProgressBar";
import { useNow } from "./useNow";

type Props = { batch: BatchDetail };

const MOST_NAMES = 3;

/** `sales_by_day, 3.2 s of usually 5 s; sales_by_week`. */
export const stepNow = (batch: BatchDetail, now: number): string => {
  const building = batch.steps.filter((step) => step.status === "building");
  const names = building.slice(0, MOST_NAMES).map((step) => {
    const seconds = step.started_at === null ? null : secondsBetween(step.started_at, null, now);
    const usual = step.usual_seconds === null ? "" : ` of usually ${formatSeconds(step.usual_seconds)}`;
    return seconds === null
      ? step.aggregate
      : `${step.aggregate}, ${formatSeconds(Math.round(seconds))}${usual}`;
  });
  const more = building.length - names.length;
  return names.join("; ") + (more > 0 ? `; and ${formatCount(more)} more` : "");
};

/** How many steps have failed, where nothing else is left to do; 0 while there is. */
const failedAtTheEnd = ({ steps }: BatchDetail): number =>
  steps.every(({ status }) => status === "staged" || status === "failed")
    ? steps.filter(({ status }) => status === "failed").length
    : 0;

/** What a batch waits for that builds nothing now. */
export const waitWords = (batch: BatchDetail): string => {
  if (batch.steps.length === 0) {
    return "Its steps are being planned.";
  }
  const failed = failedAtTheEnd(batch);
  if (failed > 0) {
    return `${plural(failed, "aggregate")} could not be built. Its run tries again while attempts are left, and fails then.`;
  }
  const isAllBuilt = batch.steps.every((step) => step.status === "staged");
  return isAllBuilt
    ? "Everything is built; the batch is being activated."
    : "Waiting for the next task of its run.";
};

/** How far a running batch is, what it builds now, and when it will probably end. */
export const BatchProgress = ({ batch }: Props) => {
  const now = useNow(isMoving(batch.status));
  if (batch.status === "requested") {
    return <Text fontSize="sm">It was asked for; its DAG run has not begun it yet.</Text>;
  }
  const current = stepNow(batch, now);
  const isLate = batch.estimated_end_at !== null && Date.parse(batch.estimated_end_at) < now;
  return (
    <>
      <ProgressBar label="Progress of the batch" share={batch.done_share} />
      <Text fontSize="sm" mt={2}>
        {current === "" ? waitWords(batch) : `Building ${current}.`}{" "}
        {failedAtTheEnd(batch) > 0 ? null : batch.estimated_end_at === null ? (
          <Text as="span" color="fg.muted">
            There is no history yet to say when it will end.
          </Text>
        ) : isLate ? (
          <Text as="span" color="fg.muted">
            It should have ended by now, going by its usual times.
          </Text>
        ) : (
          <Text as="span" color="fg.muted">
            It will probably end in{" "}
            {formatSeconds(Math.max(1, Math.round((Date.parse(batch.estimated_end_at) - now) / 1000)))}, at{" "}
            <TimeText value={batch.estimated_end_at} />.
          </Text>
        )}
      </Text>
    </>
  );
};
