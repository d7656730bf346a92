import { Button, HStack, Stack, Tabs, Text } from "@chakra-ui/react";
import { LuCode, LuRoute, LuRows3 } from "react-icons/lu";

import { ErrorState } from "src/components/ErrorState";
import { SqlBlock } from "src/components/sql/SqlBlock";
import { StatusBadge } from "src/components/StatusBadge";
import type { Model } from "src/frame/models";
import { useAddressParam } from "src/hooks/useAddress";
import { formatCompact, formatCount, formatSeconds, plural } from "src/utils/numbers";

import { AnswerTable } from "./AnswerTable";
import type { Asked } from "./asked";
import type { Answer } from "./documents";
import { outcomeOf, rowsRead } from "./plan/plan_flow";
import { PlanView } from "./plan/PlanView";

type Props = { model: Model; asked: Asked; onRun: () => void; onExplain: () => void; isWaiting: boolean };

/** What one answer came to, in a line. */
const Summary = ({ answer }: { answer: Answer }) => {
  const { read, facts } = rowsRead(answer.parts);
  const outcome = outcomeOf(answer.parts, answer.fallback_reason);
  return (
    <HStack aria-live="polite" flexWrap="wrap" fontSize="sm" gap={2}>
      {answer.parts.length === 0 ? null : <StatusBadge status={outcome} />}
      <Text fontWeight="semibold">
        {plural(answer.rows.length, "row")} in {formatSeconds(answer.seconds)}
      </Text>
      {read === null ? null : (
        <Text color="fg.muted">
          from {plural(read, "row")}
          {facts === null || facts === read ? "" : ` instead of ${formatCount(facts)}`}
        </Text>
      )}
      {answer.is_cut ? <Text color="fg.warning">cut at {formatCount(answer.rows.length)}</Text> : null}
    </HStack>
  );
};

const AnswerView = ({ model, asked, answer, onExplain, isWaiting }: Props & { answer: Answer }) => {
  const [view, setView] = useAddressParam("view");
  return (
    <Stack gap={3}>
      <Summary answer={answer} />
      <Tabs.Root
        lazyMount
        onValueChange={({ value }) => {
          setView(value === "rows" ? null : value, { replace: true });
        }}
        size="sm"
        value={["plan", "sql"].includes(view) ? view : "rows"}
      >
        <Tabs.List>
          <Tabs.Trigger value="rows">
            <LuRows3 aria-hidden /> Rows {formatCompact(answer.rows.length)}
          </Tabs.Trigger>
          <Tabs.Trigger value="plan">
            <LuRoute aria-hidden /> Plan
          </Tabs.Trigger>
          <Tabs.Trigger value="sql">
            <LuCode aria-hidden /> SQL
          </Tabs.Trigger>
        </Tabs.List>
        <Tabs.Content value="rows">
          <AnswerTable answer={answer} model={model} options={asked.options} sql={asked.sql} />
        </Tabs.Content>
        <Tabs.Content value="plan">
          <PlanView
            fallbackReason={answer.fallback_reason}
            isCut={answer.is_cut}
            model={model}
            parts={answer.parts}
            rows={answer.rows.length}
          >
            {answer.parts.length === 0 ? null : (
              <HStack color="fg.muted" fontSize="sm">
                <Button loading={isWaiting} onClick={onExplain} size="xs" variant="outline">
                  Why from there?
                </Button>
                Explaining tells of each other aggregate why it does not answer.
              </HStack>
            )}
          </PlanView>
        </Tabs.Content>
        <Tabs.Content value="sql">
          <SqlBlock isFormatted label="SQL for the warehouse" maxHeight="60vh" sql={answer.sql} />
        </Tabs.Content>
      </Tabs.Root>
    </Stack>
  );
};

/** What came of the query that was asked last. */
export const AskedView = (props: Props) => {
  const { model, asked, onRun, onExplain } = props;
  if (asked.error !== undefined) {
    return <ErrorState error={asked.error} onRetry={asked.deed === "run" ? onRun : onExplain} />;
  }
  if (asked.answer !== undefined) {
    return <AnswerView {...props} answer={asked.answer} />;
  }
  const { explanation } = asked;
  return explanation === undefined ? null : (
    <Stack gap={5}>
      <PlanView
        meant={explanation.meant}
        model={model}
        parts={explanation.parts}
        rows={null}
        untouched={explanation.untouched}
      />
      <Stack gap={1}>
        <Text fontSize="sm" fontWeight="semibold">
          SQL for the warehouse
        </Text>
        <SqlBlock isFormatted label="SQL for the warehouse" sql={explanation.sql} />
      </Stack>
    </Stack>
  );
};
