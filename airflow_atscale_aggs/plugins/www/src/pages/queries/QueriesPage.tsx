import { CommandLineHint } from "src/components/CommandLineHint";

import type { PageProps } from "../page_props";

/** The Queries tab. */
export default function QueriesPage({ model }: PageProps) {
  return (
    <CommandLineHint
      command={`atscale-aggs recommend ${model.name}`}
      title="The history of queries is not on this page"
    />
  );
}
