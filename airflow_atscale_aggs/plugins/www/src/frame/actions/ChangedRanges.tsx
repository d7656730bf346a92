import { Skeleton } from "@chakra-ui/react";

import { $api } from "src/api/client";
import { ErrorState } from "src/components/ErrorState";
import { DatasetFields } from "src/frame/actions/DatasetFields";
import type { Model } from "src/frame/models";

type Props = {
  model: Model;
  /** As they were typed, by dataset. */
  ranges: Readonly<Record<string, string>>;
  onChange: (ranges: Record<string, string>) => void;
};

/** What has changed in each fact dataset. The server says which of them has no indicator, and which text is no range. */
export const ChangedRanges = ({ model, ranges, onChange }: Props) => {
  const structure = $api.useQuery("get", "/api/connections/{connection}/models/{model}/structure", {
    params: { path: { connection: model.connection, model: model.id } },
  });
  if (structure.error !== null) {
    return <ErrorState error={structure.error} />;
  }
  if (structure.data === undefined) {
    return <Skeleton height="4rem" />;
  }
  return (
    <DatasetFields
      datasets={structure.data.facts}
      nameOf={(dataset) => `Ranges of ${dataset} that have changed`}
      onChange={onChange}
      placeholder="nothing is named"
      values={ranges}
    />
  );
};
