import { Alert, Box, Code, Heading, HStack, Link, Stack, Table, Text } from "@chakra-ui/react";
import type { ReactNode } from "react";
import { Link as RouterLink } from "react-router-dom";

import { $api } from "src/api/client";
import type { components } from "src/api/schema";
import { ErrorState } from "src/components/ErrorState";
import { LoadingState } from "src/components/LoadingState";
import { Sentence } from "src/components/Sentence";
import { SqlBlock } from "src/components/sql/SqlBlock";
import { StatusBadge } from "src/components/StatusBadge";
import { TimeText } from "src/components/TimeText";
import { type Model, pageAddress } from "src/frame/models";
import { formatCount, formatSeconds, UNKNOWN } from "src/utils/numbers";

import { buildWord, outcomeOf, taskAddress } from "./batches";
import { Fact, Facts } from "./Facts";

type Instance = components["schemas"]["InstanceDetail"];
type Props = { model: Model; instanceId: string };

const Part = ({ title, children }: { title: string; children: ReactNode }) => (
  <Box as="section" aria-label={title} minW={0}>
    <Heading as="h3" mb={2} size="sm">
      {title}
    </Heading>
    {children}
  </Box>
);

const Attempts = ({ instance }: { instance: Instance }) =>
  instance.attempts.length === 0 ? (
    <Text color="fg.muted" fontSize="sm">
      Nobody has tried to build it yet.
    </Text>
  ) : (
    <Stack as="ol" gap={3} listStyleType="none" m={0} p={0}>
      {instance.attempts.map((attempt) => (
        <Box as="li" borderStartWidth={2} key={attempt.number} ps={3}>
          <HStack flexWrap="wrap" fontSize="sm" gap={2}>
            <Text fontWeight="semibold">Attempt {attempt.number}</Text>
            <StatusBadge status={attempt.status} />
            <TimeText value={attempt.started_at} />
            <Text color="fg.muted">
              {attempt.finished_at === null
                ? ""
                : formatSeconds((Date.parse(attempt.finished_at) - Date.parse(attempt.started_at)) / 1000)}
            </Text>
          </HStack>
          {attempt.error === null ? null : (
            <Text color="failed.fg" fontSize="sm" mt={1} overflowWrap="anywhere" whiteSpace="pre-line">
              <Sentence text={attempt.error} />
            </Text>
          )}
          {attempt.verified === "" ? null : (
            <Text fontSize="sm" mt={1}>
              <Sentence text={attempt.verified} />
            </Text>
          )}
          <Text color="fg.muted" fontSize="xs" mt={1} overflowWrap="anywhere">
            Table <Code fontSize="xs">{attempt.table}</Code>
            {attempt.dropped_at === null ? null : (
              <>
                , dropped at <TimeText value={attempt.dropped_at} />
              </>
            )}
            , by {attempt.owner}
          </Text>
        </Box>
      ))}
    </Stack>
  );

const Segments = ({ instance }: { instance: Instance }) => (
  <Table.ScrollArea>
    <Table.Root size="sm">
      <Table.Header>
        <Table.Row>
          <Table.ColumnHeader>After</Table.ColumnHeader>
          <Table.ColumnHeader>Through</Table.ColumnHeader>
          <Table.ColumnHeader textAlign="end">Rows</Table.ColumnHeader>
          <Table.ColumnHeader>Settled</Table.ColumnHeader>
          <Table.ColumnHeader>Table</Table.ColumnHeader>
        </Table.Row>
      </Table.Header>
      <Table.Body>
        {instance.segments.map((segment) => (
          <Table.Row key={segment.table}>
            <Table.Cell>{segment.after ?? "the beginning"}</Table.Cell>
            <Table.Cell>{segment.through}</Table.Cell>
            <Table.Cell fontVariantNumeric="tabular-nums" textAlign="end">
              {formatCount(segment.rows)}
            </Table.Cell>
            <Table.Cell>{segment.is_settled ? "Yes" : "Not yet"}</Table.Cell>
            <Table.Cell fontFamily="mono" fontSize="xs">
              {segment.table}
            </Table.Cell>
          </Table.Row>
        ))}
      </Table.Body>
    </Table.Root>
  </Table.ScrollArea>
);

