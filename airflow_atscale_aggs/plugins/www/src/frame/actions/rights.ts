/** Why somebody may not do what the head of the page offers. */
import type { Model } from "src/frame/models";

/** Why a visitor may not start a batch, in a sentence; empty: he may. */
export const whyNoBuild = (model: Model): string => {
  if (!model.may_build) {
    return "You may not start a batch: you need to trigger a DAG that builds this model.";
  }
  return model.dag_id == null
    ? "No DAG that you may read builds this model over this connection. Add a DAG file that calls batch_build_dag(…)."
    : "";
};

/** Why a visitor may not import, in a sentence; empty: he may. */
export const whyNoImport = (model: Model): string =>
  model.may_manage ? "" : "You may not import definitions: you need to trigger a DAG that builds this model.";
