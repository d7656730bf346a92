import { NativeSelect } from "@chakra-ui/react";

import { useAddressParams } from "src/hooks/useAddress";

import type { Model } from "./models";

type Props = { models: Model[]; model: Model | undefined };

const valueOf = (model: Model) => JSON.stringify([model.connection, model.id]);

/** Chooses the model, by connection. What was open in the old one is closed: it means nothing in the new one. */
export const ModelPicker = ({ models, model }: Props) => {
  const [params, setParams] = useAddressParams();
  const connections = [...new Set(models.map((each) => each.connection))].sort();
  const choose = (value: string) => {
    const chosen = models.find((each) => valueOf(each) === value);
    if (chosen !== undefined) {
      const closed = Object.fromEntries([...params.keys()].map((name) => [name, null]));
      setParams({ ...closed, conn: chosen.connection, model: chosen.key ?? chosen.id });
    }
  };
  return (
    <NativeSelect.Root maxW="22rem" minW="12rem" size="sm" width="auto">
      <NativeSelect.Field
        aria-label="Model"
        onChange={(event) => {
          choose(event.currentTarget.value);
        }}
        value={model === undefined ? "" : valueOf(model)}
      >
        {model === undefined ? <option value="">Choose a model</option> : null}
        {connections.map((connection) => (
          <optgroup key={connection} label={connection}>
            {models
              .filter((each) => each.connection === connection)
              .map((each) => (
                <option key={valueOf(each)} value={valueOf(each)}>
                  {each.label === "" ? each.name : each.label}
                  {each.key === each.name ? "" : ` (${each.catalog})`}
                </option>
              ))}
          </optgroup>
        ))}
      </NativeSelect.Field>
      <NativeSelect.Indicator />
    </NativeSelect.Root>
  );
};
