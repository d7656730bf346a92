import { Button, Code, HStack, NativeSelect, Text } from "@chakra-ui/react";
import { useState } from "react";
import { LuGitCompareArrows, LuHistory, LuPlay } from "react-icons/lu";
import { Link } from "react-router-dom";

import { $api } from "src/api/client";
import { type Column, DataTable } from "src/components/DataTable";
import { EmptyState } from "src/components/EmptyState";
import { StatusBadge } from "src/components/StatusBadge";
import { STATUSES } from "src/components/statuses";
import { TimeText } from "src/components/TimeText";
import { type Model, pageAddress } from "src/frame/models";
import { useAddressParams } from "src/hooks/useAddress";
import { formatCount } from "src/utils/numbers";

import { type BatchRow, typeWords } from "./batches";
import { CountsBar } from "./CountsBar";
import { Duration } from "./Duration";
import { RunLink } from "./RunLink";

type Props = { model: Model };

type ListedStatus = "in_progress" | "done" | "failed" | "cancelled";
const LISTED: readonly ListedStatus[] = ["in_progress", "done", "failed", "cancelled"];
const isListed = (word: string): word is ListedStatus => (LISTED as readonly string[]).includes(word);

const COLUMNS: Column<BatchRow>[] = [
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

/** All batches of a model, newest first. Ticking two compares them. */
export const BatchList = ({ model }: Props) => {
  const [params, setParams] = useAddressParams();
  const [ticked, setTicked] = useState<ReadonlySet<string>>(new Set());
  const word = params.get("status") ?? "";
  const list = $api.useInfiniteQuery(
    "get",
    "/api/connections/{connection}/batches",
    {
      params: {
        path: { connection: model.connection },
        query: { model: [model.id], limit: 100, count: true, status: isListed(word) ? [word] : [] },
      },
    },
    {
      pageParamName: "cursor",
      initialPageParam: undefined,
      getNextPageParam: (page: { next_cursor?: string | null }) => page.next_cursor ?? undefined,
    },
  );
  const rows = list.data?.pages.flatMap((page) => page.items) ?? [];
  const chosen = rows.filter((row) => ticked.has(row.id));
  const canCompare = chosen.length === 2;
  const whyNot = chosen.length < 2 ? "Tick two batches to compare them." : "Tick only two batches.";
  return (
    <DataTable
      columns={COLUMNS}
      empty={
        word === "" ? (
          <NoBatch model={model} />
        ) : (
          <EmptyState title={`No batch is ${STATUSES[word]?.label.toLowerCase() ?? word}`} />
        )
      }
      error={list.error}
      hasMore={list.hasNextPage}
      isLoading={list.isPending}
      isLoadingMore={list.isFetchingNextPage}
      name="batches"
      onLoadMore={() => void list.fetchNextPage()}
      onOpen={(batch) => {
        setParams({ batch: batch.id });
      }}
      onRetry={() => void list.refetch()}
      onSelect={setTicked}
      rowId={(batch) => batch.id}
      rows={rows}
      selected={ticked}
      toolbar={
        <HStack flexWrap="wrap" gap={2}>
          <NativeSelect.Root size="sm" width="10rem">
            <NativeSelect.Field
              aria-label="Status"
              onChange={(event) => {
                setParams({ status: event.currentTarget.value }, { replace: true });
              }}
              value={isListed(word) ? word : ""}
            >
              <option value="">All statuses</option>
              {LISTED.map((status) => (
                <option key={status} value={status}>
                  {STATUSES[status]?.label ?? status}
                </option>
              ))}
            </NativeSelect.Field>
            <NativeSelect.Indicator />
          </NativeSelect.Root>
          <Button
            aria-disabled={!canCompare || undefined}
            aria-label={canCompare ? "Compare" : `Compare: ${whyNot}`}
            cursor={canCompare ? undefined : "not-allowed"}
            onClick={() => {
              const [newer, older] = chosen;
              if (canCompare && newer !== undefined && older !== undefined) {
                setParams({ compare: `${older.id},${newer.id}` });
              }
            }}
            opacity={canCompare ? undefined : 0.5}
            size="sm"
            title={canCompare ? undefined : whyNot}
            variant="outline"
          >
            <LuGitCompareArrows aria-hidden /> Compare
          </Button>
        </HStack>
      }
      total={list.data?.pages[0]?.total}
    />
  );
};

const NoBatch = ({ model }: { model: Model }) => (
  <EmptyState
    action={
      model.may_build ? (
        <Button asChild size="sm">
          <Link to={pageAddress("batches", model, { build: "all" })}>
            <LuPlay aria-hidden /> Build now
          </Link>
        </Button>
      ) : undefined
    }
    icon={<LuHistory aria-hidden />}
    title="No batch has run yet"
  >
    A batch builds all aggregates of a model in one go, and they serve queries when it has ended well. It
    begins when the DAG of the model runs{model.dag_id === null ? "" : ` (${model.dag_id})`}, when you press
    Build now, or with <Code>atscale-aggs build {model.name}</Code>.
  </EmptyState>
);
