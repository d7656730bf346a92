import { TabFrame } from "./TabFrame";
import type { TabProps } from "./tab_props";

/** The tab of a DAG run: the batch that it built. */
export default function RunTab({ dagId }: TabProps) {
  return (
    <TabFrame dagId={dagId} place="batches">
      {() => null}
    </TabFrame>
  );
}
