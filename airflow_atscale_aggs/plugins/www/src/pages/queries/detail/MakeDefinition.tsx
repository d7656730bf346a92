import { Alert, HStack, Stack, Text } from "@chakra-ui/react";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { LuLayers } from "react-icons/lu";

import { ErrorState } from "src/components/ErrorState";
import { GuardedButton } from "src/components/GuardedButton";
import { StatusBadge } from "src/components/StatusBadge";
import type { Model } from "src/frame/models";
import { Facts } from "src/pages/definitions/detail/Facts";
import { formatBytes, formatCount, formatShare } from "src/utils/numbers";

import type { Recommendation } from "../documents";
import type { StandIn } from "../queries";
import { DefineDialog } from "../recommend/DefineDialog";
import {
  type Look,
  lookFor,
  NO_BUDGET,
  outcomeText,
  whyNoAdvice,
  whyNoDefine,
} from "../recommend/recommendations";
import { SmlBlock } from "../recommend/SmlBlock";
import { UnservedList } from "../recommend/UnservedList";

const NONE: readonly Recommendation[] = [];

type PredictionProps = {
  model: Model;
  row: Recommendation;
  /** What became of it, when it was defined. */
  outcome: string | undefined;
  onDefine: () => void;
};

const Prediction = ({ model, row, outcome, onDefine }: PredictionProps) => (
  <Stack gap={3}>
    <HStack flexWrap="wrap" gap={3}>
      <Text fontWeight="medium" overflowWrap="anywhere">
        {row.name}
      </Text>
      {outcome === undefined ? (
        <GuardedButton onClick={onDefine} size="sm" why={whyNoDefine(model, [row])}>
          Define it
        </GuardedButton>
      ) : (
        <StatusBadge status={outcome} />
      )}
    </HStack>
    {outcome === undefined ? null : <Text aria-live="polite">{outcomeText({ [row.name]: outcome })}</Text>}
    <Facts
      facts={[
        ["Predicted rows", `${formatCount(row.rows)}, about ${formatBytes(row.size_bytes)}`],
        [
          "Rows saved",
          `${formatCount(row.rows_saved)} each time it is asked, ${formatShare(row.share)} of what it reads`,
        ],
        ["Attributes", row.attributes.length === 0 ? "none: the grand total" : row.attributes.join(", ")],
        ["Metrics", row.metrics.length === 0 ? "none: members only" : row.metrics.join(", ")],
        ["Gives way", row.gives_way.length === 0 ? null : row.gives_way.join(", ")],
      ]}
    />
    <Text fontSize="sm">
      SML to paste below <code>aggregates:</code> instead, where the model itself should list it:
    </Text>
    <SmlBlock label={`SML of ${row.name}`} sml={row.sml} />
  </Stack>
);

type Props = { model: Model; standIn: StandIn | null };

/** What would answer a miss: predicted first, then defined where one confirms it. */
export const MakeDefinition = ({ model, standIn }: Props) => {
  // Somebody asks for this one: the budget, which limits what is defined of itself, does not count here.
  const look: Look = { queries: standIn === null ? [] : [standIn.sql], budget_percent: NO_BUDGET };
  const { data, isPending, isError, error, mutate } = useMutation({ mutationFn: () => lookFor(model, look) });
  const [chosen, setChosen] = useState(NONE);
  const [outcomes, setOutcomes] = useState<Record<string, string>>({});

  if (standIn === null) {
    return (
      <Text fontSize="sm">
        The log does not tell what this query needs. Ask it again with its values in the tab Ask.
      </Text>
    );
  }
  return (
    <Stack fontSize="sm" gap={3}>
      {data === undefined ? (
        <>
          <Text>
            The warehouse counts how many rows an aggregate for this query would have. Nothing is defined
            before you have seen it.
          </Text>
          <HStack>
            <GuardedButton
              loading={isPending}
              loadingText="Counting"
              onClick={() => {
                mutate();
              }}
              size="sm"
              variant="outline"
              why={whyNoAdvice(model)}
            >
              <LuLayers aria-hidden /> Make it a definition
            </GuardedButton>
          </HStack>
        </>
      ) : null}
      {isError ? <ErrorState error={error} /> : null}
      {data?.recommendations.map((row) => (
        <Prediction
          key={row.name}
          model={model}
          onDefine={() => {
            setChosen([row]);
          }}
          outcome={outcomes[row.name]}
          row={row}
        />
      ))}
      {data?.recommendations.length === 0 ? (
        <Alert.Root alignItems="flex-start" status="info">
          <Alert.Indicator />
          <Alert.Content minW={0}>
            <Text>
              {data.unserved.length > 0
                ? "No aggregate can serve this query, for the reason below."
                : "No further aggregate would save anything: one that answers this query is defined already, or it would be about as large as the facts."}
            </Text>
          </Alert.Content>
        </Alert.Root>
      ) : null}
      <UnservedList isOpen unserved={data?.unserved ?? []} />
      <DefineDialog
        chosen={chosen}
        look={look}
        model={model}
        onClose={() => {
          setChosen(NONE);
        }}
        onDone={(became) => {
          setOutcomes((before) => ({ ...before, ...became }));
        }}
      />
    </Stack>
  );
};
