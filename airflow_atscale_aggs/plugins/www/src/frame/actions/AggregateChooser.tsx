import { Button, HStack, Text } from "@chakra-ui/react";
import { useCallback, useMemo, useState } from "react";

import { $api } from "src/api/client";
import type { components } from "src/api/schema";
import { type Column, DataTable } from "src/components/DataTable";
import { EmptyState } from "src/components/EmptyState";
import { SearchBox } from "src/components/SearchBox";
import { StatusBadge } from "src/components/StatusBadge";
import { TimeText } from "src/components/TimeText";
import type { Model } from "src/frame/models";
import { formatCompact, plural } from "src/utils/numbers";

type Definition = components["schemas"]["DefinitionRow"];

type Props = {
  model: Model;
  /** Names of those that are chosen. */
  chosen: ReadonlySet<string>;
  onChange: (chosen: ReadonlySet<string>) => void;
};

const PAGE_ROWS = 100;
const MOST_NAMES = 6;

const COLUMNS: Column<Definition>[] = [
  {
    id: "name",
    label: "Aggregate",
    width: "minmax(10rem, 2fr)",
    cell: (row) => <span title={row.name}>{row.name}</span>,
  },
  {
    id: "status",
    label: "Status",
    width: "8rem",
    cell: (row) => <StatusBadge status={row.status} />,
    isNarrow: true,
  },
  { id: "rows", label: "Rows", width: "6rem", align: "end", cell: (row) => formatCompact(row.rows) },
  {
    id: "built",
    label: "Built",
    width: "9rem",
    cell: (row) => <TimeText isRelative otherwise="never" value={row.built_at} />,
  },
];

/**
 * The choice after some of the rows in sight were ticked: what is chosen and not in sight stays chosen.
 *
 * @param ticked what the table says is ticked, of whatever it shows.
 */
export const withTicked = (
  chosen: ReadonlySet<string>,
  inSight: readonly string[],
  ticked: ReadonlySet<string>,
): ReadonlySet<string> => {
  const shown = new Set(inSight);
  return new Set([
    ...[...chosen].filter((name) => !shown.has(name)),
    ...inSight.filter((name) => ticked.has(name)),
  ]);
};

/** Chooses some of a model's aggregates, among however many. */
export const AggregateChooser = ({ model, chosen, onChange }: Props) => {
  const [search, setSearch] = useState("");
  const list = $api.useInfiniteQuery(
    "get",
    "/api/connections/{connection}/definitions",
    {
      params: {
        path: { connection: model.connection },
        query: { model: [model.id], search, limit: PAGE_ROWS, count: true },
      },
    },
    {
      pageParamName: "cursor",
      initialPageParam: null,
      getNextPageParam: (page) => page.next_cursor ?? undefined,
    },
  );
  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.items) ?? [], [list.data]);
  const names = [...chosen].sort();
  const find = useCallback((text: string) => {
    setSearch(text);
  }, []);
  return (
    <>
      <DataTable
        columns={COLUMNS}
        empty={
          search === "" ? (
            <EmptyState title="This model has no aggregate yet">
              User-defined aggregates stand in its SML; the others are recommended from the queries that are
              asked.
            </EmptyState>
          ) : (
            <EmptyState title={`No aggregate has “${search}” in its name`} />
          )
        }
        error={list.error}
        hasMore={list.hasNextPage}
        isLoading={list.isPending}
        isLoadingMore={list.isFetchingNextPage}
        maxHeight="15rem"
        name="aggregates to build"
        onLoadMore={() => void list.fetchNextPage()}
        onRetry={() => void list.refetch()}
        onSelect={(ticked) => {
          onChange(
            withTicked(
              chosen,
              rows.map((row) => row.name),
              ticked,
            ),
          );
        }}
        rowId={(row) => row.name}
        rows={rows}
        selected={chosen}
        toolbar={<SearchBox label="Search aggregates" onChange={find} value={search} />}
        total={list.data?.pages[0]?.total}
      />
      <HStack fontSize="sm" gap={2} justifyContent="space-between" mt={1}>
        <Text aria-live="polite" overflowWrap="anywhere">
          {names.length === 0
            ? "None is chosen."
            : `${plural(names.length, "aggregate")}: ${names.slice(0, MOST_NAMES).join(", ")}${
                names.length > MOST_NAMES ? ` and ${names.length - MOST_NAMES} more` : ""
              }.`}
        </Text>
        {names.length === 0 ? null : (
          <Button
            onClick={() => {
              onChange(new Set());
            }}
            size="xs"
            variant="ghost"
          >
            Choose none
          </Button>
        )}
      </HStack>
    </>
  );
};
