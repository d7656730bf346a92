import { Code, HStack, Link, Text } from "@chakra-ui/react";
import { LuHistory } from "react-icons/lu";
import { Link as RouterLink, useNavigate } from "react-router-dom";

import { EmptyState } from "src/components/EmptyState";
import { StatusBadge } from "src/components/StatusBadge";
import { TimeText } from "src/components/TimeText";
import { type Model, pageAddress } from "src/frame/models";
import { formatCount, formatSeconds } from "src/utils/numbers";

import { type BatchRow, typeWords } from "../batches/batches";
import { BuildNow } from "../batches/BuildNow";
import { CountsBar, countWords } from "../batches/CountsBar";
import { Duration } from "../batches/Duration";
import { Fact, Facts } from "../batches/Facts";
import { LivePanel } from "../batches/LivePanel";
import { RunLink } from "../batches/RunLink";
import { Section } from "./Section";

type Props = { model: Model; batch: BatchRow | null };

/** The newest batch of the model; live while it runs. */
export const LastBatch = ({ model, batch }: Props) => {
  const navigate = useNavigate();
  if (batch === null) {
    return (
      <Section title="Last batch">
        <EmptyState
          action={<BuildNow model={model} place="" />}
          icon={<LuHistory aria-hidden />}
          title="No batch has run yet"
        >
          A batch builds all aggregates of the model. Until one has ended well, the facts answer every query.
          The command line starts one by <Code>atscale-aggs build {model.name}</Code>.
        </EmptyState>
      </Section>
    );
  }
  const address = pageAddress("batches", model, { batch: batch.id });
  if (batch.status === "in_progress") {
    return <LivePanel batchId={batch.id} model={model} onOpen={() => void navigate(address)} />;
  }
  return (
    <Section
      aside={
        <HStack fontSize="sm" gap={4}>
          <Link asChild variant="underline">
            <RouterLink to={address}>Open it</RouterLink>
          </Link>
          <Link asChild variant="underline">
            <RouterLink to={pageAddress("batches", model)}>All batches</RouterLink>
          </Link>
        </HStack>
      }
      title="Last batch"
    >
      <HStack flexWrap="wrap" gap={3} mb={4}>
        <StatusBadge status={batch.status} />
        <Text fontWeight="semibold">{typeWords(batch)}</Text>
        <Text color="fg.muted" fontSize="sm">
          <TimeText isRelative value={batch.finished_at ?? batch.created_at} />
        </Text>
      </HStack>
      <Facts least="8rem">
        <Fact label="Took">
          <Duration batch={batch} />
        </Fact>
        <Fact label="Usually">{formatSeconds(batch.usual_seconds)}</Fact>
        <Fact label="Failed attempts">{formatCount(batch.failures)}</Fact>
        <Fact isWide label="Driven by">
          <RunLink batch={batch} />
        </Fact>
      </Facts>
      <HStack color="fg.muted" fontSize="xs" gap={3} mt={4}>
        <CountsBar counts={batch.counts} />
        <Text flexShrink={0}>{countWords(batch.counts)}</Text>
      </HStack>
    </Section>
  );
};
