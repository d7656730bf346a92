import { Alert, Button, HStack, Stack, Text } from "@chakra-ui/react";
import { useState } from "react";
import { LuArrowLeft, LuTrash2 } from "react-icons/lu";

import { $api, fetchClient, queryClient } from "src/api/client";
import { ConfirmDialog } from "src/components/ConfirmDialog";
import { ErrorState } from "src/components/ErrorState";
import { GuardedButton } from "src/components/GuardedButton";
import { LoadingState } from "src/components/LoadingState";
import { Sentence } from "src/components/Sentence";
import { RefusedStatement } from "src/components/sql/RefusedStatement";
import { splitError } from "src/utils/errors";
import { SqlBlock } from "src/components/sql/SqlBlock";
import { StatusBadge } from "src/components/StatusBadge";
import { sayDone } from "src/components/toaster";
import type { Model } from "src/frame/models";

import type { InstanceDetail } from "../documents";
import { AttemptsList } from "./AttemptsList";
import { InstanceFacts } from "./InstanceFacts";
import { Section } from "./Section";
import { SegmentsTable } from "./SegmentsTable";

const POLL_MILLISECONDS = 3000;

const whyNotDelete = (instance: InstanceDetail, state: string, model: Model): string => {
  const { status, drop_after: dropAfter } = instance;
  if (!model.may_administer) {
    return "Only administrators may delete instances.";
  }
  if (status === "active" && state === "defined") {
    return "It serves, and the next batch would build it again. Block the definition instead.";
  }
  if (status === "inactive" && dropAfter !== null) {
    return "It is let go already; a sweep drops its table when the drop delay is over.";
  }
  return status === "active" || status === "inactive"
    ? ""
    : "Only what serves or has served is deleted by hand; a sweep drops what other builds have left.";
};

type DeleteProps = { instance: InstanceDetail; state: string; model: Model };

const DeleteInstance = ({ instance, state, model }: DeleteProps) => {
  const [isAsked, setAsked] = useState(false);
  const path = { connection: model.connection, instance_id: instance.id };
  return (
    <>
      <GuardedButton
        colorPalette="danger"
        onClick={() => {
          setAsked(true);
        }}
        size="xs"
        variant="outline"
        why={whyNotDelete(instance, state, model)}
      >
        <LuTrash2 aria-hidden /> Delete
      </GuardedButton>
      <ConfirmDialog
        confirmLabel="Delete"
        isDestructive
        isOpen={isAsked}
        onClose={() => {
          setAsked(false);
        }}
        onConfirm={async () => {
          const { data } = await fetchClient.DELETE("/api/connections/{connection}/instances/{instance_id}", {
            params: { path },
          });
          sayDone(`Deleted an instance of ${instance.aggregate}`, data?.message);
          void queryClient.invalidateQueries();
        }}
        title={`Delete this instance of ${instance.aggregate}?`}
      >
        {instance.status === "active"
          ? "Queries that it answers are answered from the facts, or from other aggregates, until a batch builds it again. "
          : "It serves no query. "}
        The next sweep drops its table. This cannot be undone.
      </ConfirmDialog>
    </>
  );
};

type Props = {
  id: string;
  /** Of its definition: `defined`, `blocked` or `retired`; absent where nobody knows. */
  state?: string;
  model: Model;
  /** Back to its definition; absent where one did not come from there. */
  onBack?: () => void;
};

/** Everything about one instance: its table, its attempts, its segments, the SQL that makes it. */
export const InstanceDetails = ({ id, state = "", model, onBack }: Props) => {
  const { data, error, refetch } = $api.useQuery(
    "get",
    "/api/connections/{connection}/instances/{instance_id}",
    { params: { path: { connection: model.connection, instance_id: id } } },
    {
      refetchInterval: ({ state }) =>
        ["building", "queued"].includes(state.data?.status ?? "") ? POLL_MILLISECONDS : false,
    },
  );
  const content = () => {
    if (data === undefined) {
      return error === null ? (
        <LoadingState height="3rem" label="Reading the instance" lines={6} />
      ) : (
        <ErrorState error={error} onRetry={() => void refetch()} />
      );
    }
    return (
      <>
        {data.error === null ? null : (
          <Alert.Root size="sm" status="error">
            <Alert.Indicator />
            <Alert.Content minW={0} overflowWrap="anywhere" whiteSpace="pre-line">
              <Alert.Description>
                <Sentence text={splitError(data.error).sentence} />
                <RefusedStatement error={data.error} of={data.aggregate} />
              </Alert.Description>
            </Alert.Content>
          </Alert.Root>
        )}
        <Section title="Table">
          <InstanceFacts instance={data} model={model} />
        </Section>
        <Section title="Attempts">
          <AttemptsList attempts={data.attempts} />
        </Section>
        {data.segments.length === 0 ? null : (
          <Section
            help="Each holds the fact rows of one range of the incremental indicator. No row in time belongs to a settled one any more."
            title="Segments"
          >
            <SegmentsTable segments={data.segments} />
          </Section>
        )}
        <Section title="SQL that makes it">
          <SqlBlock isFormatted label={`SQL that makes ${data.aggregate}`} maxHeight="32rem" sql={data.sql} />
        </Section>
      </>
    );
  };
  return (
    <Stack gap={6}>
      <HStack flexWrap="wrap" gap={2}>
        {onBack === undefined ? null : (
          <Button onClick={onBack} size="xs" variant="ghost">
            <LuArrowLeft aria-hidden /> Definition
          </Button>
        )}
        <Text fontWeight="semibold">Instance</Text>
        {data === undefined ? null : (
          <>
            <StatusBadge status={data.status} />
            <DeleteInstance instance={data} model={model} state={state} />
          </>
        )}
      </HStack>
      {content()}
    </Stack>
  );
};
