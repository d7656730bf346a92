import { List, Stack, Text } from "@chakra-ui/react";

import { ConfirmDialog } from "src/components/ConfirmDialog";
import { sayDone } from "src/components/toaster";
import type { Model } from "src/frame/models";
import { formatRows, plural } from "src/utils/numbers";

import type { Recommendation } from "../documents";
import { define, type Look, outcomeText } from "./recommendations";

type Props = {
  model: Model;
  /** Where they were looked for. */
  look: Look;
  /** What is asked about; none: nothing. */
  chosen: readonly Recommendation[];
  onClose: () => void;
  onDone: (outcomes: Record<string, string>) => void;
};

const MOST_NAMES = 8;

/** Asks before recommended aggregates are defined. */
export const DefineDialog = ({ model, look, chosen, onClose, onDone }: Props) => {
  const what = chosen.length === 1 ? (chosen[0]?.name ?? "") : plural(chosen.length, "aggregate");
  const givingWay = [...new Set(chosen.flatMap((each) => each.gives_way))];
  return (
    <ConfirmDialog
      confirmLabel="Define"
      isOpen={chosen.length > 0}
      onClose={onClose}
      onConfirm={async () => {
        const outcomes = await define(
          model,
          look,
          chosen.map(({ name }) => name),
        );
        sayDone(chosen.length === 1 ? what : "Recommendations applied", outcomeText(outcomes));
        onDone(outcomes);
      }}
      title={`Define ${what}?`}
    >
      <Stack gap={3}>
        <Text>
          Nothing is built now: the next batch builds {chosen.length === 1 ? "it" : "them"}, and queries use{" "}
          {chosen.length === 1 ? "it" : "them"} from then on. The facts are counted once more before, which
          may take some seconds.
        </Text>
        <List.Root fontSize="sm" ps={5}>
          {chosen.slice(0, MOST_NAMES).map((each) => (
            <List.Item key={each.name} overflowWrap="anywhere">
              {each.name}: about {formatRows(each.rows)}
            </List.Item>
          ))}
          {chosen.length > MOST_NAMES ? <List.Item>and {chosen.length - MOST_NAMES} more</List.Item> : null}
        </List.Root>
        {givingWay.length === 0 ? null : (
          <Text>
            {givingWay.join(", ")} {givingWay.length === 1 ? "gives" : "give"} way once the next batch is
            done.
          </Text>
        )}
      </Stack>
    </ConfirmDialog>
  );
};
