import { TabFrame } from "./TabFrame";
import type { TabProps } from "./tab_props";

/** The tab of a task instance: the aggregate that it built. */
export default function TaskTab({ dagId }: TabProps) {
  return (
    <TabFrame dagId={dagId} place="definitions">
      {() => null}
    </TabFrame>
  );
}
