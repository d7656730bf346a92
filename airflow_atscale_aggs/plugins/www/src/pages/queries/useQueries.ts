import { keepPreviousData } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";

import { $api } from "src/api/client";
import type { Model } from "src/frame/models";

import type { Query } from "./documents";
import { type Filters, requestOf } from "./query_filters";

const PAGE_ROWS = 100;

/** The queries that filters let through, page by page, and how many there are. */
export const useQueries = (model: Model, filters: Filters) => {
  // Periods are counted from when the page was opened.
  const [now] = useState(() => Date.now());
  const request = requestOf(filters, model.id, now);
  const path = { connection: model.connection };
  const list = $api.useInfiniteQuery(
    "get",
    "/api/connections/{connection}/queries",
    { params: { path, query: { ...request, limit: PAGE_ROWS } } },
    {
      pageParamName: "cursor",
      // Without a word the client would ask for the cursor 0.
      initialPageParam: null,
      getNextPageParam: (page) => page.next_cursor ?? undefined,
      placeholderData: keepPreviousData,
    },
  );
  const count = $api.useQuery(
    "get",
    "/api/connections/{connection}/queries",
    { params: { path, query: { ...request, limit: 1, count: true } } },
    { placeholderData: keepPreviousData },
  );
  const rows = useMemo<Query[]>(() => list.data?.pages.flatMap((page) => page.items) ?? [], [list.data]);
  const { hasNextPage, isFetching, isError, fetchNextPage } = list;
  const isSearching = rows.length === 0 && hasNextPage && !isError;
  // With a filter, a page may have no rows although there are more.
  useEffect(() => {
    if (isSearching && !isFetching) {
      void fetchNextPage();
    }
  }, [isSearching, isFetching, fetchNextPage]);
  return { list, isLoading: list.isPending || isSearching, rows, total: count.data?.total ?? null };
};
