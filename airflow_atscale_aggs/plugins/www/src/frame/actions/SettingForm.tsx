import { Button, Checkbox, HStack, Input, Stack, Switch } from "@chakra-ui/react";
import { useMutation } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";

import { fetchClient, queryClient } from "src/api/client";
import { ErrorState } from "src/components/ErrorState";
import { sayDone } from "src/components/toaster";
import type { Model } from "src/frame/models";

import { fieldText, parseValue, sayValue, type Setting, type SettingValue } from "./settings";

type Props = { model: Model; setting: Setting; onClose: () => void };

const PATH = "/api/connections/{connection}/models/{model}/settings/{key}";

const change = async (model: Model, key: string, value: SettingValue, isForAll: boolean) => {
  const { data } = await fetchClient.PUT(PATH, {
    params: { path: { connection: model.connection, model: model.id, key } },
    body: { value, for_all_models: isForAll },
  });
  await queryClient.invalidateQueries();
  return data;
};

/** Sets one setting, for its model or for all. */
export const SettingForm = ({ model, setting, onClose }: Props) => {
  const [text, setText] = useState(fieldText(setting.value));
  const [isForAll, setForAll] = useState(setting.source === "all models");
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    field.current?.focus();
  }, []);
  const value = parseValue(text, setting.default);
  const saved = useMutation({
    mutationFn: (chosen: SettingValue) => change(model, setting.key, chosen, isForAll),
    onSuccess: (inForce, chosen) => {
      const isOverruled = inForce !== undefined && inForce.value !== chosen;
      sayDone(
        "A setting is changed",
        `${setting.key} is ${sayValue(chosen)} ${isForAll ? "for all models" : "for this model"}. ${
          isOverruled
            ? `For this model ${sayValue(inForce.value)} stays in force, since it has a value of its own.`
            : "The next batch follows it."
        }`,
      );
      onClose();
    },
  });
  const save = () => {
    if (value !== undefined) {
      saved.mutate(value);
    }
  };
  return (
    <Stack
      as="form"
      bg="bg.subtle"
      borderRadius="md"
      gap={3}
      mt={1}
      onKeyDown={(event) => {
        if (event.key === "Escape") {
          // Esc leaves the form first, then the drawer.
          event.stopPropagation();
          onClose();
        }
      }}
      onSubmit={(event) => {
        event.preventDefault();
        save();
      }}
      p={3}
    >
      {typeof setting.default === "boolean" ? (
        <Switch.Root
          checked={text === "true"}
          onCheckedChange={({ checked }) => {
            setText(String(checked));
          }}
          size="sm"
        >
          <Switch.HiddenInput />
          <Switch.Control />
          <Switch.Label>{text === "true" ? "On" : "Off"}</Switch.Label>
        </Switch.Root>
      ) : (
        <Input
          aria-label={`Value of ${setting.key}`}
          inputMode={typeof setting.default === "number" ? "numeric" : "text"}
          onChange={(event) => {
            setText(event.currentTarget.value);
          }}
          ref={field}
          size="sm"
          value={text}
        />
      )}
      <Checkbox.Root
        checked={isForAll}
        onCheckedChange={({ checked }) => {
          setForAll(checked === true);
        }}
        size="sm"
      >
        <Checkbox.HiddenInput />
        <Checkbox.Control />
        <Checkbox.Label>For all models of this registry</Checkbox.Label>
      </Checkbox.Root>
      {saved.isError ? <ErrorState error={saved.error} /> : null}
      <HStack gap={2} justify="flex-end">
        <Button onClick={onClose} size="xs" variant="outline">
          Cancel
        </Button>
        <Button
          colorPalette="brand"
          disabled={value === undefined}
          loading={saved.isPending}
          size="xs"
          type="submit"
        >
          Save
        </Button>
      </HStack>
    </Stack>
  );
};
