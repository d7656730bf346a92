import { Alert, Box, Stack, Text } from "@chakra-ui/react";

import { $api } from "src/api/client";
import { ErrorState } from "src/components/ErrorState";
import { LoadingState } from "src/components/LoadingState";
import { Sentence } from "src/components/Sentence";
import type { Model } from "src/frame/models";
import { type Explanation, nearestCandidates, type PlanPart } from "src/pages/lattice/explanation";

import type { StandIn } from "../queries";

const Part = ({ part }: { part: PlanPart }) => {
  const isHit = part.definition_id !== null;
  const nearest = isHit ? [] : nearestCandidates(part);
  return (
    <Alert.Root alignItems="flex-start" size="sm" status={isHit ? "success" : "warning"} variant="surface">
      <Alert.Indicator />
      <Alert.Content minW={0} overflowWrap="anywhere">
        <Text>
          <Sentence text={part.verdict} />
        </Text>
        {nearest.length === 0 ? null : (
          <Stack aria-label="Nearest aggregates" as="ul" gap={2} listStyleType="none" m={0} mt={2} p={0}>
            {nearest.map((candidate) => (
              <Box as="li" key={candidate.aggregate}>
                <Text fontWeight="medium">{candidate.aggregate}</Text>
                <Text color="fg.muted" fontSize="xs">
                  <Sentence text={candidate.explanation} />
                </Text>
                <Text fontSize="xs">
                  Smallest change: <Sentence text={candidate.change} />
                </Text>
              </Box>
            ))}
          </Stack>
        )}
      </Alert.Content>
    </Alert.Root>
  );
};

const Parts = ({ parts }: Pick<Explanation, "parts">) =>
  parts.length === 0 ? (
    <Text fontSize="sm">It asks no model: the warehouse answers it as it stands.</Text>
  ) : (
    parts.map((part, at) => <Part key={`${part.fact} ${at}`} part={part} />)
  );

const Explained = ({ model, standIn }: { model: Model; standIn: StandIn }) => {
  // Without an estimate nothing is scanned: a drawer that is opened costs the warehouse nothing.
  const { data, error, refetch } = $api.useQuery(
    "post",
    "/api/connections/{connection}/explain",
    {
      params: { path: { connection: model.connection } },
      body: {
        sql: standIn.sql,
        model: `${model.catalog}.${model.name}`,
        dialect: "postgres",
        use_aggregates: true,
        most_rows: 1000,
        timeout_seconds: 30,
        estimate: false,
      },
    },
    { retry: false },
  );
  if (data !== undefined) {
    return <Parts parts={data.parts} />;
  }
  return error === null ? (
    <LoadingState height="2rem" label="Explaining the query" lines={3} />
  ) : (
    <ErrorState error={error} onRetry={() => void refetch()} />
  );
};

type Props = { model: Model; standIn: StandIn | null };

/** Why a query is a miss, and what would make it a hit. */
export const SmallestChange = ({ model, standIn }: Props) =>
  standIn === null ? (
    <Text fontSize="sm">
      It cannot be explained: the log keeps neither the values of its conditions, nor attributes or metrics
      that it needs.
    </Text>
  ) : (
    <Stack gap={2}>
      {standIn.isSame ? null : (
        <Text color="fg.muted" fontSize="sm">
          The query itself cannot be explained, since the log does not keep the values of its conditions. What
          follows is about its metrics by all attributes that it shows or filters by; an aggregate of those
          answers it too, unless a condition compares something else.
        </Text>
      )}
      <Explained model={model} standIn={standIn} />
    </Stack>
  );
