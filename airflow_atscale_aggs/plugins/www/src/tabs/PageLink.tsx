import { Button } from "@chakra-ui/react";
import { LuLayers } from "react-icons/lu";
import { Link } from "react-router-dom";

import { type Model, pageAddress } from "src/frame/models";

type Props = {
  model: Model;
  /** The tab of the page, such as `batches`; empty for the first one. */
  place: string;
  params?: Record<string, string>;
};

/** From a tab of ours to the Aggregates page. */
export const PageLink = ({ model, place, params = {} }: Props) => (
  <Button asChild size="sm" variant="outline">
    <Link to={pageAddress(place, model, params)}>
      <LuLayers aria-hidden /> {model.label === "" ? model.name : model.label} on the Aggregates page
    </Link>
  </Button>
);
