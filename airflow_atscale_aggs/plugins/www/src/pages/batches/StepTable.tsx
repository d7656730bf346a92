import { Code, HStack, Link, Text } from "@chakra-ui/react";
import { useMemo } from "react";
import { LuExternalLink } from "react-icons/lu";
import { Link as RouterLink } from "react-router-dom";

import { type Column, DataTable, type Sort } from "src/components/DataTable";
import { EmptyState } from "src/components/EmptyState";
import { StatusBadge } from "src/components/StatusBadge";
import { useAddressSort } from "src/hooks/useAddressSort";
import { formatCount, formatSeconds } from "src/utils/numbers";

import {
  type BatchDetail,
  type BatchStep,
  buildWord,
  compareWithUsual,
  signed,
  stepSeconds,
  taskAddress,
} from "./batches";
import { useNow } from "./useNow";

type Props = { batch: BatchDetail; openId: string; onOpen: (instanceId: string) => void };

const overUsual = (step: BatchStep): number | null =>
  step.seconds === null || step.usual_seconds === null ? null : step.seconds - step.usual_seconds;

const KEYS: Record<string, (step: BatchStep) => number | string | null> = {
  position: (step) => step.position,
  aggregate: (step) => step.aggregate,
  rows: (step) => step.rows,
  seconds: (step) => step.seconds,
  difference: overUsual,
  failures: (step) => step.failures,
};

/** Steps by one of their figures; those that have none come last, whatever the direction. */
export const sortSteps = (steps: readonly BatchStep[], sort: Sort): BatchStep[] => {
  const key = KEYS[sort.by] ?? ((step: BatchStep) => step.position);
  const sign = sort.isDescending ? -1 : 1;
  return [...steps].sort((one, other) => {
    const [left, right] = [key(one), key(other)];
    if (left === null || right === null) {
      return Number(left === null) - Number(right === null) || one.position - other.position;
    }
    const order =
      typeof left === "string" || typeof right === "string"
        ? String(left).localeCompare(String(right))
        : left - right;
    return order * sign || one.position - other.position;
  });
};

/** Ticks by itself, so that the table is not drawn anew every second. */
const StepSeconds = ({ step }: { step: BatchStep }) => {
  const now = useNow(step.status === "building");
  return formatSeconds(stepSeconds(step, now));
};

const columnsOf = (batch: BatchDetail): Column<BatchStep>[] => [
  {
    id: "aggregate",
    label: "Aggregate",
    sortBy: "aggregate",
    width: "minmax(14rem, 2fr)",
    cell: (step) => (
      <Text title={step.aggregate} truncate>
        {step.aggregate}
      </Text>
    ),
  },
  {
    id: "status",
    label: "Status",
    width: "minmax(7.5rem, 0.6fr)",
    isNarrow: true,
    cell: (step) => <StatusBadge status={step.status} />,
  },
  {
    id: "position",
    label: "Order",
    sortBy: "position",
    align: "end",
    width: "5rem",
    cell: (step) => formatCount(step.position + 1),
  },
  { id: "build", label: "Build", width: "6.5rem", cell: (step) => buildWord(step.build) },
  {
    id: "source",
    label: "Built from",
    width: "minmax(10rem, 1.4fr)",
    cell: (step) => {
      const isOther = step.source !== null && step.source !== step.planned_source;
      return (
        <Text
          as="span"
          color={step.source === null ? "fg.muted" : undefined}
          title={isOther ? `Planned from ${step.planned_source}` : (step.source ?? step.planned_source)}
        >
          {step.source ?? step.planned_source}
          {isOther ? (
            <Text as="span" color="warning.fg">
              {" "}
              (not as planned)
            </Text>
          ) : null}
        </Text>
      );
    },
  },
  {
    id: "rows",
    label: "Rows",
    sortBy: "rows",
    align: "end",
    width: "7.5rem",
    cell: (step) => formatCount(step.rows),
  },
  {
    id: "seconds",
    label: "Took",
    isNarrow: true,
    sortBy: "seconds",
    align: "end",
    width: "6rem",
    cell: (step) => <StepSeconds step={step} />,
  },
  {
    id: "usual",
    label: "Usually",
    align: "end",
    width: "6rem",
    cell: (step) => formatSeconds(step.usual_seconds),
  },
  {
    id: "difference",
    label: "Difference",
    sortBy: "difference",
    align: "end",
    width: "7.5rem",
    cell: (step) => {
      const palette = compareWithUsual(step.seconds, step.usual_seconds)?.palette;
      return (
        <Text
          as="span"
          color={palette === undefined || palette === "fg" ? "fg.muted" : "colorPalette.fg"}
          colorPalette={palette === "fg" ? undefined : palette}
        >
          {signed(overUsual(step))}
        </Text>
      );
    },
  },
  {
    id: "failures",
    label: "Failures",
    sortBy: "failures",
    align: "end",
    width: "6.5rem",
    cell: (step) =>
      step.failures === 0 ? (
        <Text as="span" color="fg.muted">
          0
        </Text>
      ) : (
        formatCount(step.failures)
      ),
  },
  {
    id: "task",
    label: "Task instance",
    width: "7.5rem",
    cell: (step) => {
      const address = taskAddress(batch, batch.build_task_id, step.map_index);
      return address === undefined ? null : (
        <Link asChild variant="underline">
          <RouterLink
            aria-label={`build [${step.map_index ?? 0}], task instance of ${step.aggregate}`}
            to={address}
          >
            build [{step.map_index}] <LuExternalLink aria-hidden />
          </RouterLink>
        </Link>
      );
    },
  },
  { id: "fact", label: "Fact", isExtra: true, cell: (step) => step.fact },
  {
    id: "attempt",
    label: "Attempts",
    align: "end",
    width: "6.5rem",
    isExtra: true,
    cell: (step) => formatCount(step.attempt),
  },
  {
    id: "estimated",
    label: "Expected rows",
    align: "end",
    isExtra: true,
    width: "8rem",
    cell: (step) => formatCount(step.estimated_rows),
  },
];

const IN_BUILD_ORDER: Sort = { by: "position", isDescending: false };

/** The steps of a batch, with their usual seconds beside the real ones. */
export const StepTable = ({ batch, openId, onOpen }: Props) => {
  const [sort, setSort] = useAddressSort("sort", IN_BUILD_ORDER);
  const rows = useMemo(() => sortSteps(batch.steps, sort), [batch.steps, sort]);
  const columns = useMemo(() => columnsOf(batch), [batch]);
  return (
    <DataTable
      columns={columns}
      empty={
        <EmptyState title="This batch has no steps">
          <HStack justifyContent="center">
            There was nothing to build: no definition of <Code>{batch.model}</Code> wants it.
          </HStack>
        </EmptyState>
      }
      maxHeight="32rem"
      name="steps"
      onOpen={(step) => {
        onOpen(step.instance_id);
      }}
      onSort={setSort}
      openId={openId}
      rowId={(step) => step.instance_id}
      rows={rows}
      sort={sort}
    />
  );
};
