import { Box, Code, HStack, Stack, Text } from "@chakra-ui/react";

import type { components } from "src/api/schema";
import { Sentence } from "src/components/Sentence";
import { StatusBadge } from "src/components/StatusBadge";
import { TimeText } from "src/components/TimeText";
import { splitError } from "src/utils/errors";
import { formatCount, formatSeconds } from "src/utils/numbers";

type Attempt = components["schemas"]["Attempt"];

const seconds = ({ started_at: start, finished_at: end }: Attempt): number | null =>
  end === null ? null : (Date.parse(end) - Date.parse(start)) / 1000;

const OneAttempt = ({ attempt }: { attempt: Attempt }) => (
  <Box as="li" borderInlineStartWidth={2} ps={3}>
    <HStack flexWrap="wrap" fontSize="sm" gap={2}>
      <Text fontWeight="semibold">Attempt {formatCount(attempt.number)}</Text>
      <StatusBadge status={attempt.status} />
      <TimeText value={attempt.started_at} />
      <Text color="fg.muted">{attempt.finished_at === null ? "" : formatSeconds(seconds(attempt))}</Text>
    </HStack>
    <Stack color="fg.muted" fontSize="xs" gap={0.5} mt={1} overflowWrap="anywhere">
      <Text>
        Table <Code size="sm">{attempt.table}</Code>
        {attempt.dropped_at === null ? null : (
          <>
            , dropped <TimeText isRelative value={attempt.dropped_at} />
          </>
        )}
      </Text>
      {attempt.owner === "" ? null : <Text>By {attempt.owner}</Text>}
      {attempt.verified === "" ? null : (
        <Text>
          <Sentence text={attempt.verified} />
        </Text>
      )}
      {attempt.error === null ? null : (
        <Text color="fg.error" whiteSpace="pre-line">
          <Sentence text={splitError(attempt.error).sentence} />
        </Text>
      )}
    </Stack>
  </Box>
);

type Props = { attempts: readonly Attempt[] };

/** The attempts to build an instance, oldest first. */
export const AttemptsList = ({ attempts }: Props) =>
  attempts.length === 0 ? (
    <Text color="fg.muted" fontSize="sm">
      Nobody has tried to build it yet.
    </Text>
  ) : (
    <Stack as="ol" gap={3} listStyleType="none" m={0} p={0}>
      {attempts.map((attempt) => (
        <OneAttempt attempt={attempt} key={attempt.number} />
      ))}
    </Stack>
  );
