import { TabFrame } from "./TabFrame";
import type { TabProps } from "./tab_props";

/** The tab of a DAG: its model's aggregates. */
export default function DagTab({ dagId }: TabProps) {
  return (
    <TabFrame dagId={dagId} place="">
      {() => null}
    </TabFrame>
  );
}
