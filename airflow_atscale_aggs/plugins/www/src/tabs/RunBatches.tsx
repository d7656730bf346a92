import { Alert, Code, NativeSelect, Text } from "@chakra-ui/react";
import type { ReactNode } from "react";
import { LuHistory } from "react-icons/lu";

import { EmptyState } from "src/components/EmptyState";
import { ErrorState } from "src/components/ErrorState";
import { LoadingState } from "src/components/LoadingState";
import type { Model } from "src/frame/models";
import { useAddressParam } from "src/hooks/useAddress";
import { useTimezone } from "src/hooks/useTimezone";
import { typeWords } from "src/pages/batches/batches";
import { formatTime } from "src/utils/times";

import { modelOfBatch, type RunBatch, useRunBatches } from "./useRunBatches";

type Props = {
  dagId: string;
  runId: string;
  models: readonly Model[];
  /** What is shown of the batch that is chosen, below the choice. */
  children: (batch: RunBatch, model: Model) => ReactNode;
};

/** Finds the batch of a run. Where a run has begun several (it was cleared), one chooses; the newest is shown first. */
export const RunBatches = ({ dagId, runId, models, children }: Props) => {
  const { data, error, isFetching, refetch } = useRunBatches(dagId, runId);
  const [chosen, setChosen] = useAddressParam("batch");
  const zone = useTimezone();
  if (data === undefined) {
    return error === null ? (
      <LoadingState label="Reading the batch of the run" lines={8} />
    ) : (
      <ErrorState error={error} isRetrying={isFetching} onRetry={() => void refetch()} />
    );
  }
  const batch = data.find(({ id }) => id === chosen) ?? data[0];
  if (batch === undefined) {
    return (
      <EmptyState icon={<LuHistory aria-hidden />} title="This run has begun no batch">
        Its task <Code>plan</Code> begins one. When that has failed, its log says why; when there was nothing
        to build, it says so as well.
      </EmptyState>
    );
  }
  const model = modelOfBatch(models, batch);
  if (model === undefined) {
    return <EmptyState title={`You may not read the model ${batch.model}`} />;
  }
  return (
    <>
      {data.length > 1 ? (
        <NativeSelect.Root maxW="28rem" size="sm">
          <NativeSelect.Field
            aria-label="Batch of this run"
            onChange={(event) => {
              setChosen(event.currentTarget.value);
            }}
            value={batch.id}
          >
            {data.map((each) => (
              <option key={each.id} value={each.id}>
                {each.model}, {typeWords(each)}, {formatTime(each.created_at, zone)}
              </option>
            ))}
          </NativeSelect.Field>
          <NativeSelect.Indicator />
        </NativeSelect.Root>
      ) : null}
      {batch.run_id === runId && batch.dag_id === dagId ? null : (
        <Alert.Root size="sm" status="info">
          <Alert.Indicator />
          <Alert.Title>
            <Text>
              This run was answered by the batch of another run, which built what was asked for here as well.
            </Text>
          </Alert.Title>
        </Alert.Root>
      )}
      {children(batch, model)}
    </>
  );
};
