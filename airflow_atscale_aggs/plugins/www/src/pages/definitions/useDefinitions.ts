import { keepPreviousData } from "@tanstack/react-query";
import { useMemo, useState } from "react";

import { $api } from "src/api/client";
import type { Model } from "src/frame/models";

import { type Filters, requestOf } from "./definition_filters";
import type { Definition } from "./documents";

const PAGE_ROWS = 100;
const POLL_MILLISECONDS = 5000;
const MOVING = new Set(["building", "queued", "staged"]);

/** The definitions that filters let through, page by page, and how many there are. */
export const useDefinitions = (model: Model, filters: Filters) => {
  // Days are counted from when the page was opened.
  const [now] = useState(() => Date.now());
  const request = requestOf(filters, model.id, now);
  const path = { connection: model.connection };
  const list = $api.useInfiniteQuery(
    "get",
    "/api/connections/{connection}/definitions",
    { params: { path, query: { ...request, limit: PAGE_ROWS } } },
    {
      pageParamName: "cursor",
      // Without a word the client would ask for the cursor 0.
      initialPageParam: null,
      getNextPageParam: (page) => page.next_cursor ?? undefined,
      placeholderData: keepPreviousData,
      // While something is built its status changes. What was scrolled to is not read again and again.
      refetchInterval: ({ state }) =>
        state.data?.pages.length === 1 && state.data.pages[0]?.items.some((row) => MOVING.has(row.status))
          ? POLL_MILLISECONDS
          : false,
    },
  );
  const count = $api.useQuery(
    "get",
    "/api/connections/{connection}/definitions",
    { params: { path, query: { ...request, limit: 1, count: true } } },
    { placeholderData: keepPreviousData },
  );
  const rows = useMemo<Definition[]>(() => list.data?.pages.flatMap((page) => page.items) ?? [], [list.data]);
  return { list, rows, total: count.data?.total ?? null };
};
