import { HStack } from "@chakra-ui/react";
import { useState } from "react";
import { LuBan, LuUndo2 } from "react-icons/lu";

import { $api } from "src/api/client";
import { ErrorState } from "src/components/ErrorState";
import { GuardedButton } from "src/components/GuardedButton";
import { LoadingState } from "src/components/LoadingState";
import { SideDrawer } from "src/components/SideDrawer";
import { StatusBadge } from "src/components/StatusBadge";
import type { Model } from "src/frame/models";
import { useAddressParams } from "src/hooks/useAddress";

import type { DefinitionDetail } from "../documents";
import { type Change, whyNot } from "../state_changes";
import { StateDialog } from "../StateDialog";
import { DefinitionDetails } from "./DefinitionDetails";
import { InstanceDetails } from "./InstanceDetails";

const POLL_MILLISECONDS = 5000;

const useDefinition = (model: Model, id: string) =>
  $api.useQuery(
    "get",
    "/api/connections/{connection}/definitions/{definition_id}",
    { params: { path: { connection: model.connection, definition_id: id } } },
    {
      enabled: id !== "",
      refetchInterval: ({ state }) =>
        ["building", "queued", "staged"].includes(state.data?.status ?? "") ? POLL_MILLISECONDS : false,
    },
  );

type ButtonsProps = { definition: DefinitionDetail; model: Model; onAsk: (change: Change) => void };

const StateButtons = ({ definition, model, onAsk }: ButtonsProps) => (
  <HStack>
    <GuardedButton
      onClick={() => {
        onAsk("block");
      }}
      size="xs"
      variant="outline"
      why={whyNot([definition], "block", model.may_manage)}
    >
      <LuBan aria-hidden /> Block
    </GuardedButton>
    <GuardedButton
      onClick={() => {
        onAsk("unblock");
      }}
      size="xs"
      variant="outline"
      why={whyNot([definition], "unblock", model.may_manage)}
    >
      <LuUndo2 aria-hidden /> Unblock
    </GuardedButton>
  </HStack>
);

type Props = { model: Model };

/** Everything about the definition that the address names, or about one of its instances. */
export const DefinitionDrawer = ({ model }: Props) => {
  const [params, setParams] = useAddressParams();
  const id = params.get("definition") ?? "";
  const instanceId = params.get("instance") ?? "";
  const { data, error, refetch } = useDefinition(model, id);
  const [change, setChange] = useState<Change | null>(null);

  const content = () => {
    if (instanceId !== "") {
      return (
        <InstanceDetails
          id={instanceId}
          model={model}
          onBack={() => {
            setParams({ instance: null });
          }}
          state={data?.state ?? ""}
        />
      );
    }
    if (data !== undefined) {
      return (
        <DefinitionDetails
          definition={data}
          model={model}
          onOpenInstance={(instance) => {
            setParams({ instance: instance.id });
          }}
        />
      );
    }
    return error === null ? (
      <LoadingState height="3rem" label="Reading the definition" lines={8} />
    ) : (
      <ErrorState error={error} onRetry={() => void refetch()} />
    );
  };

  return (
    <>
      <SideDrawer
        alsoCloses={["instance"]}
        aside={
          data === undefined ? null : (
            <>
              <StatusBadge status={data.status} />
              {data.state === "defined" ? null : <StatusBadge status={data.state} />}
              <StateButtons definition={data} model={model} onAsk={setChange} />
            </>
          )
        }
        param="definition"
        size="xl"
        title={data?.name ?? "Definition"}
      >
        {content}
      </SideDrawer>
      <StateDialog
        change={change}
        connection={model.connection}
        onClose={() => {
          setChange(null);
        }}
        rows={data === undefined ? [] : [data]}
      />
    </>
  );
};
