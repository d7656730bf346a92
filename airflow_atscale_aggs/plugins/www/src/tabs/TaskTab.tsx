import { Heading, HStack, Link, Spacer, Stack, Text } from "@chakra-ui/react";
import { LuLayers } from "react-icons/lu";
import { Link as RouterLink } from "react-router-dom";

import { EmptyState } from "src/components/EmptyState";
import { ErrorState } from "src/components/ErrorState";
import { LoadingState } from "src/components/LoadingState";
import { type Model, pageAddress } from "src/frame/models";
import { useBatch } from "src/pages/batches/useBatch";
import { InstanceDetails } from "src/pages/definitions/detail/InstanceDetails";
import { formatCount } from "src/utils/numbers";

import { PageLink } from "./PageLink";
import { RunBatches } from "./RunBatches";
import { TabFrame } from "./TabFrame";
import type { TabProps } from "./tab_props";

type Props = { model: Model; batchId: string; taskId: string; mapIndex: number };

/** What one task of a batch's run has to do with its aggregates. */
const TaskOfBatch = ({ model, batchId, taskId, mapIndex }: Props) => {
  const { data: batch, error, isFetching, refetch } = useBatch(model.connection, batchId);
  if (batch === undefined) {
    return error === null ? (
      <LoadingState label="Reading the batch" lines={8} />
    ) : (
      <ErrorState error={error} isRetrying={isFetching} onRetry={() => void refetch()} />
    );
  }
  const toBatch = (
    <Link asChild variant="underline">
      <RouterLink to={pageAddress("batches", model, { batch: batch.id })}>the batch of this run</RouterLink>
    </Link>
  );
  if (taskId !== batch.build_task_id) {
    return (
      <EmptyState icon={<LuLayers aria-hidden />} title="This task builds no aggregate">
        The mapped instances of <code>{batch.build_task_id ?? "build"}</code> do. See {toBatch}.
      </EmptyState>
    );
  }
  const step = batch.steps.find((each) => each.map_index === mapIndex);
  if (step === undefined) {
    return (
      <EmptyState
        icon={<LuLayers aria-hidden />}
        title={
          mapIndex < 0
            ? "Each mapped instance builds one aggregate"
            : "This task instance had nothing to build"
        }
      >
        {mapIndex < 0 ? "Choose one of them, or see all in " : "All that was built stands in "}
        {toBatch}.
      </EmptyState>
    );
  }
  return (
    <Stack gap={4}>
      <HStack flexWrap="wrap" gap={3}>
        <Heading as="h2" overflowWrap="anywhere" size="md">
          {step.aggregate}
        </Heading>
        <Text color="fg.muted" fontSize="sm">
          {formatCount(step.position + 1)} of {formatCount(batch.steps.length)} in {toBatch}
        </Text>
        <Spacer />
        <PageLink model={model} params={{ definition: step.definition_id }} place="definitions" />
      </HStack>
      <InstanceDetails id={step.instance_id} model={model} />
    </Stack>
  );
};

/** The tab of a task instance: the aggregate that it built. */
export default function TaskTab({ dagId, runId, taskId, mapIndex }: TabProps) {
  return (
    <TabFrame dagId={dagId}>
      {(models) => (
        <RunBatches dagId={dagId} models={models} runId={runId}>
          {(batch, model) => (
            <TaskOfBatch
              batchId={batch.id}
              key={batch.id}
              mapIndex={mapIndex}
              model={model}
              taskId={taskId}
            />
          )}
        </RunBatches>
      )}
    </TabFrame>
  );
}
