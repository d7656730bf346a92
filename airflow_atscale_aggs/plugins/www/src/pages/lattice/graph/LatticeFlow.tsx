import { Box } from "@chakra-ui/react";
import { useQuery } from "@tanstack/react-query";
import {
  Background,
  Controls,
  type Edge,
  MiniMap,
  ReactFlow,
  type ReactFlowInstance,
  ReactFlowProvider,
  useReactFlow,
} from "@xyflow/react";
import css from "@xyflow/react/dist/style.css?inline";
import { type KeyboardEvent, useEffect, useMemo, useState } from "react";

import { ErrorState } from "src/components/ErrorState";
import { useNarrow } from "src/hooks/useNarrow";
import { useColorMode } from "src/hooks/useTokenColors";
import { injectCss } from "src/utils/css";

import type { Roles } from "../explanation";
import { firstNode, isDirection, type Kin, type Lattice, neighbourTowards, type Position } from "../lattice";
import { LatticeLoading } from "../LatticeLoading";
import { layoutLattice } from "./layout";
import { drawnEdges, drawnNodes } from "./drawing";
import { type LatticeFlowNode, NodeView } from "./NodeView";

injectCss("aggregates-xyflow", css);

const NODE_TYPES = { lattice: NodeView };
const MOST_WITHOUT_MAP = 80;
/** In a narrow window one begins at a part of the lattice whose names can be read, instead of all of it. */
const LEGIBLE = 0.7;

/** What of a lattice is shown how. */
export type FlowProps = {
  lattice: Lattice;
  coloring: "use" | "age";
  /** The node in focus, and its kin; others fade. */
  focus: string;
  kin: Kin | null;
  /** Nodes that a search found; none: nothing is searched. */
  found: readonly string[];
  isSearching: boolean;
  roles: Roles;
  /** The node to bring into sight. */
  target: string;
  onFocus: (id: string | null) => void;
};

const isStill = () => globalThis.matchMedia("(prefers-reduced-motion: reduce)").matches;

const idAt = (target: EventTarget): string =>
  (target as Element).closest<HTMLElement>("[data-lattice-node]")?.dataset.latticeNode ?? "";

const focusNode = (id: string) => {
  document.querySelector<HTMLElement>(`[data-lattice-node="${CSS.escape(id)}"]`)?.focus();
};

