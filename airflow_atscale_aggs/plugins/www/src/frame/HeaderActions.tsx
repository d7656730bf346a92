import { Button } from "@chakra-ui/react";
import { LuWorkflow } from "react-icons/lu";
import { Link } from "react-router-dom";

import type { Model } from "./models";

type Props = { model: Model };

/** What one does with a model as a whole; at the right of the page's head. */
export const HeaderActions = ({ model }: Props) =>
  model.dag_id == null ? null : (
    <Button asChild size="sm" variant="outline">
      <Link to={`/dags/${encodeURIComponent(model.dag_id)}`}>
        <LuWorkflow aria-hidden /> DAG
      </Link>
    </Button>
  );
