import { Box, Button, HStack, Spacer, Spinner, Stack, Text } from "@chakra-ui/react";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { LuLightbulb, LuX } from "react-icons/lu";

import { ErrorState } from "src/components/ErrorState";
import { GuardedButton } from "src/components/GuardedButton";
import { Sentence } from "src/components/Sentence";
import type { Model } from "src/frame/models";

import type { Recommendation } from "../documents";
import { DefineDialog } from "./DefineDialog";
import { RecommendationTable } from "./RecommendationTable";
import { type Look, lookFor, NO_BUDGET, whyNoAdvice, whyNoDefine } from "./recommendations";
import { UnservedList } from "./UnservedList";

const FROM_LOG: Look = {};
const NONE: readonly Recommendation[] = [];

type Props = { model: Model };

/** What should be defined, as the log of queries tells. */
export const RecommendPanel = ({ model }: Props) => {
  const search = useMutation({ mutationFn: (look: Look) => lookFor(model, look) });
  const [chosen, setChosen] = useState(NONE);
  const [outcomes, setOutcomes] = useState<Record<string, string>>({});
  const { data, isPending, isError, error, variables: look = FROM_LOG } = search;

  const start = (next: Look) => {
    setOutcomes({});
    search.mutate(next);
  };
  const rows = data?.recommendations ?? NONE;
  const open = rows.filter(({ name }) => outcomes[name] === undefined);
  const hasBudget = look.budget_percent === undefined;

  return (
    <Box
      aria-label="Recommendations"
      as="section"
      bg="bg.subtle"
      borderRadius="md"
      borderWidth={1}
      px={4}
      py={3}
    >
      <HStack flexWrap="wrap" gap={2}>
        <LuLightbulb aria-hidden style={{ flexShrink: 0 }} />
        <Text color="fg.muted" flex="1 1 14rem" fontSize="sm">
          The log tells which further aggregates would save most. To find out, the warehouse counts rows by a
          few scans of the facts.
        </Text>
        <GuardedButton
          loading={isPending}
          onClick={() => {
            start(FROM_LOG);
          }}
          size="sm"
          variant={data === undefined ? "solid" : "outline"}
          why={whyNoAdvice(model)}
        >
          What should be defined?
        </GuardedButton>
        {data === undefined || isPending ? null : (
          <Button
            aria-label="Close the recommendations"
            onClick={() => {
              search.reset();
            }}
            px={0}
            size="sm"
            variant="ghost"
          >
            <LuX aria-hidden />
          </Button>
        )}
      </HStack>
      <Stack aria-live="polite" gap={3} mt={isPending || isError || data !== undefined ? 3 : 0}>
        {isPending ? (
          <HStack color="fg.muted" fontSize="sm">
            <Spinner size="xs" /> The warehouse is counting. This takes two minutes at most.
          </HStack>
        ) : null}
        {isError ? (
          <ErrorState
            error={error}
            onRetry={() => {
              start(look);
            }}
          />
        ) : null}
        {data === undefined ? null : (
          <>
            <Text fontSize="sm">
              <Sentence text={data.message} />
            </Text>
            {rows.length === 0 ? null : (
              <RecommendationTable
                onDefine={(row) => {
                  setChosen([row]);
                }}
                outcomes={outcomes}
                rows={rows}
                why={whyNoDefine(model, open)}
              />
            )}
            <UnservedList unserved={data.unserved} />
            <HStack flexWrap="wrap">
              {rows.length < 2 ? null : (
                <GuardedButton
                  onClick={() => {
                    setChosen(open);
                  }}
                  size="sm"
                  why={whyNoDefine(model, open)}
                >
                  Define all {open.length === rows.length ? "" : "others"}
                </GuardedButton>
              )}
              <Spacer />
              {hasBudget && data.queries > 0 ? (
                <Button
                  onClick={() => {
                    start({ ...look, budget_percent: NO_BUDGET });
                  }}
                  size="sm"
                  title="The budget limits how large all aggregates together may become. Without it, all that save more than they cost are shown."
                  variant="ghost"
                >
                  Look beyond the budget
                </Button>
              ) : null}
              {look.from_structure === true ? null : (
                <Button
                  onClick={() => {
                    start({ from_structure: true });
                  }}
                  size="sm"
                  title="Takes the queries that are likely by the model’s hierarchies instead of the log."
                  variant="ghost"
                >
                  Look at the model’s structure
                </Button>
              )}
            </HStack>
          </>
        )}
      </Stack>
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
    </Box>
  );
};
