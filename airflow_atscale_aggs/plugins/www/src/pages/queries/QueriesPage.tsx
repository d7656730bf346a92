import { Box, Button, Code, Link, Stack, Text } from "@chakra-ui/react";
import { useCallback, useMemo } from "react";
import { LuHistory, LuSearchX } from "react-icons/lu";
import { Link as RouterLink } from "react-router-dom";

import { DataTable } from "src/components/DataTable";
import { EmptyState } from "src/components/EmptyState";
import { type Model, pageAddress } from "src/frame/models";
import { useAddressParams } from "src/hooks/useAddress";

import type { PageProps } from "../page_props";
import { QueryDrawer } from "./detail/QueryDrawer";
import { COLUMNS } from "./query_columns";
import { type Filters, filtersOf, isFiltered, NO_FILTERS, paramsOf } from "./query_filters";
import { QueryFilters } from "./QueryFilters";
import { RecommendPanel } from "./recommend/RecommendPanel";
import { useQueries } from "./useQueries";

const NothingAsked = ({ model }: { model: Model }) => (
  <EmptyState icon={<LuHistory aria-hidden />} title="Nothing was asked yet">
    <Text mb={2}>
      Queries that go through the query router are kept here, with what answered each of them. What is asked
      often, and not answered from an aggregate, is what should be defined next.
    </Text>
    <Text mb={2}>
      <Link asChild variant="underline">
        <RouterLink to={pageAddress("ask", model)}>Ask the first one</RouterLink>
      </Link>
      , or ask it on the command line:
    </Text>
    <Code whiteSpace="normal">
      atscale-aggs query &apos;SELECT … FROM {model.catalog}.{model.name}&apos;
    </Code>
  </EmptyState>
);

/** The Queries tab: what was asked, what answered it, and what should be defined. */
export default function QueriesPage({ model }: PageProps) {
  const [params, setParams] = useAddressParams();
  const filters = useMemo(() => filtersOf(params), [params]);
  const { list, isLoading, rows, total } = useQueries(model, filters);

  const change = useCallback(
    (changes: Partial<Filters>) => {
      setParams(paramsOf(changes), { replace: true });
    },
    [setParams],
  );
  const clear = () => {
    setParams(NO_FILTERS, { replace: true });
  };

  return (
    <Stack gap={4}>
      <RecommendPanel key={`${model.connection} ${model.id}`} model={model} />
      <Box opacity={list.isPlaceholderData ? 0.6 : 1} transition="opacity 0.15s">
        <DataTable
          columns={COLUMNS}
          empty={
            isFiltered(filters) ? (
              <EmptyState
                action={
                  <Button onClick={clear} size="sm" variant="outline">
                    Clear search and filters
                  </Button>
                }
                icon={<LuSearchX aria-hidden />}
                title="No query is like that"
              >
                None that the log keeps has all that you search and filter by.
              </EmptyState>
            ) : (
              <NothingAsked model={model} />
            )
          }
          error={list.error}
          hasMore={list.hasNextPage}
          isLoading={isLoading}
          isLoadingMore={list.isFetchingNextPage}
          name="queries"
          onLoadMore={() => void list.fetchNextPage()}
          onOpen={(row) => {
            setParams({ query: row.id });
          }}
          onRetry={() => void list.refetch()}
          openId={params.get("query") ?? undefined}
          rowId={(row) => row.id}
          rows={rows}
          toolbar={
            <QueryFilters filters={filters} model={model} onChange={change} onClear={clear} rows={rows} />
          }
          total={total}
        />
      </Box>
      <QueryDrawer model={model} />
    </Stack>
  );
}
