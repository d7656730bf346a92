import { Box, Button, HStack } from "@chakra-ui/react";
import { useMutation } from "@tanstack/react-query";
import { lazy, type ReactNode, Suspense, useState } from "react";
import type { IconType } from "react-icons";
import { LuDownload, LuHammer, LuSettings2, LuUpload, LuWorkflow } from "react-icons/lu";
import { Link } from "react-router-dom";

import { GuardedButton } from "src/components/GuardedButton";
import { sayDone, sayProblem } from "src/components/toaster";
import { useAddressParam, useAddressParams } from "src/hooks/useAddress";
import { formatBytes, plural } from "src/utils/numbers";

import { exportDefinitions } from "./actions/export";
import { whyNoBuild, whyNoImport } from "./actions/rights";
import type { Model } from "./models";

type Props = { model: Model };

const BuildDialog = lazy(async () => ({ default: (await import("./actions/BuildDialog")).BuildDialog }));
const ImportDialog = lazy(async () => ({ default: (await import("./actions/ImportDialog")).ImportDialog }));
const SettingsDrawer = lazy(async () => ({
  default: (await import("./actions/SettingsDrawer")).SettingsDrawer,
}));

/** Loads what a parameter of the address opens when it is there first, and keeps it, so that it closes in peace. */
const OnDemand = ({ param, children }: { param: string; children: ReactNode }) => {
  const [value] = useAddressParam(param);
  const [isWanted, setWanted] = useState(value !== "");
  if (value !== "" && !isWanted) {
    setWanted(true);
  }
  return isWanted ? <Suspense fallback={null}>{children}</Suspense> : null;
};

type ActionProps = {
  label: string;
  icon: IconType;
  why?: string;
  isLoading?: boolean;
  onClick: () => void;
};

/** A button that keeps its word where there is room for it, and else its icon. */
const Action = ({ label, icon: Icon, why = "", isLoading = false, onClick }: ActionProps) => (
  <GuardedButton
    aria-label={label}
    loading={isLoading}
    onClick={onClick}
    px={{ base: 2, lg: 3 }}
    size="sm"
    title={why === "" ? label : undefined}
    variant="outline"
    why={why}
  >
    <Icon aria-hidden />
    <Box as="span" hideBelow="lg">
      {label}
    </Box>
  </GuardedButton>
);

/** What one does with a model as a whole; at the right of the page's head. */
export const HeaderActions = ({ model }: Props) => {
  const [, setParams] = useAddressParams();
  const exported = useMutation({
    mutationFn: () => exportDefinitions(model),
    onSuccess: ({ name, bytes, definitions }) => {
      sayDone(
        `Exported ${plural(definitions, "definition")}`,
        `${name}, ${formatBytes(bytes)}. It has what the engine defined, with statistics; user-defined aggregates are part of the model's SML.`,
      );
    },
    onError: sayProblem,
  });
  return (
    <HStack gap={2}>
      {model.dag_id == null ? null : (
        <Button asChild px={{ base: 2, lg: 3 }} size="sm" variant="outline">
          <Link
            aria-label={`DAG ${model.dag_id}`}
            title={model.dag_id}
            to={`/dags/${encodeURIComponent(model.dag_id)}`}
          >
            <LuWorkflow aria-hidden />
            <Box as="span" hideBelow="lg">
              DAG
            </Box>
          </Link>
        </Button>
      )}
      <Action
        icon={LuDownload}
        isLoading={exported.isPending}
        label="Export"
        onClick={() => {
          exported.mutate();
        }}
      />
      <Action
        icon={LuUpload}
        label="Import"
        onClick={() => {
          setParams({ import: "open" });
        }}
        why={whyNoImport(model)}
      />
      <Action
        icon={LuSettings2}
        label="Settings"
        onClick={() => {
          setParams({ settings: "open" });
        }}
      />
      <GuardedButton
        colorPalette="brand"
        onClick={() => {
          setParams({ build: "all" });
        }}
        size="sm"
        why={whyNoBuild(model)}
      >
        <LuHammer aria-hidden /> Build now
      </GuardedButton>
      <OnDemand param="build">
        <BuildDialog model={model} />
      </OnDemand>
      <OnDemand param="import">
        <ImportDialog model={model} />
      </OnDemand>
      <OnDemand param="settings">
        <SettingsDrawer model={model} />
      </OnDemand>
    </HStack>
  );
};
