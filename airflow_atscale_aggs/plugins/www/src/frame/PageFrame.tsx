import { Box, Flex, Heading, HStack, Link, Spacer, Stack } from "@chakra-ui/react";
import { Suspense, useMemo } from "react";
import { Link as RouterLink } from "react-router-dom";

import { EmptyState } from "src/components/EmptyState";
import { ErrorState } from "src/components/ErrorState";
import { LoadingState } from "src/components/LoadingState";
import { useAddressParams } from "src/hooks/useAddress";
import { PAGES } from "src/pages/pages";

import { ConnectionProblems } from "./ConnectionProblems";
import { ErrorBoundary } from "./ErrorBoundary";
import { FirstSteps } from "./FirstSteps";
import { HeaderActions } from "./HeaderActions";
import { ModelPicker } from "./ModelPicker";
import { findModel, withKeys } from "./models";
import { PlaceTabs } from "./PlaceTabs";
import { useModels } from "./useModels";

type Props = {
  /** The path below `/plugin/aggregates/`. */
  path: string;
};

/** The Aggregates page: its head, its tabs, and below them the one that the address names. */
export const PageFrame = ({ path }: Props) => {
  const place = path.split("/")[0] ?? "";
  const [params] = useAddressParams();
  const { data, error, isFetching, refetch } = useModels();
  const models = useMemo(() => withKeys(data?.models ?? []), [data]);
  const model = findModel(models, params.get("conn") ?? "", params.get("model") ?? "");
  const page = PAGES.find((each) => each.route === place);

  const content = () => {
    if (data === undefined) {
      return error === null ? (
        <LoadingState label="Reading models" lines={8} />
      ) : (
        <ErrorState error={error} isRetrying={isFetching} onRetry={() => void refetch()} />
      );
    }
    if (models.length === 0) {
      return data.problems.length > 0 ? null : <FirstSteps />;
    }
    if (page === undefined) {
      return (
        <EmptyState title={`There is no tab “${place}”`}>
          <Link asChild variant="underline">
            <RouterLink to="/plugin/aggregates">Go to the overview</RouterLink>
          </Link>
        </EmptyState>
      );
    }
    if (model === undefined) {
      return (
        <EmptyState title={`There is no model “${params.get("model") ?? ""}” over this connection`}>
          It may have been renamed or retired, or you may not read it. Choose another one above.
        </EmptyState>
      );
    }
    return (
      <Suspense fallback={<LoadingState label={`Loading ${page.label}`} lines={8} />}>
        <page.component key={`${model.connection} ${model.id}`} model={model} />
      </Suspense>
    );
  };

  return (
    <Flex direction="column" height="100%" minH={0} overflow="auto" p={{ base: 3, md: 4 }}>
      <HStack flexWrap="wrap" gap={3} mb={2}>
        <Heading as="h1" size="lg">
          Aggregates
        </Heading>
        {models.length > 0 ? <ModelPicker model={model} models={models} /> : null}
        <Spacer />
        {model === undefined ? null : <HeaderActions model={model} />}
      </HStack>
      {models.length > 0 ? <PlaceTabs place={place} /> : null}
      <Stack as="main" flex={1} gap={4} minH={0} minW={0} pt={4}>
        <ConnectionProblems problems={data?.problems ?? []} />
        <Box minW={0}>
          <ErrorBoundary key={place}>{content()}</ErrorBoundary>
        </Box>
      </Stack>
    </Flex>
  );
};
