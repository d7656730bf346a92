import { HStack, Text } from "@chakra-ui/react";
import { useState } from "react";
import { LuBan, LuRotateCcw } from "react-icons/lu";

import { $api, queryClient } from "src/api/client";
import { ConfirmDialog } from "src/components/ConfirmDialog";
import { GuardedButton } from "src/components/GuardedButton";
import { sayDone } from "src/components/toaster";
import type { Model } from "src/frame/models";

import { type BatchDetail, runAddress } from "./batches";

type Props = { model: Model; batch: BatchDetail };

const NO_RIGHT =
  "Only who may trigger the DAG of this model may do this. Ask an administrator of this Airflow.";

/** Why a batch cannot be canceled; empty when it can. */
export const whyNotCancel = (model: Model, batch: BatchDetail): string => {
  if (!model.may_build) {
    return NO_RIGHT;
  }
  if (batch.status === "done") {
    return "It has ended well already.";
  }
  return batch.status === "cancelled" ? "It is canceled already." : "";
};

/** Why a batch cannot go on; empty when it can. */
export const whyNotResume = (model: Model, batch: BatchDetail): string => {
  if (!model.may_build) {
    return NO_RIGHT;
  }
  if (batch.status !== "failed" && batch.status !== "in_progress") {
    return "Only a batch that has failed or was interrupted can go on.";
  }
  if (runAddress(batch) === undefined) {
    return `No run of Airflow drives it. Go on by hand: atscale-aggs build ${batch.model} --resume ${batch.id}`;
  }
  // Between two tasks nothing is being built; a batch that is stuck has something that failed.
  const isStuck =
    batch.steps.some((step) => step.status === "failed") &&
    !batch.steps.some((step) => step.status === "building");
  return batch.status === "in_progress" && !isStuck ? "It is running." : "";
};

/** Cancel and Resume, each of which asks first. */
export const BatchActions = ({ model, batch }: Props) => {
  const [asked, setAsked] = useState<"cancel" | "resume" | undefined>();
  const cancel = $api.useMutation("post", "/api/connections/{connection}/batches/{batch_id}/cancel");
  const resume = $api.useMutation("post", "/api/connections/{connection}/batches/{batch_id}/resume");
  const params = { path: { connection: model.connection, batch_id: batch.id } };
  const act = async (action: () => Promise<{ message: string }>, title: string) => {
    const { message } = await action();
    sayDone(title, message);
    await queryClient.invalidateQueries();
  };
  const close = () => {
    setAsked(undefined);
  };
  return (
    <HStack flexWrap="wrap" gap={2}>
      {batch.status === "done" || batch.status === "cancelled" ? null : (
        <>
          <GuardedButton
            onClick={() => {
              setAsked("resume");
            }}
            size="sm"
            variant="outline"
            why={whyNotResume(model, batch)}
          >
            <LuRotateCcw aria-hidden /> Resume
          </GuardedButton>
          <GuardedButton
            onClick={() => {
              setAsked("cancel");
            }}
            size="sm"
            variant="outline"
            why={whyNotCancel(model, batch)}
          >
            <LuBan aria-hidden /> Cancel batch
          </GuardedButton>
        </>
      )}
      <ConfirmDialog
        cancelLabel="Keep it"
        confirmLabel="Cancel batch"
        isDestructive
        isOpen={asked === "cancel"}
        onClose={close}
        onConfirm={() => act(() => cancel.mutateAsync({ params }), "The batch is canceled")}
        title="Cancel this batch?"
      >
        <Text>
          What it has built so far is thrown away, and the run that drives it is told to stop. The aggregates
          that served before go on serving. A canceled batch cannot be resumed; the next one begins anew.
        </Text>
      </ConfirmDialog>
      <ConfirmDialog
        confirmLabel="Resume"
        isOpen={asked === "resume"}
        onClose={close}
        onConfirm={() => act(() => resume.mutateAsync({ params }), "The batch goes on")}
        title="Resume this batch?"
      >
        <Text>
          The failed tasks of its run are cleared, and each of their aggregates gets new attempts. What is
          built already stays.
        </Text>
      </ConfirmDialog>
    </HStack>
  );
};
