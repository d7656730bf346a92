import { Alert, Checkbox, Collapsible, Field, Input, Link, RadioCard, Stack, Text } from "@chakra-ui/react";
import { useRef, useState } from "react";
import { LuChevronRight } from "react-icons/lu";
import { Link as RouterLink, useNavigate } from "react-router-dom";

import { fetchClient, queryClient } from "src/api/client";
import { problemOf } from "src/api/problems";
import type { components } from "src/api/schema";
import { ConfirmDialog } from "src/components/ConfirmDialog";
import { Sentence } from "src/components/Sentence";
import { sayDone } from "src/components/toaster";
import { type Model, pageAddress } from "src/frame/models";
import { useAddressParam } from "src/hooks/useAddress";

import { AggregateChooser } from "./AggregateChooser";
import {
  BUILD_TYPES,
  type BuildChoices,
  buildRequest,
  type BuildType,
  parseBuildParam,
  sayBuild,
  whyNotReady,
} from "./build_request";
import { ChangedRanges } from "./ChangedRanges";
import { GracePeriods } from "./GracePeriods";
import { whyNoBuild } from "./rights";

type Props = { model: Model };

const choicesOf = (param: string): BuildChoices => ({
  type: "incremental",
  names: parseBuildParam(param),
  gracePeriods: {},
  changed: {},
  concurrency: "",
  isWholeDag: false,
});

/**
 * Say that a batch was asked for, with a link to its run.
 *
 * @param isTold whether the server's own words are needed, since they tell of grace periods.
 */
export const sayStarted = (started: components["schemas"]["BatchStarted"], isTold = false): void => {
  const address = `/dags/${encodeURIComponent(started.dag_id)}/runs/${encodeURIComponent(started.run_id)}`;
  sayDone(
    "A batch is asked for",
    <>
      <Sentence
        text={
          isTold
            ? started.message
            : `A run of DAG \`${started.dag_id}\` is queued. It is shown here as soon as it begins.`
        }
      />{" "}
      <Link asChild color="inherit" variant="underline">
        <RouterLink to={address}>See the run</RouterLink>
      </Link>
    </>,
  );
};

