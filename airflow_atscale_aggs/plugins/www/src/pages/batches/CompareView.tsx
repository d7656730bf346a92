import { Badge, Box, Button, Heading, HStack, Link, Stack, Text } from "@chakra-ui/react";
import { useMemo } from "react";
import { LuArrowLeftRight } from "react-icons/lu";
import { Link as RouterLink } from "react-router-dom";

import { type Column, DataTable, type Sort } from "src/components/DataTable";
import { EmptyState } from "src/components/EmptyState";
import { ErrorState } from "src/components/ErrorState";
import { LoadingState } from "src/components/LoadingState";
import { StatusBadge } from "src/components/StatusBadge";
import { TimeText } from "src/components/TimeText";
import { type Model, pageAddress } from "src/frame/models";
import { useAddressParam } from "src/hooks/useAddress";
import { useAddressSort } from "src/hooks/useAddressSort";
import { formatCount, formatSeconds, plural } from "src/utils/numbers";

import { type BatchDetail, batchSeconds, rowsOf, signed, typeWords } from "./batches";
import { type ComparedBy, type ComparedStep, compareSteps, sortCompared } from "./comparison";
import { Fact, Facts } from "./Facts";
import { useBatch } from "./useBatch";
import { useNow } from "./useNow";

type Props = { model: Model; before: string; after: string };

const CHANGES: Record<string, { label: string; palette: string; meaning: string }> = {
  new: { label: "New", palette: "success", meaning: "Only the second batch has it." },
  gone: { label: "Gone", palette: "warning", meaning: "Only the first batch has it." },
};

const Change = ({ step }: { step: ComparedStep }) => {
  const look = CHANGES[step.change];
  if (look !== undefined) {
    return (
      <Badge colorPalette={look.palette} title={look.meaning} variant="subtle">
        {look.label}
      </Badge>
    );
  }
  if (!step.isBuiltOtherwise) {
    return null;
  }
  const words = (side: ComparedStep["before"]) =>
    `${side?.build === "increment" ? "increment" : "full"}, from ${side?.source ?? side?.planned_source ?? "?"}`;
  return (
    <Text as="span" color="fg.muted" fontSize="xs" title={`${words(step.before)} → ${words(step.after)}`}>
      {step.before?.build === step.after?.build ? "Other source" : "Other build"}
    </Text>
  );
};

const share = (difference: number | null, before: number | null | undefined): string =>
  difference === null || before == null || before === 0 || difference === 0
    ? ""
    : ` (${difference > 0 ? "+" : "−"}${Math.abs(Math.round((difference / before) * 100))} %)`;

const COLUMNS: Column<ComparedStep>[] = [
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
  { id: "change", label: "Change", sortBy: "change", width: "7rem", cell: (step) => <Change step={step} /> },
  {
    id: "before_rows",
    label: "Rows, first",
    align: "end",
    width: "8rem",
    cell: (step) => formatCount(step.before?.rows),
  },
  {
    id: "after_rows",
    label: "Rows, second",
    align: "end",
    width: "8rem",
    cell: (step) => formatCount(step.after?.rows),
  },
  {
    id: "rows",
    label: "Difference in rows",
    sortBy: "rows",
    align: "end",
    width: "minmax(11rem, 1fr)",
    cell: (step) =>
      `${signed(step.rowsDifference, formatCount)}${share(step.rowsDifference, step.before?.rows)}`,
  },
  {
    id: "before_seconds",
    label: "Time, first",
    align: "end",
    width: "7rem",
    cell: (step) => formatSeconds(step.before?.seconds),
  },
  {
    id: "after_seconds",
    label: "Time, second",
    align: "end",
    width: "7.5rem",
    cell: (step) => formatSeconds(step.after?.seconds),
  },
  {
    id: "seconds",
    label: "Difference in time",
    sortBy: "seconds",
    align: "end",
    width: "minmax(11rem, 1fr)",
    isNarrow: true,
    cell: (step) => (
      <Text
        as="span"
        color={step.secondsDifference !== null && step.secondsDifference > 1 ? "warning.fg" : undefined}
      >
        {signed(step.secondsDifference)}
        {share(step.secondsDifference, step.before?.seconds)}
      </Text>
    ),
  },
];

