import { ActionBar, CloseButton, Portal, Text } from "@chakra-ui/react";
import { useState } from "react";
import { LuBan, LuHammer, LuUndo2 } from "react-icons/lu";

import { GuardedButton } from "src/components/GuardedButton";
import type { Model } from "src/frame/models";
import { plural } from "src/utils/numbers";

import type { Definition } from "./documents";
import { type Change, whyNot } from "./state_changes";
import { StateDialog } from "./StateDialog";

type Props = {
  model: Model;
  rows: readonly Definition[];
  /** Opens the dialog that starts a batch of these. */
  onBuild: (names: string[]) => void;
  onClear: () => void;
};

const whyNotBuild = (rows: readonly Definition[], model: Model): string => {
  if (!model.may_build) {
    return "Your role may not trigger the DAG that builds this model.";
  }
  return rows.some((row) => row.state === "defined") ? "" : "Batches build only what is defined.";
};

/** What one does with the rows that are ticked; at the foot of the window while there are any. */
export const BulkBar = ({ model, rows, onBuild, onClear }: Props) => {
  const [change, setChange] = useState<Change | null>(null);
  return (
    <>
      <ActionBar.Root
        closeOnEscape={false}
        closeOnInteractOutside={false}
        lazyMount
        open={rows.length > 0}
        unmountOnExit
      >
        <Portal>
          <ActionBar.Positioner>
            <ActionBar.Content
              aria-label="What to do with the chosen definitions"
              flexWrap="wrap"
              maxW="calc(100vw - 2rem)"
            >
              <Text fontSize="sm" px={2} whiteSpace="nowrap">
                {plural(rows.length, "definition")} chosen
              </Text>
              <ActionBar.Separator display={{ mdDown: "none" }} />
              <GuardedButton
                onClick={() => {
                  onBuild(rows.filter((row) => row.state === "defined").map((row) => row.name));
                }}
                size="sm"
                why={whyNotBuild(rows, model)}
              >
                <LuHammer aria-hidden /> Build selected
              </GuardedButton>
              <GuardedButton
                onClick={() => {
                  setChange("block");
                }}
                size="sm"
                variant="outline"
                why={whyNot(rows, "block", model.may_manage)}
              >
                <LuBan aria-hidden /> Block
              </GuardedButton>
              <GuardedButton
                onClick={() => {
                  setChange("unblock");
                }}
                size="sm"
                variant="outline"
                why={whyNot(rows, "unblock", model.may_manage)}
              >
                <LuUndo2 aria-hidden /> Unblock
              </GuardedButton>
              <CloseButton aria-label="Choose none" onClick={onClear} size="sm" />
            </ActionBar.Content>
          </ActionBar.Positioner>
        </Portal>
      </ActionBar.Root>
      <StateDialog
        change={change}
        connection={model.connection}
        onClose={() => {
          setChange(null);
        }}
        onDone={onClear}
        rows={rows}
      />
    </>
  );
};