/** Asks what to build, and starts a batch. Open while `build` stands in the address: `all`, or names. */
export const BuildDialog = ({ model }: Props) => {
  const [param, setParam] = useAddressParam("build");
  const [told, setTold] = useState(param);
  const [choices, setChoices] = useState(() => choicesOf(param));
  const [isShared, setShared] = useState(false);
  const navigate = useNavigate();
  const hasLeft = useRef(false);
  if (param !== told) {
    setTold(param);
    if (param !== "") {
      setChoices(choicesOf(param));
      setShared(false);
    }
  }
  const change = (changes: Partial<BuildChoices>) => {
    setChoices((before) => ({ ...before, ...changes }));
  };
  const refusal = whyNoBuild(model);
  const fault = whyNotReady(choices);

  const start = async () => {
    const path = { connection: model.connection, model: model.id };
    const body = buildRequest(choices, model.dag_id ?? "");
    try {
      const { data } = await fetchClient.POST("/api/connections/{connection}/models/{model}/batches", {
        params: { path },
        body,
      });
      if (data !== undefined) {
        sayStarted(data, Object.keys(body.grace_periods ?? {}).length > 0);
        void queryClient.invalidateQueries();
        hasLeft.current = true;
        void navigate(pageAddress("batches", model, { batch: data.id }));
      }
    } catch (error) {
      setShared(problemOf(error).kind === "shared-dag");
      throw error;
    }
  };

  return (
    <ConfirmDialog
      confirmLabel="Build"
      isOpen={param !== ""}
      isReady={refusal === "" && fault === ""}
      onClose={() => {
        // Where one has gone to, the address has no such parameter.
        if (!hasLeft.current) {
          setParam(null);
        }
        hasLeft.current = false;
      }}
      onConfirm={start}
      size="lg"
      title={`Build aggregates of ${model.label === "" ? model.name : model.label}`}
    >
      <Stack gap={4}>
        {refusal === "" ? null : (
          <Alert.Root status="warning">
            <Alert.Indicator />
            <Alert.Description>{refusal}</Alert.Description>
          </Alert.Root>
        )}
        <RadioCard.Root
          onValueChange={({ value }) => {
            change({ type: value as BuildType });
          }}
          orientation="horizontal"
          size="sm"
          value={choices.type}
        >
          <RadioCard.Label>How</RadioCard.Label>
          {BUILD_TYPES.map((each) => (
            <RadioCard.Item key={each.type} value={each.type} width="full">
              <RadioCard.ItemHiddenInput />
              <RadioCard.ItemControl>
                <RadioCard.ItemContent>
                  <RadioCard.ItemText>{each.label}</RadioCard.ItemText>
                  <RadioCard.ItemDescription>{each.effect}</RadioCard.ItemDescription>
                </RadioCard.ItemContent>
                <RadioCard.ItemIndicator />
              </RadioCard.ItemControl>
            </RadioCard.Item>
          ))}
        </RadioCard.Root>
        <Stack gap={2}>
          <Checkbox.Root
            checked={choices.names === null}
            onCheckedChange={({ checked }) => {
              change({ names: checked === true ? null : (parseBuildParam(param) ?? new Set<string>()) });
            }}
            size="sm"
          >
            <Checkbox.HiddenInput />
            <Checkbox.Control />
            <Checkbox.Label>All aggregates of the model ({model.definitions})</Checkbox.Label>
          </Checkbox.Root>
          {choices.names === null ? null : (
            <AggregateChooser
              chosen={choices.names}
              model={model}
              onChange={(names) => {
                change({ names });
              }}
            />
          )}
        </Stack>
        <Collapsible.Root lazyMount>
          <Collapsible.Trigger
            alignItems="center"
            cursor="pointer"
            display="flex"
            fontSize="sm"
            fontWeight="medium"
            gap={1}
          >
            <Collapsible.Indicator _open={{ transform: "rotate(90deg)" }} transition="transform 0.1s">
              <LuChevronRight aria-hidden />
            </Collapsible.Indicator>
            What has changed, late rows, builds at once
          </Collapsible.Trigger>
          <Collapsible.Content>
            <Stack gap={4} pt={3} ps={5}>
              {choices.type === "full" ? null : (
                <Stack gap={1}>
                  <Text fontSize="sm" fontWeight="medium">
                    Ranges that have changed
                  </Text>
                  <Text color="fg.muted" fontSize="sm">
                    Of the column by which a dataset grows, such as <code>2026-01-03..2026-01-05</code>, with
                    commas between. They are made anew, however old they are.
                  </Text>
                  <ChangedRanges
                    model={model}
                    onChange={(changed) => {
                      change({ changed });
                    }}
                    ranges={choices.changed}
                  />
                </Stack>
              )}
              <Stack gap={1}>
                <Text fontSize="sm" fontWeight="medium">
                  Grace periods
                </Text>
                {choices.type === "full" ? (
                  <Text color="fg.muted" fontSize="sm">
                    A full batch reads all rows, however late they came.
                  </Text>
                ) : (
                  <>
                    <Text color="fg.muted" fontSize="sm">
                      How far back to look for late rows, such as <code>2d</code> or <code>12h</code>, in this
                      batch alone.
                    </Text>
                    <GracePeriods
                      model={model}
                      onChange={(gracePeriods) => {
                        change({ gracePeriods });
                      }}
                      periods={choices.gracePeriods}
                    />
                  </>
                )}
              </Stack>
              <Field.Root maxW="14rem">
                <Field.Label>Builds at the same time</Field.Label>
                <Input
                  inputMode="numeric"
                  onChange={(event) => {
                    change({ concurrency: event.currentTarget.value });
                  }}
                  placeholder="as the settings say"
                  size="sm"
                  value={choices.concurrency}
                />
              </Field.Root>
            </Stack>
          </Collapsible.Content>
        </Collapsible.Root>
        {isShared ? (
          <Checkbox.Root
            checked={choices.isWholeDag}
            onCheckedChange={({ checked }) => {
              change({ isWholeDag: checked === true });
            }}
            size="sm"
          >
            <Checkbox.HiddenInput />
            <Checkbox.Control />
            <Checkbox.Label>Run all of DAG {model.dag_id}, with what else it does</Checkbox.Label>
          </Checkbox.Root>
        ) : null}
        <Text aria-live="polite" color="fg.muted" fontSize="sm">
          {fault === "" ? <Sentence text={sayBuild(choices, model)} /> : fault}
        </Text>
      </Stack>
    </ConfirmDialog>
  );
};