const LARGEST_FIRST: Sort = { by: "change", isDescending: true };
const isComparedBy = (word: string): word is ComparedBy =>
  ["change", "aggregate", "rows", "seconds"].includes(word);

const Side = ({
  model,
  batch,
  title,
  now,
}: {
  model: Model;
  batch: BatchDetail;
  title: string;
  now: number;
}) => (
  <Box aria-label={`${title} batch`} as="section" borderRadius="md" borderWidth={1} flex="1 1 20rem" p={3}>
    <HStack flexWrap="wrap" gap={2} mb={2}>
      <Text color="fg.muted" fontSize="sm">
        {title}
      </Text>
      <StatusBadge status={batch.status} />
      <Link asChild fontSize="sm" fontWeight="semibold" variant="underline">
        <RouterLink to={pageAddress("batches", model, { batch: batch.id })}>
          {typeWords(batch)}, <TimeText value={batch.created_at} />
        </RouterLink>
      </Link>
    </HStack>
    <Facts least="7rem">
      <Fact label="Took">{formatSeconds(batchSeconds(batch, now))}</Fact>
      <Fact label="Aggregates">{formatCount(batch.steps.length)}</Fact>
      <Fact label="Rows written">{formatCount(rowsOf(batch.steps))}</Fact>
      <Fact label="Failed attempts">{formatCount(batch.failures)}</Fact>
    </Facts>
  </Box>
);

const summary = (steps: readonly ComparedStep[], before: BatchDetail, after: BatchDetail): string => {
  const count = (change: string) => steps.filter((step) => step.change === change).length;
  const parts = [
    before.seconds === null || after.seconds === null
      ? undefined
      : `The second took ${formatSeconds(Math.abs(after.seconds - before.seconds))} ${after.seconds >= before.seconds ? "longer" : "less"}.`,
    count("new") > 0 ? `${plural(count("new"), "aggregate is", "aggregates are")} new.` : undefined,
    count("gone") > 0 ? `${plural(count("gone"), "aggregate is", "aggregates are")} gone.` : undefined,
  ];
  return parts.filter((part) => part !== undefined).join(" ");
};

/** Two batches, aggregate by aggregate: what is new, what is gone, what took longer, what grew. */
export const CompareView = ({ model, before, after }: Props) => {
  const first = useBatch(model.connection, before);
  const second = useBatch(model.connection, after);
  const [, setCompared] = useAddressParam("compare");
  const [sort, setSort] = useAddressSort("sort", LARGEST_FIRST);
  const now = useNow(first.data?.status === "in_progress" || second.data?.status === "in_progress");
  const compared = useMemo(
    () => compareSteps(first.data?.steps ?? [], second.data?.steps ?? []),
    [first.data?.steps, second.data?.steps],
  );
  const rows = useMemo(
    () => sortCompared(compared, isComparedBy(sort.by) ? sort.by : "change", sort.isDescending),
    [compared, sort.by, sort.isDescending],
  );
  const failed = [first, second].find((each) => each.data === undefined && each.error !== null);
  if (failed !== undefined) {
    return <ErrorState error={failed.error} onRetry={() => void failed.refetch()} />;
  }
  if (first.data === undefined || second.data === undefined) {
    return <LoadingState label="Reading both batches" lines={10} />;
  }
  return (
    <Stack gap={4}>
      <HStack flexWrap="wrap" gap={3}>
        <Heading as="h2" size="md">
          Two batches compared
        </Heading>
        <Button
          onClick={() => {
            setCompared(`${after},${before}`, { replace: true });
          }}
          size="sm"
          variant="outline"
        >
          <LuArrowLeftRight aria-hidden /> Swap
        </Button>
      </HStack>
      <HStack alignItems="stretch" flexWrap="wrap" gap={3}>
        <Side batch={first.data} model={model} now={now} title="First" />
        <Side batch={second.data} model={model} now={now} title="Second" />
      </HStack>
      <Text fontSize="sm">{summary(compared, first.data, second.data)}</Text>
      <DataTable
        columns={COLUMNS}
        empty={<EmptyState title="Neither batch has a step" />}
        name="compared steps"
        onSort={setSort}
        rowId={(step) => step.id}
        rows={rows}
        sort={sort}
      />
    </Stack>
  );
};
