import { Box, Stack } from "@chakra-ui/react";
import type { ReactNode } from "react";
import { LuLayers } from "react-icons/lu";

import { $api } from "src/api/client";
import { EmptyState } from "src/components/EmptyState";
import { ErrorState } from "src/components/ErrorState";
import { LoadingState } from "src/components/LoadingState";
import type { Model } from "src/frame/models";

type Props = {
  dagId: string;
  /** What the tab shows of the models that the DAG builds; of one at least. */
  children: (models: readonly Model[]) => ReactNode;
};

/** Finds the models that a DAG builds. Most DAGs build none, and say so. */
export const TabFrame = ({ dagId, children }: Props) => {
  const { data, error, isFetching, refetch } = $api.useQuery(
    "get",
    "/api/dags/{dag_id}/models",
    { params: { path: { dag_id: dagId } } },
    { staleTime: 30_000 },
  );
  const content = () => {
    if (data === undefined) {
      return error === null ? (
        <LoadingState label="Reading models" />
      ) : (
        <ErrorState error={error} isRetrying={isFetching} onRetry={() => void refetch()} />
      );
    }
    if (data.length === 0) {
      return (
        <EmptyState icon={<LuLayers aria-hidden />} title="This DAG builds no aggregates">
          A DAG that is made by <code>batch_build_dag(…)</code> or has a <code>BatchBuildTaskGroup(…)</code>,
          and has deployed its model, shows them here.
        </EmptyState>
      );
    }
    return <Stack gap={8}>{children(data)}</Stack>;
  };
  return (
    <Box aria-label="Aggregates" as="section" height="100%" overflow="auto" p={{ base: 3, md: 4 }}>
      {content()}
    </Box>
  );
};
