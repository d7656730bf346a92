import { Box, Grid, Heading, HStack, Spacer, Stack } from "@chakra-ui/react";
import { useNavigate } from "react-router-dom";

import { $api } from "src/api/client";
import { DataTable } from "src/components/DataTable";
import { EmptyState } from "src/components/EmptyState";
import { ErrorState } from "src/components/ErrorState";
import { LoadingState } from "src/components/LoadingState";
import { type Model, pageAddress } from "src/frame/models";
import { BATCH_COLUMNS } from "src/pages/batches/batch_columns";
import { AttentionList } from "src/pages/overview/AttentionList";
import { LastBatch } from "src/pages/overview/LastBatch";
import { Tiles } from "src/pages/overview/Tiles";

import { PageLink } from "./PageLink";
import { TabFrame } from "./TabFrame";
import type { TabProps } from "./tab_props";

const DAYS = 30;
const REFRESH_MS = 15_000;
const LAST_BATCHES = 10;

const LastBatches = ({ model }: { model: Model }) => {
  const navigate = useNavigate();
  const { data, error, isPending, refetch } = $api.useQuery(
    "get",
    "/api/connections/{connection}/batches",
    { params: { path: { connection: model.connection }, query: { model: [model.id], limit: LAST_BATCHES } } },
    { refetchInterval: REFRESH_MS },
  );
  return (
    <DataTable
      columns={BATCH_COLUMNS}
      empty={<EmptyState title="No batch has run yet" />}
      error={error}
      isLoading={isPending}
      maxHeight="28rem"
      name="last batches"
      onOpen={(batch) => void navigate(pageAddress("batches", model, { batch: batch.id }))}
      onRetry={() => void refetch()}
      rowId={(batch) => batch.id}
      rows={data?.items ?? []}
      toolbar={
        <Heading as="h3" size="sm">
          Last batches
        </Heading>
      }
    />
  );
};

const ModelOverview = ({ model }: { model: Model }) => {
  const { data, error, isFetching, refetch } = $api.useQuery(
    "get",
    "/api/connections/{connection}/models/{model}/overview",
    { params: { path: { connection: model.connection, model: model.id }, query: { days: DAYS } } },
    { refetchInterval: REFRESH_MS },
  );
  const name = model.label === "" ? model.name : model.label;
  return (
    <Stack aria-label={name} as="section" gap={4}>
      <HStack flexWrap="wrap" gap={3}>
        <Heading as="h2" size="md">
          {name}
        </Heading>
        <Spacer />
        <PageLink model={model} place="" />
      </HStack>
      {error === null ? null : (
        <ErrorState error={error} isRetrying={isFetching} onRetry={() => void refetch()} />
      )}
      <Tiles days={DAYS} overview={data} />
      {data === undefined ? (
        error === null ? (
          <LoadingState height="6rem" label="Reading the overview" lines={2} />
        ) : null
      ) : (
        <Grid gap={4} templateColumns={{ base: "minmax(0, 1fr)", xl: "minmax(0, 3fr) minmax(0, 2fr)" }}>
          <Box minW={0}>
            <LastBatch batch={data.last_batch} model={model} />
          </Box>
          <AttentionList items={data.attention} model={model} />
        </Grid>
      )}
      <LastBatches model={model} />
    </Stack>
  );
};

/** The tab of a DAG: how the models that it builds are doing, and their last batches. */
export default function DagTab({ dagId }: TabProps) {
  return (
    <TabFrame dagId={dagId}>
      {(models) =>
        models.map((model) => <ModelOverview key={`${model.connection} ${model.id}`} model={model} />)
      }
    </TabFrame>
  );
}
