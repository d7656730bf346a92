import { Collapsible, HStack, Stack, Switch, Text } from "@chakra-ui/react";
import { useCallback, useState } from "react";

import { $api } from "src/api/client";
import { EmptyState } from "src/components/EmptyState";
import { ErrorState } from "src/components/ErrorState";
import { LoadingState } from "src/components/LoadingState";
import { SearchBox } from "src/components/SearchBox";
import { Sentence } from "src/components/Sentence";
import { SideDrawer } from "src/components/SideDrawer";
import type { Model } from "src/frame/models";
import { useAddressParam } from "src/hooks/useAddress";
import { plural } from "src/utils/numbers";

import { SettingEntry } from "./SettingEntry";
import { sortSettings } from "./settings";

type Props = { model: Model };

/** The settings in force for a model, and where each comes from. Open while `settings` stands in the address. */
export const SettingsDrawer = ({ model }: Props) => (
  <SideDrawer param="settings" title={`Settings of ${model.label === "" ? model.name : model.label}`}>
    {() => <SettingsList model={model} />}
  </SideDrawer>
);

const SettingsList = ({ model }: Props) => {
  const [search, setSearch] = useAddressParam("setting");
  const [isChangedOnly, setChangedOnly] = useState(false);
  const { data, error, isFetching, refetch } = $api.useQuery(
    "get",
    "/api/connections/{connection}/models/{model}/settings",
    { params: { path: { connection: model.connection, model: model.id } } },
  );
  const find = useCallback(
    (text: string) => {
      setSearch(text, { replace: true });
    },
    [setSearch],
  );
  if (data === undefined) {
    return error === null ? (
      <LoadingState height="3.5rem" label="Reading settings" lines={8} />
    ) : (
      <ErrorState error={error} isRetrying={isFetching} onRetry={() => void refetch()} />
    );
  }
  const { inForce, idle } = sortSettings(data, { search, isChangedOnly });
  return (
    <Stack gap={4}>
      <Text color="fg.muted" fontSize="sm">
        Each value is the default, unless Airflow&apos;s configuration, the registry for all models, the
        model&apos;s SML or this model itself says otherwise; the later one of these wins. A change is in
        force from the next batch on.
      </Text>
      <HStack flexWrap="wrap" gap={4}>
        <SearchBox label="Search settings" onChange={find} value={search} />
        <Switch.Root
          checked={isChangedOnly}
          onCheckedChange={({ checked }) => {
            setChangedOnly(checked);
          }}
          size="sm"
        >
          <Switch.HiddenInput />
          <Switch.Control />
          <Switch.Label>Only what is not the default</Switch.Label>
        </Switch.Root>
      </HStack>
      {inForce.length === 0 && idle.length === 0 ? (
        <EmptyState
          title={search === "" ? "Everything is as by default" : `No setting speaks of “${search}”`}
        />
      ) : (
        <Stack as="ul" gap={0} listStyleType="none">
          {inForce.map((setting) => (
            <SettingEntry key={setting.key} model={model} setting={setting} />
          ))}
        </Stack>
      )}
      {idle.length === 0 ? null : (
        <Collapsible.Root>
          <Collapsible.Trigger color="fg.muted" cursor="pointer" fontSize="sm" textDecoration="underline">
            {plural(idle.length, "key")} of the product that {idle.length === 1 ? "does" : "do"} nothing here
          </Collapsible.Trigger>
          <Collapsible.Content>
            <Stack as="ul" gap={3} listStyleType="none" pt={3}>
              {idle.map((setting) => (
                <Stack as="li" fontSize="sm" gap={0} key={setting.key}>
                  <Text as="span" fontFamily="mono" fontSize="xs" overflowWrap="anywhere">
                    {setting.key}
                  </Text>
                  <Text as="span" color="fg.muted">
                    <Sentence text={setting.without_effect} />
                  </Text>
                </Stack>
              ))}
            </Stack>
          </Collapsible.Content>
        </Collapsible.Root>
      )}
    </Stack>
  );
};
