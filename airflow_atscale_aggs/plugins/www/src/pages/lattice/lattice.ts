/** What the drawing of a lattice needs to know of it: kin of nodes, sizes, colours. No DOM in here. */
import type { components } from "src/api/schema";
import { formatCount } from "src/utils/numbers";

export type Lattice = components["schemas"]["LatticeGraph"];
export type LatticeNode = components["schemas"]["LatticeNode"];
export type LatticeEdge = components["schemas"]["LatticeEdge"];

/** What a node derives from, directly or not, and what derives from it; without itself. */
export type Kin = { ancestors: Set<string>; descendants: Set<string> };

const reach = (start: string, next: ReadonlyMap<string, string[]>): Set<string> => {
  const found = new Set<string>();
  const open = [start];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    for (const other of next.get(id) ?? []) {
      if (other !== start && !found.has(other)) {
        found.add(other);
        open.push(other);
      }
    }
  }
  return found;
};

const neighbours = (edges: readonly LatticeEdge[], from: "source" | "target"): Map<string, string[]> => {
  const to = from === "source" ? "target" : "source";
  const next = new Map<string, string[]>();
  for (const edge of edges) {
    next.set(edge[from], [...(next.get(edge[from]) ?? []), edge[to]]);
  }
  return next;
};

/** The kin of a node. */
export const kinOf = (id: string, edges: readonly LatticeEdge[]): Kin => ({
  ancestors: reach(id, neighbours(edges, "target")),
  descendants: reach(id, neighbours(edges, "source")),
});

/** Ids of the nodes whose name, or one of whose attributes, has a text in it, in any case. */
export const findNodes = (nodes: readonly LatticeNode[], search: string): string[] => {
  const text = search.trim().toLowerCase();
  return text === ""
    ? []
    : nodes
        .filter((node) => [node.name, ...node.attributes].some((name) => name.toLowerCase().includes(text)))
        .map((node) => node.id);
};

/** The node to begin at where not all can be read at once: the one in focus, else the most used one. */
export const firstNode = (nodes: readonly LatticeNode[], focus: string): LatticeNode | undefined => {
  const [first] = nodes.toSorted(
    (one, other) => other.uses - one.uses || (other.rows ?? 0) - (one.rows ?? 0),
  );
  return nodes.find((node) => node.id === focus) ?? first;
};

const LEAST = 16;
const MOST = 60;
const UNKNOWN_SIZE = 20;

/**
 * The diameter of a node in pixels, by the logarithm of its rows.
 *
 * @param most the most rows of any node.
 */
export const diameterOf = (rows: number | null, most: number): number => {
  if (rows === null) {
    return UNKNOWN_SIZE;
  }
  const share = most <= 1 ? 0 : Math.log10(Math.max(1, rows)) / Math.log10(most);
  return Math.round(LEAST + (MOST - LEAST) * Math.min(1, share));
};

/** The room of a node: its shape, and its name at the right of it. */
export type Room = { diameter: number; width: number; height: number };

const GAP = 18;
const LETTER = 7.4;
const LABEL = { least: 116, leastOfFact: 76, most: 180, height: 34 };

/** The room of a node in pixels. */
export const roomOf = (node: Pick<LatticeNode, "rows" | "name" | "kind">, most: number): Room => {
  const diameter = diameterOf(node.rows, most);
  const least = node.kind === "fact" ? LABEL.leastOfFact : LABEL.least;
  const label = Math.min(LABEL.most, Math.max(least, Math.round(node.name.length * LETTER)));
  return { diameter, width: diameter + GAP + label, height: Math.max(diameter, LABEL.height) };
};

/** What colours tell. */
export type Coloring = "use" | "age";

/** A step of a scale: a palette's token, and what it stands for. */
export type Step = { bg: string; label: string };

const USE_BACKGROUNDS = ["brand.muted", "brand.emphasized", "brand.solid", "brand.fg"] as const;

/** The steps from few uses to the most. Each is `upTo` that many, the last one the most. */
export const stepsOfUse = (most: number): { upTo: number; bg: string }[] => {
  const bounds = USE_BACKGROUNDS.map((bg, at) => ({
    bg,
    upTo: Math.max(1, Math.floor((1 + most) ** ((at + 1) / USE_BACKGROUNDS.length) - 1)),
  }));
  // Few uses make fewer steps.
  return bounds.filter(({ upTo }, at) => upTo !== bounds[at + 1]?.upTo);
};

const DAY = 86_400_000;
const AGES: { upTo: number; bg: string; label: string }[] = [
  { upTo: DAY, bg: "brand.solid", label: "less than a day" },
  { upTo: 7 * DAY, bg: "brand.emphasized", label: "less than 7 days" },
  { upTo: 30 * DAY, bg: "warning.emphasized", label: "less than 30 days" },
  { upTo: Infinity, bg: "warning.solid", label: "older" },
];

/** The scale of a coloring, for its legend. */
export const legendOf = (coloring: Coloring, nodes: readonly LatticeNode[]): Step[] => {
  if (coloring === "age") {
    return AGES;
  }
  const most = Math.max(0, ...nodes.map((node) => node.uses));
  let from = 1;
  return most === 0
    ? []
    : stepsOfUse(most).map(({ upTo, bg }) => {
        const label = from === upTo ? formatCount(upTo) : `${formatCount(from)}–${formatCount(upTo)}`;
        from = upTo + 1;
        return { bg, label };
      });
};

/**
 * The token that a node is filled with; empty: it is hollow, since it was never used or never built.
 *
 * @param most the most uses of any node.
 * @param now milliseconds since 1970.
 */
export const fillOf = (node: LatticeNode, coloring: Coloring, most: number, now: number): string => {
  if (node.kind === "fact") {
    return "fg.muted";
  }
  if (coloring === "use") {
    return node.uses === 0 ? "" : (stepsOfUse(most).find(({ upTo }) => node.uses <= upTo)?.bg ?? "");
  }
  if (node.built_at === null) {
    return "";
  }
  const age = now - Date.parse(node.built_at);
  return AGES.find(({ upTo }) => age < upTo)?.bg ?? "";
};

/** Where something stands on the drawing. */
export type Position = { x: number; y: number };

type Direction = "ArrowLeft" | "ArrowRight" | "ArrowUp" | "ArrowDown";
const ALONG: Record<Direction, (from: Position, to: Position) => number> = {
  ArrowLeft: (from, to) => from.x - to.x,
  ArrowRight: (from, to) => to.x - from.x,
  ArrowUp: (from, to) => from.y - to.y,
  ArrowDown: (from, to) => to.y - from.y,
};

/** Whether a key moves from node to node. */
export const isDirection = (key: string): key is Direction => key in ALONG;

/** The nearest node in the direction of an arrow key; undefined at the rim. */
export const neighbourTowards = (
  id: string,
  key: Direction,
  positions: ReadonlyMap<string, Position>,
): string | undefined => {
  const from = positions.get(id);
  if (from === undefined) {
    return undefined;
  }
  const isSideways = key === "ArrowLeft" || key === "ArrowRight";
  let nearest: { id: string; distance: number } | undefined;
  for (const [other, to] of positions) {
    const along = ALONG[key](from, to);
    const across = Math.abs(isSideways ? to.y - from.y : to.x - from.x);
    const distance = along + 3 * across;
    if (other !== id && along > 1 && (nearest === undefined || distance < nearest.distance)) {
      nearest = { id: other, distance };
    }
  }
  return nearest?.id;
};
