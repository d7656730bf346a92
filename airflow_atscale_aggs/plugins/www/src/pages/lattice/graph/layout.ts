/** Where the nodes of a lattice stand: facts at the left, what derives from them to the right. Computed by ELK in a worker. */
import type { ELK as Elk } from "elkjs/lib/elk-api";
import workerUrl from "elkjs/lib/elk-worker.min.js?url";

import { type Lattice, type Position, roomOf } from "../lattice";

const COLUMN_WIDTH = 240;
const ROW_HEIGHT = 54;
const LEAST_IN_A_COLUMN = 6;
const MOST_THOROUGH = 100;
const THOROUGH = { "elk.layered.nodePlacement.strategy": "NETWORK_SIMPLEX" };
/** The above takes half a minute for a thousand nodes; this takes a second, and sets them closer to one another. */
const QUICK = { "elk.layered.nodePlacement.strategy": "SIMPLE", "elk.layered.thoroughness": "1" };
const QUICK_ASPECT = 0.6;

/**
 * How many nodes stand below one another, so that the drawing has the shape of its place.
 *
 * @param aspect width by height of the place.
 */
export const columnLength = (nodes: number, aspect: number): number =>
  Math.max(LEAST_IN_A_COLUMN, Math.ceil(Math.sqrt((nodes * COLUMN_WIDTH) / (ROW_HEIGHT * aspect))));

let elk: Promise<Elk> | undefined;

const engine = (): Promise<Elk> => {
  elk ??= import("elkjs/lib/elk-api").then(
    ({ default: ELK }) => new ELK({ workerUrl, workerFactory: (url) => new Worker(url ?? workerUrl) }),
  );
  return elk;
};

const FIRST = { "elk.layered.layering.layerConstraint": "FIRST" };

const options = (nodes: number, aspect: number): Record<string, string> => ({
  "elk.algorithm": "layered",
  "elk.direction": "RIGHT",
  // All facts stand in the first column, also those with nothing in common.
  "elk.separateConnectedComponents": "false",
  "elk.spacing.nodeNode": "12",
  "elk.spacing.edgeNode": "4",
  "elk.spacing.edgeEdge": "4",
  "elk.layered.spacing.nodeNodeBetweenLayers": "56",
  "elk.layered.spacing.edgeNodeBetweenLayers": "8",
  "elk.layered.spacing.edgeEdgeBetweenLayers": "4",
  // Many nodes that derive from one fact are set in several columns, else the drawing is as high as they are many.
  "elk.layered.layering.strategy": "COFFMAN_GRAHAM",
  "elk.layered.layering.coffmanGraham.layerBound": `${columnLength(nodes, nodes > MOST_THOROUGH ? aspect * QUICK_ASPECT : aspect)}`,
  // Edges are drawn as curves by themselves, so their bends need not be found.
  "elk.edgeRouting": "POLYLINE",
  ...(nodes > MOST_THOROUGH ? QUICK : THOROUGH),
});

/**
 * The upper left corner of each node's room.
 *
 * @param aspect width by height of the place that it is drawn in.
 */
export const layoutLattice = async (
  { nodes, edges }: Lattice,
  aspect: number,
): Promise<Map<string, Position>> => {
  const most = Math.max(1, ...nodes.map((node) => node.rows ?? 0));
  const engineNow = await engine();
  const laidOut = await engineNow.layout({
    id: "lattice",
    layoutOptions: options(nodes.length, aspect),
    children: nodes.map((node) => ({
      id: node.id,
      width: roomOf(node, most).width,
      height: roomOf(node, most).height,
      ...(node.kind === "fact" ? { layoutOptions: FIRST } : {}),
    })),
    edges: edges.map(({ source, target }) => ({
      id: `${source} ${target}`,
      sources: [source],
      targets: [target],
    })),
  });
  return new Map((laidOut.children ?? []).map(({ id, x = 0, y = 0 }) => [id, { x, y }]));
};
