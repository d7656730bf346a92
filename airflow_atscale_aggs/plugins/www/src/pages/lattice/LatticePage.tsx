import { Alert, Box, Button, Code, Flex, HStack, SegmentGroup, Stack, Text } from "@chakra-ui/react";
import { lazy, Suspense, useCallback, useMemo, useState } from "react";
import { LuNetwork } from "react-icons/lu";

import { $api } from "src/api/client";
import { EmptyState } from "src/components/EmptyState";
import { ErrorState } from "src/components/ErrorState";
import { SearchBox } from "src/components/SearchBox";
import type { SqlEditorProps } from "src/components/sql/SqlEditor";
import type { Model } from "src/frame/models";
import { useAddressParams } from "src/hooks/useAddress";
import { formatCount, plural } from "src/utils/numbers";

import type { PageProps } from "../page_props";
import { AskPanel } from "./AskPanel";
import { rolesIn } from "./explanation";
import { type Coloring, findNodes, kinOf, type Lattice } from "./lattice";
import { LatticeLoading } from "./LatticeLoading";
import { Legend } from "./Legend";
import { NodePanel } from "./NodePanel";

const LatticeFlow = lazy(() => import("./graph/LatticeFlow"));

const AT_FIRST = 200;
const AT_MOST = 1000;

const useNames = (model: Model): SqlEditorProps["names"] => {
  const path = { connection: model.connection, model: model.id };
  const { data } = $api.useQuery(
    "get",
    "/api/connections/{connection}/models/{model}/structure",
    { params: { path } },
    { staleTime: 300_000 },
  );
  return useMemo(
    () => [
      ...(data?.attributes.map(({ name }) => ({ name, kind: "property", detail: "attribute" })) ?? []),
      ...(data?.metrics.map(({ name }) => ({ name, kind: "function", detail: "metric" })) ?? []),
    ],
    [data],
  );
};

/** What explains the query that was typed; it stands in the address when it was explained. */
const useExplanation = (model: Model) => {
  const [params, setParams] = useAddressParams();
  const asked = params.get("sql") ?? "";
  const [sql, setSql] = useState(asked);
  const { data, error, isFetching, refetch } = $api.useQuery(
    "post",
    "/api/connections/{connection}/explain",
    {
      params: { path: { connection: model.connection } },
      body: {
        sql: asked,
        model: model.name,
        dialect: "postgres",
        use_aggregates: true,
        most_rows: 1,
        timeout_seconds: 30,
        estimate: true,
      },
    },
    { enabled: asked !== "", retry: false, staleTime: 30_000 },
  );
  const explain = useCallback(() => {
    const text = sql.trim();
    if (text === asked) {
      void refetch();
    } else if (text !== "") {
      setParams({ sql: text }, { replace: true });
    }
  }, [sql, asked, setParams, refetch]);
  const isAsked = asked !== "";
  return {
    sql,
    setSql,
    explain,
    explanation: isAsked ? data : undefined,
    error: isAsked ? error : null,
    isExplaining: isFetching,
  };
};

const ColoringSwitch = ({ coloring, onChange }: { coloring: Coloring; onChange: (to: Coloring) => void }) => (
  <HStack gap={2}>
    <Text color="fg.muted" fontSize="sm" id="lattice-coloring">
      Colour by
    </Text>
    <SegmentGroup.Root
      aria-labelledby="lattice-coloring"
      onValueChange={({ value }) => {
        onChange(value === "age" ? "age" : "use");
      }}
      size="sm"
      value={coloring}
    >
      <SegmentGroup.Indicator />
      <SegmentGroup.Items
        items={[
          { value: "use", label: "Use" },
          { value: "age", label: "Age" },
        ]}
      />
    </SegmentGroup.Root>
  </HStack>
);

type CutProps = { lattice: Lattice; isAll: boolean; onAll: () => void };

const CutNote = ({ lattice, isAll, onAll }: CutProps) => {
  if (!lattice.is_cut) {
    return null;
  }
  const drawn = lattice.nodes.filter((node) => node.kind !== "fact").length;
  return (
    <Alert.Root size="sm" status="info">
      <Alert.Indicator />
      <Alert.Content>
        <HStack columnGap={3} flexWrap="wrap">
          <span>
            Only {plural(drawn, "aggregate is", "aggregates are")} drawn: those that people defined, then the
            most used ones.
          </span>
          {isAll ? null : (
            <Button onClick={onAll} size="2xs" variant="outline">
              Draw up to {formatCount(AT_MOST)}
            </Button>
          )}
        </HStack>
      </Alert.Content>
    </Alert.Root>
  );
};

