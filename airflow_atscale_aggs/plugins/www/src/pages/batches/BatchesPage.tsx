import { Button, Stack } from "@chakra-ui/react";
import { LuArrowLeft } from "react-icons/lu";

import { $api } from "src/api/client";
import { useAddressParams } from "src/hooks/useAddress";

import type { PageProps } from "../page_props";
import { BatchList } from "./BatchList";
import { BatchView } from "./BatchView";
import { CompareView } from "./CompareView";
import { LivePanel } from "./LivePanel";

/** The Batches tab: all batches with the running one on top, one of them (`?batch=`), or two (`?compare=`). */
export default function BatchesPage({ model }: PageProps) {
  const [params, setParams] = useAddressParams();
  const batchId = params.get("batch") ?? "";
  const [before = "", after = ""] = (params.get("compare") ?? "").split(",");
  const isList = batchId === "" && after === "";
  const running = $api.useQuery(
    "get",
    "/api/connections/{connection}/batches",
    {
      params: {
        path: { connection: model.connection },
        query: { model: [model.id], status: ["in_progress"], limit: 1 },
      },
    },
    { enabled: isList, refetchInterval: 5_000 },
  );
  const runningId = running.data?.items[0]?.id;
  const back = (
    <Button
      onClick={() => {
        setParams({ batch: null, compare: null, instance: null, sort: null });
      }}
      size="sm"
      variant="ghost"
    >
      <LuArrowLeft aria-hidden /> All batches
    </Button>
  );
  if (batchId !== "") {
    return <BatchView aside={back} batchId={batchId} model={model} />;
  }
  if (after !== "") {
    return (
      <Stack alignItems="stretch" gap={3}>
        <div>{back}</div>
        <CompareView after={after} before={before} model={model} />
      </Stack>
    );
  }
  return (
    <Stack gap={4}>
      {runningId === undefined ? null : (
        <LivePanel
          batchId={runningId}
          key={runningId}
          model={model}
          onOpen={() => {
            setParams({ batch: runningId });
          }}
        />
      )}
      <BatchList model={model} />
    </Stack>
  );
}
