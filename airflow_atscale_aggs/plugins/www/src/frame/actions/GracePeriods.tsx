import { Button, Skeleton, Text } from "@chakra-ui/react";

import { $api } from "src/api/client";
import { ErrorState } from "src/components/ErrorState";
import { DatasetFields } from "src/frame/actions/DatasetFields";
import type { Model } from "src/frame/models";
import { useAddressParams } from "src/hooks/useAddress";

type Props = {
  model: Model;
  /** As they were typed, by dataset. */
  periods: Readonly<Record<string, string>>;
  onChange: (periods: Record<string, string>) => void;
};

const SWITCHES = [
  "aggregate.batch.gracePeriodOverrides.enabled",
  "aggregate.batch.cube.gracePeriodOverrides.enabled",
];

/** How far back one batch looks for late rows, by dataset; where the model's settings allow to say so. */
export const GracePeriods = ({ model, periods, onChange }: Props) => {
  const [, setParams] = useAddressParams();
  const path = { connection: model.connection, model: model.id };
  const structure = $api.useQuery("get", "/api/connections/{connection}/models/{model}/structure", {
    params: { path },
  });
  const settings = $api.useQuery("get", "/api/connections/{connection}/models/{model}/settings", {
    params: { path },
  });
  const error = structure.error ?? settings.error;
  if (error !== null) {
    return <ErrorState error={error} />;
  }
  if (structure.data === undefined || settings.data === undefined) {
    return <Skeleton height="4rem" />;
  }
  const off = settings.data.filter((setting) => SWITCHES.includes(setting.key) && setting.value !== true);
  if (off.length > 0) {
    return (
      <Text color="fg.muted" fontSize="sm">
        One batch may have other grace periods than the model only where the settings{" "}
        <code>{SWITCHES[0]}</code> and <code>{SWITCHES[1]}</code> allow it.{" "}
        <Button
          onClick={() => {
            setParams({ build: null, settings: "open", setting: "gracePeriodOverrides" });
          }}
          size="xs"
          variant="outline"
        >
          Show these settings
        </Button>
      </Text>
    );
  }
  return (
    <DatasetFields
      datasets={structure.data.facts}
      onChange={onChange}
      placeholder="as the model says"
      values={periods}
    />
  );
};
