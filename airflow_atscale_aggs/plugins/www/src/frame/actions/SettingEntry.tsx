import { Badge, Flex, HStack, Stack, Text } from "@chakra-ui/react";
import { useState } from "react";

import { fetchClient, queryClient } from "src/api/client";
import { ConfirmDialog } from "src/components/ConfirmDialog";
import { GuardedButton } from "src/components/GuardedButton";
import { Sentence } from "src/components/Sentence";
import { sayDone } from "src/components/toaster";
import type { Model } from "src/frame/models";

import { SettingForm } from "./SettingForm";
import { isForgettable, sayValue, type Setting, SOURCES } from "./settings";

type Props = { model: Model; setting: Setting };

const PATH = "/api/connections/{connection}/models/{model}/settings/{key}";

/** Forgetting takes the value away where it was set: for this model, or for all. */
const forget = async (model: Model, setting: Setting) => {
  const { data } = await fetchClient.DELETE(PATH, {
    params: {
      path: { connection: model.connection, model: model.id, key: setting.key },
      query: { for_all_models: setting.source === "all models" },
    },
  });
  await queryClient.invalidateQueries();
  sayDone("A setting is forgotten", data?.message);
};

/** One setting: its value, what it means, where it comes from; and a form that changes it. */
export const SettingEntry = ({ model, setting }: Props) => {
  const [isOpen, setOpen] = useState(false);
  const [isAsking, setAsking] = useState(false);
  const source = SOURCES[setting.source] ?? { label: setting.source, palette: "none", meaning: "" };
  const why = model.may_administer ? "" : "Settings are changed by who may edit this model's connection.";
  return (
    <Stack _first={{ borderTopWidth: 0 }} as="li" borderTopWidth={1} gap={1} py={3}>
      <Flex align="baseline" gap={3} justify="space-between">
        <Text fontFamily="mono" fontSize="xs" overflowWrap="anywhere">
          {setting.key}
        </Text>
        <Text flexShrink={0} fontVariantNumeric="tabular-nums" fontWeight="semibold">
          {sayValue(setting.value)}
        </Text>
      </Flex>
      <Text color="fg.muted" fontSize="sm">
        <Sentence text={setting.meaning} />
      </Text>
      <HStack flexWrap="wrap" fontSize="xs" gap={2}>
        <Badge colorPalette={source.palette} size="sm" title={source.meaning}>
          {source.label}
        </Badge>
        {setting.value === setting.default ? null : (
          <Text color="fg.muted">Default: {sayValue(setting.default)}</Text>
        )}
        {isOpen ? null : (
          <HStack gap={1} ms="auto">
            {isForgettable(setting) ? (
              <GuardedButton
                onClick={() => {
                  setAsking(true);
                }}
                size="2xs"
                variant="ghost"
                why={why}
              >
                Forget
              </GuardedButton>
            ) : null}
            <GuardedButton
              aria-label={`Change ${setting.key}`}
              onClick={() => {
                setOpen(true);
              }}
              size="2xs"
              variant="outline"
              why={why}
            >
              Change
            </GuardedButton>
          </HStack>
        )}
      </HStack>
      {isOpen ? (
        <SettingForm
          model={model}
          onClose={() => {
            setOpen(false);
          }}
          setting={setting}
        />
      ) : null}
      <ConfirmDialog
        confirmLabel="Forget"
        isDestructive
        isOpen={isAsking}
        onClose={() => {
          setAsking(false);
        }}
        onConfirm={() => forget(model, setting)}
        title="Forget this setting?"
      >
        <Text overflowWrap="anywhere">
          <code>{setting.key}</code> is {sayValue(setting.value)}{" "}
          {setting.source === "all models" ? "for all models of this registry" : "for this model"}. When it is
          forgotten, the value of whoever comes before is in force again.
        </Text>
      </ConfirmDialog>
    </Stack>
  );
};
