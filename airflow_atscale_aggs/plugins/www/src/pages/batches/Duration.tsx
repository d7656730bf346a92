import { Text } from "@chakra-ui/react";

import { formatSeconds } from "src/utils/numbers";

import { type BatchRow, batchSeconds, compareWithUsual } from "./batches";
import { useNow } from "./useNow";

type Props = { batch: Pick<BatchRow, "aggregates" | "created_at" | "seconds" | "status" | "usual_seconds"> };

/** Whether it is fair to compare a batch with usual ones: those built everything, and ended well. */
const isComparable = ({ aggregates, status }: Props["batch"]): boolean =>
  aggregates.length === 0 && (status === "done" || status === "in_progress");

/** How long a batch took or has been running, and how that compares with the usual time where it is worth a word. */
export const Duration = ({ batch }: Props) => {
  const isRunning = batch.status === "in_progress";
  const seconds = batchSeconds(batch, useNow(isRunning));
  const usual = batch.usual_seconds;
  const comparison = isComparable(batch) ? compareWithUsual(seconds, usual, isRunning) : undefined;
  return (
    <Text
      as="span"
      title={usual === null ? "There is no usual time yet." : `Usually ${formatSeconds(usual)}.`}
    >
      {formatSeconds(seconds !== null && isRunning ? Math.round(seconds) : seconds)}
      {comparison === undefined || comparison.palette === "fg" ? null : (
        <Text as="span" color="colorPalette.fg" colorPalette={comparison.palette} fontSize="xs" ms={2}>
          {comparison.words}
        </Text>
      )}
    </Text>
  );
};
