import { Button, Code, HStack, Link, Text } from "@chakra-ui/react";
import { useState } from "react";
import { Link as RouterLink } from "react-router-dom";

import { $api } from "src/api/client";
import { problemOf } from "src/api/problems";
import { Sentence } from "src/components/Sentence";
import { TimeText } from "src/components/TimeText";
import { type Model, pageAddress } from "src/frame/models";
import { formatCount, formatRows, formatSeconds } from "src/utils/numbers";

import type { InstanceDetail } from "../documents";
import { Facts } from "./Facts";
import { taskAddress } from "./task_address";

type Props = { instance: InstanceDetail; model: Model };

/** Whether the warehouse still has the tables; asked when one wants to know, since it takes a connection. */
const TablesThere = ({ instance, model }: Props) => {
  const [isAsked, setAsked] = useState(false);
  const path = { connection: model.connection, instance_id: instance.id };
  const { data, error } = $api.useQuery(
    "get",
    "/api/connections/{connection}/instances/{instance_id}",
    { params: { path, query: { check_tables: true } } },
    { enabled: isAsked, staleTime: 0 },
  );
  if (!isAsked) {
    return (
      <Button
        onClick={() => {
          setAsked(true);
        }}
        size="2xs"
        variant="outline"
      >
        Ask the warehouse
      </Button>
    );
  }
  if (data === undefined) {
    return <span>{error === null ? "Asking the warehouse …" : problemOf(error).detail}</span>;
  }
  if (data.missing_tables === null) {
    return <span>The warehouse could not be asked now.</span>;
  }
  return data.missing_tables.length === 0 ? (
    <span>yes</span>
  ) : (
    <Text as="span" color="fg.error">
      no: {data.missing_tables.join(", ")}. Build it again.
    </Text>
  );
};

const Places = ({ instance, model }: Props) => {
  const task = taskAddress(instance);
  return (
    <HStack columnGap={4} flexWrap="wrap" rowGap={1}>
      {task === "" ? null : (
        <Link asChild variant="underline">
          <RouterLink to={task}>Task instance, to see its log or to clear it</RouterLink>
        </Link>
      )}
      <Link asChild variant="underline">
        <RouterLink to={pageAddress("definitions", model, { definition: instance.definition_id })}>
          Definition
        </RouterLink>
      </Link>
      <Link asChild variant="underline">
        <RouterLink to={pageAddress("batches", model, { batch: instance.batch_id })}>Batch</RouterLink>
      </Link>
    </HStack>
  );
};

/** Where an instance is, what it was built from, and why so. */
export const InstanceFacts = ({ instance, model }: Props) => {
  const {
    table,
    schema_name: schema,
    view,
    rows,
    estimated_rows: estimated,
    full_reason: whyFull,
  } = instance;
  const build = instance.build === "full" ? "full" : "incremental";
  return (
    <Facts
      facts={[
        ["Table", table === null ? null : <Code key="table">{`${schema}.${table}`}</Code>],
        ["Stable view", view === "" ? null : <Code key="view">{`${schema}.${view}`}</Code>],
        [
          "Rows",
          rows === null
            ? estimated === null
              ? null
              : `about ${formatRows(estimated)} expected`
            : `${formatCount(rows)}${estimated === null ? "" : `, ${formatCount(estimated)} expected`}`,
        ],
        ["Build", whyFull === "" ? build : <Sentence key="build" text={`${build}: ${whyFull}`} />],
        ["Built from", instance.source],
        ["Why so", instance.reason === "" ? null : <Sentence key="why" text={instance.reason} />],
        ["Duration", instance.seconds === null ? null : formatSeconds(instance.seconds)],
        [
          "Started",
          instance.started_at === null ? null : <TimeText key="start" value={instance.started_at} />,
        ],
        [
          "Activated",
          instance.activated_at === null ? null : <TimeText key="active" value={instance.activated_at} />,
        ],
        [
          "Dropped after",
          instance.drop_after === null ? null : <TimeText key="drop" value={instance.drop_after} />,
        ],
        [
          "Tables are there",
          instance.status === "active" ? <TablesThere instance={instance} key="there" model={model} /> : null,
        ],
        ["See also", <Places instance={instance} key="places" model={model} />],
      ]}
    />
  );
};
