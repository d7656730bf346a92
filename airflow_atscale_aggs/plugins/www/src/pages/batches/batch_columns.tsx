import { Code, Text } from "@chakra-ui/react";

import type { Column } from "src/components/DataTable";
import { StatusBadge } from "src/components/StatusBadge";
import { TimeText } from "src/components/TimeText";
import { formatCount } from "src/utils/numbers";

import { type BatchRow, typeWords } from "./batches";
import { CountsBar } from "./CountsBar";
import { Duration } from "./Duration";
import { RunLink } from "./RunLink";

/** The columns of lists of batches. */
export const BATCH_COLUMNS: Column<BatchRow>[] = [
  {
    id: "started",
    label: "Started",
    width: "minmax(10.5rem, 1fr)",
    cell: (batch) => <TimeText value={batch.created_at} />,
  },
  {
    id: "status",
    label: "Status",
    width: "minmax(7.5rem, 0.7fr)",
    isNarrow: true,
    cell: (batch) => <StatusBadge status={batch.status} />,
  },
  {
    id: "type",
    label: "Type",
    width: "minmax(7rem, 1fr)",
    cell: (batch) => (
      <Text as="span" title={batch.aggregates.length === 0 ? undefined : batch.aggregates.join(", ")}>
        {typeWords(batch)}
      </Text>
    ),
  },
  {
    id: "duration",
    label: "Took",
    isNarrow: true,
    width: "minmax(10rem, 1fr)",
    cell: (batch) => <Duration batch={batch} />,
  },
  {
    id: "counts",
    label: "Aggregates",
    width: "minmax(11rem, 1.2fr)",
    cell: (batch) => <CountsBar counts={batch.counts} hasText />,
  },
  {
    id: "failures",
    label: "Failures",
    align: "end",
    width: "6rem",
    cell: (batch) => (
      <Text as="span" color={batch.failures === 0 ? "fg.muted" : "warning.fg"} title="Failed attempts">
        {formatCount(batch.failures)}
      </Text>
    ),
  },
  {
    id: "run",
    label: "Driven by",
    width: "minmax(12rem, 1.6fr)",
    cell: (batch) => <RunLink batch={batch} />,
  },
  {
    id: "finished",
    label: "Ended",
    isExtra: true,
    width: "minmax(10.5rem, 1fr)",
    cell: (batch) => <TimeText value={batch.finished_at} />,
  },
  {
    id: "id",
    label: "Id",
    isExtra: true,
    width: "minmax(10rem, 1fr)",
    cell: (batch) => <Code fontSize="xs">{batch.id}</Code>,
  },
];
