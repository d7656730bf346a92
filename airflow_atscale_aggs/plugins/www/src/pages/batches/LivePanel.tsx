import { Box, Button, Heading, HStack, Spacer, Text } from "@chakra-ui/react";

import { ErrorState } from "src/components/ErrorState";
import { LoadingState } from "src/components/LoadingState";
import { StatusBadge } from "src/components/StatusBadge";
import { TimeText } from "src/components/TimeText";
import type { Model } from "src/frame/models";
import { formatSeconds } from "src/utils/numbers";

import { BatchActions } from "./BatchActions";
import { typeWords } from "./batches";
import { BatchProgress } from "./BatchProgress";
import { CountsBar, countWords } from "./CountsBar";
import { Duration } from "./Duration";
import { useBatch } from "./useBatch";

type Props = { model: Model; batchId: string; onOpen: () => void };

/** The batch that is running now. */
export const LivePanel = ({ model, batchId, onOpen }: Props) => {
  const { data: batch, error, refetch } = useBatch(model.connection, batchId);
  if (batch === undefined) {
    return error === null ? (
      <LoadingState height="4.5rem" label="Reading the running batch" lines={2} />
    ) : (
      <ErrorState error={error} onRetry={() => void refetch()} />
    );
  }
  return (
    <Box
      aria-label="The running batch"
      as="section"
      bg="bg.panel"
      borderRadius="md"
      borderStartColor="running.solid"
      borderStartWidth={4}
      borderWidth={1}
      p={4}
    >
      <HStack flexWrap="wrap" gap={3} mb={3}>
        <StatusBadge status={batch.status} />
        <Heading as="h2" size="sm">
          {typeWords(batch)}
        </Heading>
        <Text color="fg.muted" fontSize="sm">
          since <TimeText value={batch.created_at} />, <Duration batch={batch} />
          {batch.usual_seconds === null ? "" : ` of usually ${formatSeconds(batch.usual_seconds)}`}
        </Text>
        <Spacer hideBelow="md" />
        <BatchActions batch={batch} model={model} />
        <Button onClick={onOpen} size="sm">
          Open
        </Button>
      </HStack>
      <BatchProgress batch={batch} />
      <HStack color="fg.muted" flexWrap="wrap" fontSize="xs" gap={3} mt={3}>
        <Box flex="0 1 16rem">
          <CountsBar counts={batch.counts} />
        </Box>
        <Text>{countWords(batch.counts)}</Text>
      </HStack>
    </Box>
  );
};
