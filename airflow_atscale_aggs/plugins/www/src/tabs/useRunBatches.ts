import { $api } from "src/api/client";
import type { components } from "src/api/schema";
import type { Model } from "src/frame/models";

export type RunBatch = components["schemas"]["RunBatch"];

const UNTIL_BEGUN_MS = 3_000;
const AFTERWARDS_MS = 30_000;

/** The batches of a run, newest first; asked for again and again, since a run begins its batch after a while. */
export const useRunBatches = (dagId: string, runId: string) =>
  $api.useQuery(
    "get",
    "/api/dags/{dag_id}/runs/{run_id}/batches",
    { params: { path: { dag_id: dagId, run_id: runId } } },
    { refetchInterval: ({ state }) => (state.data?.length === 0 ? UNTIL_BEGUN_MS : AFTERWARDS_MS) },
  );

/** The model that a batch builds, among those of its DAG. */
export const modelOfBatch = (models: readonly Model[], batch: RunBatch): Model | undefined =>
  models.find((model) => model.id === batch.model_id && model.connection === batch.connection);
