import { Button, HStack, Kbd, NativeSelect, Spacer, Spinner, Switch, Text } from "@chakra-ui/react";
import { LuPlay, LuRoute } from "react-icons/lu";

import { formatSeconds, plural } from "src/utils/numbers";

import { type AskOptions, ROW_CHOICES, SECOND_CHOICES } from "./ask_options";
import type { AskState, PastQuery } from "./asked";
import { HistoryMenu } from "./HistoryMenu";

type ChoiceProps = {
  label: string;
  value: number;
  choices: readonly number[];
  say: (value: number) => string;
  onChange: (value: number) => void;
};

const Choice = ({ label, value, choices, say, onChange }: ChoiceProps) => (
  <NativeSelect.Root size="sm" width="auto">
    <NativeSelect.Field
      aria-label={label}
      onChange={(event) => {
        onChange(Number(event.currentTarget.value));
      }}
      title={label}
      value={value}
    >
      {choices.map((choice) => (
        <option key={choice} value={choice}>
          {say(choice)}
        </option>
      ))}
    </NativeSelect.Field>
    <NativeSelect.Indicator />
  </NativeSelect.Root>
);

type Props = {
  state: AskState;
  options: AskOptions;
  hasQuery: boolean;
  onChange: (options: Partial<AskOptions>) => void;
  onRun: () => void;
  onExplain: () => void;
  onChoose: (past: PastQuery) => void;
  onForget: () => void;
};

/** Runs and explains; says how. */
export const AskToolbar = (props: Props) => {
  const { state, options, hasQuery, onChange, onRun, onExplain, onChoose, onForget } = props;
  const { waiting } = state;
  return (
    <HStack flexWrap="wrap" gap={2}>
      <Button colorPalette="brand" disabled={!hasQuery || waiting !== null} onClick={onRun} size="sm">
        <LuPlay aria-hidden /> Run
        <Kbd aria-hidden color="inherit" hideBelow="md" opacity={0.75} size="sm" variant="plain">
          Ctrl ↵
        </Kbd>
      </Button>
      <Button disabled={!hasQuery || waiting !== null} onClick={onExplain} size="sm" variant="outline">
        <LuRoute aria-hidden /> Explain
        <Kbd aria-hidden color="inherit" hideBelow="md" opacity={0.75} size="sm" variant="plain">
          Ctrl ⇧ ↵
        </Kbd>
      </Button>
      {waiting === null ? null : (
        <HStack gap={2}>
          <Spinner size="sm" />
          <Text aria-live="polite" fontSize="sm">
            {waiting.deed === "run" ? "Asking" : "Explaining"}
          </Text>
          <Button
            onClick={waiting.stop}
            size="xs"
            title="The warehouse may go on until the time is over"
            variant="outline"
          >
            Stop waiting
          </Button>
        </HStack>
      )}
      <Choice
        choices={ROW_CHOICES}
        label="Rows to read at the most"
        onChange={(rows) => {
          onChange({ rows });
        }}
        say={(rows) => plural(rows, "row")}
        value={options.rows}
      />
      <Choice
        choices={SECOND_CHOICES}
        label="How long to wait at the most"
        onChange={(seconds) => {
          onChange({ seconds });
        }}
        say={(seconds) => `within ${formatSeconds(seconds)}`}
        value={options.seconds}
      />
      <Switch.Root
        checked={options.useAggregates}
        onCheckedChange={({ checked }) => {
          onChange({ useAggregates: checked });
        }}
        size="sm"
        title="Off: the facts answer, to compare"
      >
        <Switch.HiddenInput />
        <Switch.Control />
        <Switch.Label>Use aggregates</Switch.Label>
      </Switch.Root>
      <Spacer />
      <HistoryMenu history={state.history} onChoose={onChoose} onForget={onForget} />
    </HStack>
  );
};
