import { CommandLineHint } from "src/components/CommandLineHint";

import type { PageProps } from "../page_props";

/** The Batches tab. */
export default function BatchesPage({ model }: PageProps) {
  return (
    <CommandLineHint
      command={`atscale-aggs batches --model ${model.name}`}
      title="Batches are not on this page"
    />
  );
}
