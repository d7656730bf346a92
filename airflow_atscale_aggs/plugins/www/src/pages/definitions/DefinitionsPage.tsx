import { CommandLineHint } from "src/components/CommandLineHint";

import type { PageProps } from "../page_props";

/** The Definitions tab. */
export default function DefinitionsPage({ model }: PageProps) {
  return (
    <CommandLineHint
      command={`atscale-aggs definitions --model ${model.name}`}
      title="Definitions are not on this page"
    />
  );
}
