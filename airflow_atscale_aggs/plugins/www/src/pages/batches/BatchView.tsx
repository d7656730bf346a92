import { Box, Code, Heading, HStack, List, Spacer, Stack, Text } from "@chakra-ui/react";
import type { ReactNode } from "react";

import { ErrorState } from "src/components/ErrorState";
import { LoadingState } from "src/components/LoadingState";
import { Sentence } from "src/components/Sentence";
import { StatusBadge } from "src/components/StatusBadge";
import { TimeText } from "src/components/TimeText";
import type { Model } from "src/frame/models";
import { useAddressParam } from "src/hooks/useAddress";
import { formatCount, formatSeconds } from "src/utils/numbers";

import { BatchActions } from "./BatchActions";
import { type BatchDetail, countOutcomes, isMoving, rowsOf, typeWords } from "./batches";
import { BatchProgress } from "./BatchProgress";
import { CountsBar } from "./CountsBar";
import { Duration } from "./Duration";
import { Fact, Facts } from "./Facts";
import { InstanceDrawer } from "./InstanceDrawer";
import { Problems } from "./Problems";
import { RunLink } from "./RunLink";
import { StepTable } from "./StepTable";
import { Timeline } from "./Timeline";
import { useBatch } from "./useBatch";

type Props = {
  model: Model;
  /** Of the batch, or of the request that it answers. */
  batchId: string;
  /** Before its title: a way back. */
  aside?: ReactNode;
  /** Beside its own buttons. */
  links?: ReactNode;
};

const Part = ({ title, children }: { title: string; children: ReactNode }) => (
  <Box as="section" aria-label={title} minW={0}>
    <Heading as="h3" mb={2} size="sm">
      {title}
    </Heading>
    {children}
  </Box>
);

const Figures = ({ batch }: { batch: BatchDetail }) => {
  const outcomes = countOutcomes(batch.counts);
  return (
    <Facts>
      <Fact label="Took">
        <Duration batch={batch} />
      </Fact>
      <Fact label="Usually">{formatSeconds(batch.usual_seconds)}</Fact>
      <Fact label="Aggregates">
        {batch.steps.length === 0
          ? "–"
          : `${formatCount(outcomes.built)} of ${formatCount(batch.steps.length)} built`}
        <Box maxW="10rem" mt={1}>
          <CountsBar counts={batch.counts} />
        </Box>
      </Fact>
      <Fact label="Rows written">{formatCount(rowsOf(batch.steps))}</Fact>
      <Fact label="Failed attempts">{formatCount(batch.failures)}</Fact>
      <Fact label="Started">
        <TimeText value={batch.created_at} />
      </Fact>
      <Fact label="Ended">
        <TimeText otherwise="not yet" value={batch.finished_at} />
      </Fact>
      <Fact isWide label="Driven by">
        <RunLink batch={batch} />
      </Fact>
    </Facts>
  );
};

const Notes = ({ batch }: { batch: BatchDetail }) => {
  const periods = Object.entries(batch.grace_periods);
  if (batch.notes.length === 0 && periods.length === 0 && batch.aggregates.length === 0) {
    return null;
  }
  return (
    <Part title="Notes">
      <List.Root fontSize="sm" gap={1} ps={5}>
        {batch.aggregates.length === 0 ? null : (
          <List.Item overflowWrap="anywhere">
            Only these were asked for: {batch.aggregates.join(", ")}.
          </List.Item>
        )}
        {periods.map(([dataset, period]) => (
          <List.Item key={dataset}>
            The grace period of <Code>{dataset}</Code> was <Code>{period}</Code>.
          </List.Item>
        ))}
        {batch.notes.map((note) => (
          <List.Item key={note} overflowWrap="anywhere">
            <Sentence text={note} />
          </List.Item>
        ))}
      </List.Root>
    </Part>
  );
};

/** Everything about one batch: how far it is, what failed, its timeline, its steps. */
export const BatchView = ({ model, batchId, aside, links }: Props) => {
  const { data: batch, error, isFetching, refetch } = useBatch(model.connection, batchId);
  const [openId, setOpenId] = useAddressParam("instance");
  if (batch === undefined) {
    return (
      <Stack gap={4}>
        <HStack>{aside}</HStack>
        {error === null ? (
          <LoadingState label="Reading the batch" lines={10} />
        ) : (
          <ErrorState error={error} isRetrying={isFetching} onRetry={() => void refetch()} />
        )}
      </Stack>
    );
  }
  return (
    <Stack gap={5}>
      <HStack flexWrap="wrap" gap={3}>
        {aside}
        <StatusBadge status={batch.status} />
        <Heading as="h2" size="md">
          {typeWords(batch)}
        </Heading>
        <Text color="fg.muted" fontSize="sm">
          <TimeText isRelative value={batch.created_at} />
        </Text>
        <Spacer />
        {links}
        <BatchActions batch={batch} model={model} />
      </HStack>
      {error === null ? null : <ErrorState error={error} onRetry={() => void refetch()} />}
      {isMoving(batch.status) ? (
        <Box>
          <BatchProgress batch={batch} />
        </Box>
      ) : null}
      <Figures batch={batch} />
      <Problems batch={batch} />
      <Notes batch={batch} />
      {batch.steps.length === 0 ? null : (
        <Part title="Timeline">
          <Timeline batch={batch} onOpen={setOpenId} />
        </Part>
      )}
      {batch.steps.length === 0 && batch.status !== "done" ? null : (
        <Part title="Steps">
          <StepTable batch={batch} onOpen={setOpenId} openId={openId} />
        </Part>
      )}
      <Text color="fg.muted" fontSize="xs">
        Batch <Code fontSize="xs">{batch.id}</Code>
      </Text>
      <InstanceDrawer model={model} steps={batch.steps} />
    </Stack>
  );
};
