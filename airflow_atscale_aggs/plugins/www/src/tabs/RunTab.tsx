import { BatchView } from "src/pages/batches/BatchView";

import { PageLink } from "./PageLink";
import { RunBatches } from "./RunBatches";
import { TabFrame } from "./TabFrame";
import type { TabProps } from "./tab_props";

/** The tab of a DAG run: the batch that it builds. */
export default function RunTab({ dagId, runId }: TabProps) {
  return (
    <TabFrame dagId={dagId}>
      {(models) => (
        <RunBatches dagId={dagId} models={models} runId={runId}>
          {(batch, model) => (
            <BatchView
              batchId={batch.id}
              links={<PageLink model={model} params={{ batch: batch.id }} place="batches" />}
              model={model}
            />
          )}
        </RunBatches>
      )}
    </TabFrame>
  );
}
