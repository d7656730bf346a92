import { CommandLineHint } from "src/components/CommandLineHint";

import type { PageProps } from "../page_props";

/** The Ask tab. */
export default function AskPage({ model }: PageProps) {
  return (
    <CommandLineHint
      command={`atscale-aggs query "SELECT …" --model ${model.name}`}
      title="One cannot ask on this page"
    />
  );
}
