import { Code, HStack, NativeSelect } from "@chakra-ui/react";
import { useState } from "react";
import { LuGitCompareArrows, LuHistory } from "react-icons/lu";

import { $api } from "src/api/client";
import { DataTable } from "src/components/DataTable";
import { EmptyState } from "src/components/EmptyState";
import { GuardedButton } from "src/components/GuardedButton";
import { STATUSES } from "src/components/statuses";
import type { Model } from "src/frame/models";
import { useAddressParams } from "src/hooks/useAddress";

import { BATCH_COLUMNS } from "./batch_columns";
import { BuildNow } from "./BuildNow";

type Props = { model: Model };

type ListedStatus = "in_progress" | "done" | "failed" | "cancelled";
const LISTED: readonly ListedStatus[] = ["in_progress", "done", "failed", "cancelled"];
const isListed = (word: string): word is ListedStatus => (LISTED as readonly string[]).includes(word);

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
      // Without a word the client would ask for the cursor 0.
      initialPageParam: null,
      getNextPageParam: (page) => page.next_cursor ?? undefined,
    },
  );
  const rows = list.data?.pages.flatMap((page) => page.items) ?? [];
  const chosen = rows.filter((row) => ticked.has(row.id));
  const whyNot =
    chosen.length === 2
      ? ""
      : chosen.length < 2
        ? "Tick two batches to compare them."
        : "Tick only two batches.";
  return (
    <DataTable
      columns={BATCH_COLUMNS}
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
          <GuardedButton
            onClick={() => {
              const [newer, older] = chosen;
              if (newer !== undefined && older !== undefined) {
                setParams({ compare: `${older.id},${newer.id}` });
              }
            }}
            size="sm"
            variant="outline"
            why={whyNot}
          >
            <LuGitCompareArrows aria-hidden /> Compare
          </GuardedButton>
        </HStack>
      }
      total={list.data?.pages[0]?.total}
    />
  );
};

const NoBatch = ({ model }: { model: Model }) => (
  <EmptyState
    action={<BuildNow model={model} place="batches" />}
    icon={<LuHistory aria-hidden />}
    title="No batch has run yet"
  >
    A batch builds all aggregates of a model in one go, and they serve queries when it has ended well. It
    begins when the DAG of the model runs{model.dag_id === null ? "" : ` (${model.dag_id})`}, when you press
    Build now, or with <Code>atscale-aggs build {model.name}</Code>.
  </EmptyState>
);