const Flow = (props: FlowProps & { positions: ReadonlyMap<string, Position> }) => {
  const { lattice, positions, focus, target, roles, onFocus } = props;
  const isNarrow = useNarrow();
  const { setCenter, getZoom, fitView } = useReactFlow();
  const colorMode = useColorMode();
  const [tabStop, setTabStop] = useState(focus);
  const [now] = useState(() => Date.now());
  const nodes = useMemo<LatticeFlowNode[]>(
    () =>
      drawnNodes({
        ...props,
        now,
        tabStop: positions.has(tabStop) ? tabStop : (lattice.nodes[0]?.id ?? ""),
      }),
    [props, now, tabStop, positions, lattice],
  );
  const edges = useMemo<Edge[]>(() => drawnEdges(props), [props]);

  const show = (id: string) => {
    const at = positions.get(id);
    if (at !== undefined) {
      const zoom = Math.max(0.7, getZoom() || 0);
      void setCenter(at.x + 78, at.y + 30, { zoom, duration: isStill() ? 0 : 300 });
    }
  };
  useEffect(() => {
    if (target !== "") {
      show(target);
    }
    // Only when there is another target: not when one has moved away from it.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [target]);

  useEffect(() => {
    const marked = [...roles.serving, ...roles.missing, ...roles.nearest];
    if (marked.length > 0) {
      void fitView({
        nodes: marked.map((id) => ({ id })),
        padding: 0.4,
        maxZoom: 0.9,
        duration: isStill() ? 0 : 300,
      });
    }
  }, [roles, fitView]);

  const begin = async (flow: ReactFlowInstance<LatticeFlowNode>) => {
    await flow.fitView({ padding: 0.06, maxZoom: 1.1 });
    const at = positions.get(firstNode(lattice.nodes, focus)?.id ?? "");
    if (isNarrow && flow.getZoom() < LEGIBLE && at !== undefined) {
      await flow.setCenter(at.x + 90, at.y + 20, { zoom: LEGIBLE });
    }
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const id = idAt(event.target);
    if (event.key === "Escape" && focus !== "") {
      onFocus(null);
    } else if (id !== "" && isDirection(event.key)) {
      event.preventDefault();
      const next = neighbourTowards(id, event.key, positions);
      if (next !== undefined) {
        setTabStop(next);
        show(next);
        focusNode(next);
      }
    }
  };

  return (
    <Box
      css={{
        height: "100%",
        "& .react-flow": { "--xy-background-color": "transparent" },
        "& .react-flow__controls-button": { bg: "bg.panel", borderColor: "border", color: "fg" },
        "& .react-flow__minimap": { bg: "bg.subtle" },
        "& .react-flow__attribution": { display: "none" },
        "& .react-flow__edge-path": { stroke: "border.emphasized", strokeWidth: 1.4 },
        "& .react-flow__edge.used .react-flow__edge-path": { stroke: "fg.muted", strokeWidth: 1.8 },
        "& .react-flow__edge.possible .react-flow__edge-path": { strokeDasharray: "5 5" },
        "& .react-flow__edge.kin .react-flow__edge-path": { stroke: "brand.focusRing", strokeWidth: 2.4 },
        "& .react-flow__edge.faded": { opacity: 0.12 },
      }}
      onKeyDown={onKeyDown}
    >
      <ReactFlow
        aria-label="Lattice of aggregates"
        colorMode={colorMode}
        edges={edges}
        edgesFocusable={false}
        elementsSelectable={false}
        onInit={(flow) => void begin(flow)}
        maxZoom={2}
        minZoom={0.05}
        nodes={nodes}
        nodesConnectable={false}
        nodesDraggable={false}
        nodesFocusable={false}
        nodeTypes={NODE_TYPES}
        onNodeClick={(_, { id }) => {
          setTabStop(id);
          onFocus(id === focus ? null : id);
        }}
        onPaneClick={() => {
          onFocus(null);
        }}
        onlyRenderVisibleElements={nodes.length > 400}
        proOptions={{ hideAttribution: true }}
      >
        <Background gap={24} size={1} />
        <Controls
          onFitView={() => void fitView({ padding: 0.06, duration: isStill() ? 0 : 300 })}
          // Facts stand at the left, and the map at the bottom.
          position="top-right"
          showInteractive={false}
        />
        {nodes.length > MOST_WITHOUT_MAP ? (
          <MiniMap ariaLabel="All of the lattice, small" nodeBorderRadius={40} pannable zoomable />
        ) : null}
      </ReactFlow>
    </Box>
  );
};

/** What the layout depends on: it is not computed again because something was used. */
const shapeOf = ({ nodes, edges }: Lattice): string =>
  JSON.stringify([
    nodes.map(({ id, rows }) => [id, rows]),
    edges.map(({ source, target }) => [source, target]),
  ]);

/** The drawing of a lattice. */
export default function LatticeFlow(props: FlowProps) {
  const { lattice } = props;
  const aspect = useNarrow() ? 0.6 : 1.5;
  const { data, error, refetch } = useQuery({
    queryKey: ["lattice layout", shapeOf(lattice), aspect],
    queryFn: () => layoutLattice(lattice, aspect),
    staleTime: Infinity,
    gcTime: 60_000,
  });
  if (data === undefined) {
    return error === null ? (
      <LatticeLoading label="Laying out the lattice" />
    ) : (
      <ErrorState error={error} onRetry={() => void refetch()} />
    );
  }
  return (
    <ReactFlowProvider>
      <Flow {...props} positions={data} />
    </ReactFlowProvider>
  );
}
