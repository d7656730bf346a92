import { Box, Button, Code, Link, Text } from "@chakra-ui/react";
import { useCallback, useMemo, useState } from "react";
import { LuLayers, LuSearchX } from "react-icons/lu";
import { Link as RouterLink } from "react-router-dom";

import { DataTable } from "src/components/DataTable";
import { EmptyState } from "src/components/EmptyState";
import { buildParam } from "src/frame/actions/build_request";
import { type Model, pageAddress } from "src/frame/models";
import { useAddressParams } from "src/hooks/useAddress";

import type { PageProps } from "../page_props";
import { BulkBar } from "./BulkBar";
import { COLUMNS } from "./definition_columns";
import { type Filters, filtersOf, isFiltered, NO_FILTERS, paramsOf } from "./definition_filters";
import { DefinitionFilters } from "./DefinitionFilters";
import { DefinitionDrawer } from "./detail/DefinitionDrawer";
import { useDefinitions } from "./useDefinitions";

const NONE: ReadonlySet<string> = new Set();

const NothingDefined = ({ model }: { model: Model }) => (
  <EmptyState icon={<LuLayers aria-hidden />} title="No aggregate is defined yet">
    <Text mb={2}>
      A definition says what is aggregated, and at which grain. The model’s SML may list some under{" "}
      <Code>aggregates:</Code>; others are found from the model’s structure and from what people ask.
    </Text>
    <Text mb={2}>
      <Link asChild variant="underline">
        <RouterLink to={pageAddress("queries", model)}>Look at what was asked</RouterLink>
      </Link>
      , or let the command line define what is worth it:
    </Text>
    <Code>atscale-aggs recommend {model.name} --apply</Code>
  </EmptyState>
);

/** The Definitions tab: what is aggregated, whether it serves, and whether it is worth it. */
export default function DefinitionsPage({ model }: PageProps) {
  const [params, setParams] = useAddressParams();
  const filters = useMemo(() => filtersOf(params), [params]);
  const { list, rows, total } = useDefinitions(model, filters);
  const [ticked, setTicked] = useState(NONE);

  const change = useCallback(
    (changes: Partial<Filters>) => {
      setTicked(NONE);
      setParams(paramsOf(changes), { replace: true });
    },
    [setParams],
  );
  const clear = () => {
    setParams(NO_FILTERS, { replace: true });
  };

  return (
    <>
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
                title="No definition is like that"
              >
                None has all that you search and filter by.
              </EmptyState>
            ) : (
              <NothingDefined model={model} />
            )
          }
          error={list.error}
          hasMore={list.hasNextPage}
          isLoading={list.isPending}
          isLoadingMore={list.isFetchingNextPage}
          name="definitions"
          onLoadMore={() => void list.fetchNextPage()}
          onOpen={(row) => {
            setParams({ definition: row.id, instance: null });
          }}
          onRetry={() => void list.refetch()}
          onSelect={setTicked}
          onSort={(sort) => {
            change({ sort });
          }}
          openId={params.get("definition") ?? undefined}
          rowId={(row) => row.id}
          rows={rows}
          selected={ticked}
          sort={filters.sort}
          toolbar={<DefinitionFilters filters={filters} onChange={change} onClear={clear} />}
          total={total}
        />
      </Box>
      <BulkBar
        model={model}
        onBuild={(names) => {
          setParams({ build: buildParam(names) });
        }}
        onClear={() => {
          setTicked(NONE);
        }}
        rows={rows.filter((row) => ticked.has(row.id))}
      />
      <DefinitionDrawer model={model} />
    </>
  );
}
