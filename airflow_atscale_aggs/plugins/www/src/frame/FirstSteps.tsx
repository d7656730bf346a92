import { Code, Link, List, Text } from "@chakra-ui/react";
import { LuLayers } from "react-icons/lu";
import { Link as RouterLink } from "react-router-dom";

import { EmptyState } from "src/components/EmptyState";

/** What stands on the page while no model is deployed: what to do first. */
export const FirstSteps = () => (
  <EmptyState icon={<LuLayers aria-hidden />} title="No model is deployed yet">
    <Text mb={3}>Aggregates belong to a model of your star schema. Three steps make them appear here:</Text>
    <List.Root as="ol" gap={2} ps={5} textAlign="start">
      <List.Item>
        Add a{" "}
        <Link asChild variant="underline">
          <RouterLink to="/connections">connection</RouterLink>
        </Link>{" "}
        of type <Code>atscale_aggs</Code>: it names the registry and the warehouse.
      </List.Item>
      <List.Item>
        Add a DAG file that calls <Code>batch_build_dag(…)</Code> with the folder of your SML files.
      </List.Item>
      <List.Item>
        Trigger the DAG once. It deploys the model and builds its aggregates; both are shown here while it
        runs.
      </List.Item>
    </List.Root>
    <Text mt={3}>
      A folder of SML can also be deployed by hand: <Code>atscale-aggs deploy DIR</Code>. Models over
      connections and DAGs that you may not read are not shown.
    </Text>
  </EmptyState>
);
