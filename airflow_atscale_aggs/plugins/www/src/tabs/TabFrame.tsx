import { Box, Button, Stack } from "@chakra-ui/react";
import type { ReactNode } from "react";
import { LuLayers } from "react-icons/lu";
import { Link } from "react-router-dom";

import { EmptyState } from "src/components/EmptyState";
import { ErrorState } from "src/components/ErrorState";
import { LoadingState } from "src/components/LoadingState";
import { type Model, modelsOfDag, pageAddress } from "src/frame/models";
import { useModels } from "src/frame/useModels";

type Props = {
  dagId: string;
  /** The place on the page that tells more: `batches`. */
  place: string;
  /** What the tab shows of a model that the DAG builds. */
  children: (model: Model) => ReactNode;
};

/** Finds the models that a DAG builds. Most DAGs build none, and say so. */
export const TabFrame = ({ dagId, place, children }: Props) => {
  const { data, error, isFetching, refetch } = useModels();
  const content = () => {
    if (data === undefined) {
      return error === null ? (
        <LoadingState label="Reading models" />
      ) : (
        <ErrorState error={error} isRetrying={isFetching} onRetry={() => void refetch()} />
      );
    }
    const models = modelsOfDag(data.models, dagId);
    if (models.length === 0) {
      return (
        <EmptyState icon={<LuLayers aria-hidden />} title="This DAG builds no aggregates">
          A DAG that is made by <code>batch_build_dag(…)</code>, and has deployed its model, shows them here.
        </EmptyState>
      );
    }
    return models.map((model) => (
      <Stack gap={3} key={`${model.connection} ${model.id}`}>
        <Box>
          <Button asChild size="sm" variant="outline">
            <Link to={pageAddress(place, model)}>
              <LuLayers aria-hidden /> {model.label === "" ? model.name : model.label} on the Aggregates page
            </Link>
          </Button>
        </Box>
        {children(model)}
      </Stack>
    ));
  };
  return (
    <Box height="100%" overflow="auto" p={{ base: 3, md: 4 }}>
      {content()}
    </Box>
  );
};