const Drawing = ({ lattice, model }: { lattice: Lattice; model: Model }) => {
  const [params, setParams] = useAddressParams();
  const names = useNames(model);
  const { sql, setSql, explain, explanation, error, isExplaining } = useExplanation(model);
  const [target, setTarget] = useState("");
  const focus = params.get("node") ?? "";
  const search = params.get("search") ?? "";
  const coloring: Coloring = params.get("color") === "age" ? "age" : "use";

  const node = lattice.nodes.find((each) => each.id === focus);
  const kin = useMemo(
    () => (node === undefined ? null : kinOf(node.id, lattice.edges)),
    [node, lattice.edges],
  );
  const roles = useMemo(() => rolesIn(explanation, lattice.nodes), [explanation, lattice.nodes]);
  const found = useMemo(() => findNodes(lattice.nodes, search), [lattice.nodes, search]);
  const onFocus = useCallback(
    (id: string | null) => {
      setParams({ node: id }, { replace: true });
    },
    [setParams],
  );
  const onSearch = useCallback(
    (text: string) => {
      setParams({ search: text }, { replace: true });
      setTarget(findNodes(lattice.nodes, text)[0] ?? "");
    },
    [lattice.nodes, setParams],
  );
  const onShow = (aggregate: string, fact: string) => {
    const id = lattice.nodes.find(
      (each) => each.kind !== "fact" && [aggregate, aggregate.replace(` (${fact})`, "")].includes(each.name),
    )?.id;
    if (id !== undefined) {
      onFocus(id);
      setTarget(id);
    }
  };

  return (
    <Stack gap={3}>
      <HStack columnGap={4} flexWrap="wrap" rowGap={2}>
        <SearchBox label="Search names and attributes" onChange={onSearch} value={search} />
        <ColoringSwitch
          coloring={coloring}
          onChange={(to) => {
            setParams({ color: to === "age" ? "age" : null }, { replace: true });
          }}
        />
        <Text aria-live="polite" color="fg.muted" fontSize="sm">
          {search === "" ? "" : `${plural(found.length, "node")} found`}
        </Text>
      </HStack>
      <CutNote
        isAll={params.get("all") === "1"}
        lattice={lattice}
        onAll={() => {
          setParams({ all: "1" });
        }}
      />
      <Flex direction={{ base: "column", lg: "row" }} gap={4}>
        <Stack flex={1} gap={2} minW={0}>
          <Box
            borderRadius="md"
            borderWidth={1}
            height={{ base: "60dvh", lg: "max(26rem, calc(100dvh - 17rem))" }}
            overflow="hidden"
          >
            <Suspense fallback={<LatticeLoading label="Loading the drawing" />}>
              <LatticeFlow
                coloring={coloring}
                focus={focus}
                found={found}
                isSearching={search !== ""}
                kin={kin}
                lattice={lattice}
                onFocus={onFocus}
                roles={roles}
                target={target}
              />
            </Suspense>
          </Box>
          <Legend coloring={coloring} nodes={lattice.nodes} />
        </Stack>
        <Stack gap={4} width={{ base: "100%", lg: "22rem" }}>
          <AskPanel
            error={error}
            explanation={explanation}
            isExplaining={isExplaining}
            names={names}
            onChange={setSql}
            onClear={() => {
              setSql("");
              setParams({ sql: null }, { replace: true });
            }}
            onExplain={explain}
            onShow={onShow}
            sql={sql}
          />
          {node === undefined || kin === null ? (
            <Text color="fg.muted" fontSize="sm">
              Click a node to see only what it derives from and what derives from it. Arrow keys move from
              node to node, Enter chooses one, Esc shows all again.
            </Text>
          ) : (
            <NodePanel
              kin={kin}
              lattice={lattice}
              model={model}
              node={node}
              onFocus={onFocus}
              reason={roles.reasons.get(node.id)}
            />
          )}
        </Stack>
      </Flex>
    </Stack>
  );
};

/** The Lattice tab: which aggregate derives from which. */
export default function LatticePage({ model }: PageProps) {
  const [params] = useAddressParams();
  const most = params.get("all") === "1" ? AT_MOST : AT_FIRST;
  const { data, error, isFetching, refetch } = $api.useQuery(
    "get",
    "/api/connections/{connection}/models/{model}/lattice",
    { params: { path: { connection: model.connection, model: model.id }, query: { most } } },
  );
  if (data === undefined) {
    return error === null ? (
      <Box height="60dvh">
        <LatticeLoading label="Reading the lattice" />
      </Box>
    ) : (
      <ErrorState error={error} isRetrying={isFetching} onRetry={() => void refetch()} />
    );
  }
  if (data.nodes.every((node) => node.kind === "fact")) {
    return (
      <EmptyState icon={<LuNetwork aria-hidden />} title="There is no lattice yet">
        <Text mb={2}>
          It shows which aggregate can be built from which other instead of from the facts. No aggregate is
          defined yet; let the command line define what is worth it:
        </Text>
        <Code>atscale-aggs recommend {model.name} --apply</Code>
      </EmptyState>
    );
  }
  return <Drawing lattice={data} model={model} />;
}
