import type { Model } from "src/frame/models";
import { useAddressParam } from "src/hooks/useAddress";
import { SideDrawer } from "src/components/SideDrawer";
import { StatusBadge } from "src/components/StatusBadge";

import { InstanceDetails } from "../definitions/detail/InstanceDetails";
import type { BatchStep } from "./batches";

type Props = { model: Model; steps: readonly BatchStep[] };

/** One aggregate of a batch, in a drawer: its table, its SQL, its attempts. */
export const InstanceDrawer = ({ model, steps }: Props) => {
  const [id] = useAddressParam("instance");
  const step = steps.find((each) => each.instance_id === id);
  return (
    <SideDrawer
      aside={step === undefined ? undefined : <StatusBadge status={step.status} />}
      param="instance"
      size="xl"
      title={step?.aggregate ?? "One aggregate"}
    >
      {(instanceId) => <InstanceDetails id={instanceId} model={model} />}
    </SideDrawer>
  );
};
