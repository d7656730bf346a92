import { CommandLineHint } from "src/components/CommandLineHint";

import type { PageProps } from "../page_props";

/** The Lattice tab. */
export default function LatticePage({ model }: PageProps) {
  return (
    <CommandLineHint command={`atscale-aggs plan ${model.name}`} title="The lattice is not on this page" />
  );
}
