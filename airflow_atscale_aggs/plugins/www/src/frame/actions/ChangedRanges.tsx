import { Field, Input, SimpleGrid, Skeleton } from "@chakra-ui/react";

import { $api } from "src/api/client";
import { ErrorState } from "src/components/ErrorState";
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
    <SimpleGrid columns={{ base: 1, sm: 2 }} gap={3}>
      {structure.data.facts.map((dataset) => (
        <Field.Root key={dataset}>
          <Field.Label>{dataset}</Field.Label>
          <Input
            aria-label={`Ranges of ${dataset} that have changed`}
            onChange={(event) => {
              onChange({ ...ranges, [dataset]: event.currentTarget.value });
            }}
            placeholder="nothing is named"
            size="sm"
            value={ranges[dataset] ?? ""}
          />
        </Field.Root>
      ))}
    </SimpleGrid>
  );
};
