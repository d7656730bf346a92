import { Alert, Stack, Text } from "@chakra-ui/react";

import { $api } from "src/api/client";
import { ErrorState } from "src/components/ErrorState";
import { LoadingState } from "src/components/LoadingState";
import { Sentence } from "src/components/Sentence";
import type { Model } from "src/frame/models";

import type { DefinitionDetail, Instance } from "../documents";
import { GrainLadder } from "./GrainLadder";
import { InstancesTable } from "./InstancesTable";
import { LineageFlow } from "./LineageFlow";
import { Saving, ScoreDetails } from "./ScoreDetails";
import { Section } from "./Section";
import { StoredMeasures } from "./StoredMeasures";
import { WhyItExists } from "./WhyItExists";

type Props = { definition: DefinitionDetail; model: Model; onOpenInstance: (instance: Instance) => void };

const Grain = ({ definition, model }: Pick<Props, "definition" | "model">) => {
  const path = { connection: model.connection, model: model.id };
  const { data, error, isPending, refetch } = $api.useQuery(
    "get",
    "/api/connections/{connection}/models/{model}/structure",
    { params: { path } },
    { staleTime: 300_000 },
  );
  if (isPending) {
    return <LoadingState height="7rem" label="Reading hierarchies" lines={1} />;
  }
  return data === undefined ? (
    <ErrorState error={error} onRetry={() => void refetch()} />
  ) : (
    <GrainLadder attributes={definition.attributes} structure={data} />
  );
};

const StateNote = ({ definition }: { definition: DefinitionDetail }) => {
  const { state, state_reason: why, successor } = definition;
  if (state === "defined" && successor === "") {
    return null;
  }
  return (
    <Alert.Root size="sm" status={state === "blocked" ? "warning" : "info"}>
      <Alert.Indicator />
      <Alert.Content minW={0} overflowWrap="anywhere">
        {state === "blocked" ? <Text>It is blocked: no batch builds it, and no query uses it.</Text> : null}
        {state === "retired" ? <Text>It is retired: kept for its history, not built any more.</Text> : null}
        {why === "" ? null : (
          <Text>
            <Sentence text={why} />
          </Text>
        )}
        {successor === "" ? null : (
          <Text>
            Its place {state === "defined" ? "will be taken" : "was taken"} by <b>{successor}</b>.
          </Text>
        )}
      </Alert.Content>
    </Alert.Root>
  );
};

/** Everything about one definition. */
export const DefinitionDetails = ({ definition, model, onOpenInstance }: Props) => (
  <Stack gap={6}>
    <StateNote definition={definition} />
    <Section title="Why it exists">
      <WhyItExists definition={definition} />
    </Section>
    <Section title="Grain">
      <Grain definition={definition} model={model} />
    </Section>
    <Section title="Stored measures">
      <StoredMeasures definition={definition} />
    </Section>
    <Section title="Score">
      <ScoreDetails definition={definition} />
    </Section>
    <Section title="What it saves">
      <Saving definition={definition} />
    </Section>
    <Section title="Instances">
      <InstancesTable definition={definition} onOpen={onOpenInstance} />
    </Section>
    <Section title="Lineage">
      <LineageFlow lineage={definition.lineage} model={model} name={definition.name} />
    </Section>
  </Stack>
);
