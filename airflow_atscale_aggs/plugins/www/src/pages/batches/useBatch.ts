import { useEffect, useRef } from "react";

import { $api, queryClient } from "src/api/client";

import { isMoving } from "./batches";

const MOVING_MS = 2_000;
// A failed batch goes on when somebody clears one of its tasks in Airflow.
const FAILED_MS = 10_000;

/** One batch with its steps, by its id or the id of a request; read again every two seconds while it runs. */
export const useBatch = (connection: string, id: string) => {
  const batch = $api.useQuery(
    "get",
    "/api/connections/{connection}/batches/{batch_id}",
    { params: { path: { connection, batch_id: id } } },
    {
      enabled: id !== "",
      refetchInterval: ({ state }) => {
        const status = state.data?.status;
        return status === "failed" ? FAILED_MS : isMoving(status ?? "") ? MOVING_MS : false;
      },
    },
  );
  const status = batch.data?.status;
  const before = useRef(status);
  useEffect(() => {
    // Lists and the model's own figures change with it.
    if (before.current !== undefined && status !== undefined && status !== before.current) {
      void queryClient.invalidateQueries({
        predicate: ({ queryKey }) => queryKey[1] !== "/api/connections/{connection}/batches/{batch_id}",
      });
    }
    before.current = status;
  }, [status]);
  return batch;
};
