import { CommandLineHint } from "src/components/CommandLineHint";

import type { PageProps } from "../page_props";

/** The Overview tab. */
export default function OverviewPage({ model }: PageProps) {
  return (
    <CommandLineHint
      command={`atscale-aggs batches --model ${model.name}`}
      title="The overview is not on this page"
    />
  );
}