/** One instance of an aggregate: how its build went, the SQL that makes it, its attempts. */
export const InstanceView = ({ model, instanceId }: Props) => {
  const { data, error, isFetching, refetch } = $api.useQuery(
    "get",
    "/api/connections/{connection}/instances/{instance_id}",
    { params: { path: { connection: model.connection, instance_id: instanceId } } },
    {
      refetchInterval: ({ state }) => {
        const outcome = outcomeOf(state.data?.status ?? "active");
        return outcome === "building" || outcome === "waiting" ? 2000 : false;
      },
    },
  );
  if (data === undefined) {
    return error === null ? (
      <LoadingState label="Reading the aggregate" lines={10} />
    ) : (
      <ErrorState error={error} isRetrying={isFetching} onRetry={() => void refetch()} />
    );
  }
  const task = taskAddress(data, data.task_id, data.map_index);
  return (
    <Stack gap={5}>
      {data.error === null ? null : (
        <Alert.Root alignItems="flex-start" status={data.status === "failed" ? "error" : "warning"}>
          <Alert.Indicator />
          <Alert.Content minW={0}>
            <Alert.Description overflowWrap="anywhere" whiteSpace="pre-line">
              <Sentence text={data.error} />
            </Alert.Description>
          </Alert.Content>
        </Alert.Root>
      )}
      {data.missing_tables === null || data.missing_tables.length === 0 ? null : (
        <Alert.Root status="warning">
          <Alert.Indicator />
          <Alert.Title>
            Not in the warehouse any more: {data.missing_tables.join(", ")}. The next batch builds it anew.
          </Alert.Title>
        </Alert.Root>
      )}
      <Facts>
        <Fact label="Status">
          <StatusBadge status={data.status} />
        </Fact>
        <Fact label="Rows">{formatCount(data.rows)}</Fact>
        <Fact label="Expected rows">{formatCount(data.estimated_rows)}</Fact>
        <Fact label="Took">{formatSeconds(data.seconds)}</Fact>
        <Fact label="Build">{buildWord(data.build)}</Fact>
        <Fact label="Built from">{data.source ?? UNKNOWN}</Fact>
        <Fact label="Fact">{data.fact}</Fact>
        <Fact label="Place in the batch">{formatCount(data.position + 1)}</Fact>
        <Fact label="Attempts">
          {formatCount(data.attempt)}
          {data.failures > 0 ? `, of which ${formatCount(data.failures)} failed` : ""}
        </Fact>
        <Fact label="Serves since">
          <TimeText value={data.activated_at} />
        </Fact>
      </Facts>
      <Box fontSize="sm">
        <Text>
          <Sentence text={data.reason} />
        </Text>
        {data.full_reason === "" ? null : (
          <Text>
            <Sentence text={data.full_reason} />
          </Text>
        )}
        <HStack flexWrap="wrap" gap={4} mt={2}>
          <Link asChild variant="underline">
            <RouterLink to={pageAddress("definitions", model, { definition: data.definition_id })}>
              Its definition
            </RouterLink>
          </Link>
          {task === undefined ? null : (
            <Link asChild variant="underline">
              <RouterLink to={task}>Its task instance</RouterLink>
            </Link>
          )}
        </HStack>
      </Box>
      <Part title="Attempts">
        <Attempts instance={data} />
      </Part>
      {data.segments.length === 0 ? null : (
        <Part title="Segments">
          <Segments instance={data} />
        </Part>
      )}
      <Part title="SQL">
        {data.sql === "" ? (
          <Text color="fg.muted" fontSize="sm">
            Nothing is kept of its SQL.
          </Text>
        ) : (
          <SqlBlock isFormatted label={`SQL that builds ${data.aggregate}`} sql={data.sql} />
        )}
      </Part>
      <Text color="fg.muted" fontSize="xs" overflowWrap="anywhere">
        {data.table === null ? null : (
          <>
            Table{" "}
            <Code fontSize="xs">
              {data.schema_name === "" ? "" : `${data.schema_name}.`}
              {data.table}
            </Code>
            , read through <Code fontSize="xs">{data.view}</Code>.{" "}
          </>
        )}
        Instance <Code fontSize="xs">{data.id}</Code>
      </Text>
    </Stack>
  );
};
