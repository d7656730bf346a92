import { Field, List, Stack, Text, Textarea } from "@chakra-ui/react";
import { useState } from "react";

import { ConfirmDialog } from "src/components/ConfirmDialog";
import { sayDone } from "src/components/toaster";
import { plural } from "src/utils/numbers";

import { type Change, changeable, changeStates, type Target } from "./state_changes";

type Props = {
  connection: string;
  /** What is asked about; null: nothing. */
  change: Change | null;
  rows: readonly Target[];
  onClose: () => void;
  onDone?: () => void;
};

const MOST_NAMES = 8;

const WORDS = {
  block: {
    verb: "Block",
    done: "Blocked",
    effect:
      "No query uses it from now on and no batch builds it, until somebody unblocks it. Its tables go when the drop delay is over.",
    effects:
      "No query uses them from now on and no batch builds them, until somebody unblocks them. Their tables go when the drop delay is over.",
  },
  unblock: {
    verb: "Unblock",
    done: "Unblocked",
    effect: "It is defined again, and the next batch builds it.",
    effects: "They are defined again, and the next batch builds them.",
  },
};

/** Asks before definitions are blocked or unblocked. */
export const StateDialog = ({ connection, change, rows, onClose, onDone }: Props) => {
  const [why, setWhy] = useState("");
  const shown = change ?? "block";
  const words = WORDS[shown];
  const chosen = changeable(rows, shown);
  const left = rows.length - chosen.length;
  const [only] = chosen;
  const what = chosen.length === 1 ? (only?.name ?? "") : plural(chosen.length, "definition");
  return (
    <ConfirmDialog
      confirmLabel={words.verb}
      isOpen={change !== null}
      onClose={onClose}
      onConfirm={async () => {
        const message = await changeStates(connection, chosen, shown, why.trim() || "blocked by a person");
        sayDone(`${words.done} ${what}`, chosen.length === 1 && message !== "" ? message : words.effects);
        setWhy("");
        onDone?.();
      }}
      title={`${words.verb} ${what}?`}
    >
      <Stack gap={3}>
        <Text>{chosen.length === 1 ? words.effect : words.effects}</Text>
        {chosen.length < 2 ? null : (
          <List.Root fontSize="sm" ps={5}>
            {chosen.slice(0, MOST_NAMES).map((row) => (
              <List.Item key={row.id} overflowWrap="anywhere">
                {row.name}
              </List.Item>
            ))}
            {chosen.length > MOST_NAMES ? <List.Item>and {chosen.length - MOST_NAMES} more</List.Item> : null}
          </List.Root>
        )}
        {left === 0 ? null : (
          <Text color="fg.muted" fontSize="sm">
            {plural(left, "other chosen definition")} {left === 1 ? "is" : "are"} not{" "}
            {shown === "block" ? "defined" : "blocked"} and will stay as {left === 1 ? "it is" : "they are"}.
          </Text>
        )}
        {shown === "unblock" ? null : (
          <Field.Root>
            <Field.Label>Why</Field.Label>
            <Textarea
              autoresize
              maxLength={2000}
              onChange={(event) => {
                setWhy(event.currentTarget.value);
              }}
              placeholder="For those who read it later; may stay empty"
              rows={2}
              value={why}
            />
          </Field.Root>
        )}
      </Stack>
    </ConfirmDialog>
  );
};
