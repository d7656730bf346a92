import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";

import { $api, fetchClient, queryClient } from "src/api/client";

import { type BatchDetail, isMoving, withChanges } from "./batches";

const PATH = "/api/connections/{connection}/batches/{batch_id}";
const MOVING_MS = 2_000;
// A failed batch goes on when somebody clears one of its tasks in Airflow.
const FAILED_MS = 10_000;

const read = async (path: { connection: string; batch_id: string }, changedAfter?: string) => {
  const query = changedAfter === undefined ? {} : { changed_after: changedAfter };
  const { data } = await fetchClient.GET(PATH, { params: { path, query } });
  if (data === undefined) {
    throw new TypeError("no answer");
  }
  return data;
};

/** A batch as it is now: only what has changed is read where it was running when it was read before. */
const readOn = async (path: { connection: string; batch_id: string }, before: BatchDetail | undefined) => {
  if (before?.status !== "in_progress") {
    return read(path);
  }
  return withChanges(before, await read(path, before.as_of)) ?? read(path);
};

/** One batch with its steps, by its id or the id of a request; read again every two seconds while it runs. */
export const useBatch = (connection: string, id: string) => {
  const path = { connection, batch_id: id };
  const { queryKey } = $api.queryOptions("get", PATH, { params: { path } });
  const batch = useQuery<BatchDetail>({
    queryKey,
    queryFn: () => readOn(path, queryClient.getQueryData<BatchDetail>(queryKey)),
    enabled: id !== "",
    refetchInterval: ({ state }) => {
      const status = state.data?.status;
      return status === "failed" ? FAILED_MS : isMoving(status ?? "") ? MOVING_MS : false;
    },
  });
  const status = batch.data?.status;
  const before = useRef(status);
  useEffect(() => {
    // Lists and the model's own figures change with it.
    if (before.current !== undefined && status !== undefined && status !== before.current) {
      void queryClient.invalidateQueries({
        predicate: ({ queryKey: key }) => key[1] !== PATH,
      });
    }
    before.current = status;
  }, [status]);
  return batch;
};
