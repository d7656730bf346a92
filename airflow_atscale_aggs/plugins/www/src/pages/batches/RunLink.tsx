import { Link, Text } from "@chakra-ui/react";
import { Link as RouterLink } from "react-router-dom";

import { type BatchRow, runAddress } from "./batches";

type Props = { batch: Pick<BatchRow, "dag_id" | "run_id" | "owner"> };

/** Who drives a batch: a run of a DAG, with a link to it, or a process outside of Airflow. */
export const RunLink = ({ batch }: Props) => {
  const address = runAddress(batch);
  if (address === undefined) {
    return (
      <Text as="span" color="fg.muted" title={batch.owner}>
        {batch.owner}
      </Text>
    );
  }
  return (
    <Link
      asChild
      display="inline"
      overflowWrap="anywhere"
      title={`Run ${batch.run_id ?? ""} of DAG ${batch.dag_id ?? ""}`}
      variant="underline"
    >
      <RouterLink to={address}>{batch.run_id}</RouterLink>
    </Link>
  );
};
