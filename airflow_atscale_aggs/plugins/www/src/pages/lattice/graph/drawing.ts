/** Nodes and edges of a lattice as React Flow takes them. */
import { type Edge, MarkerType, Position as Side } from "@xyflow/react";

import { statusLook } from "src/components/statuses";
import { formatRows, plural } from "src/utils/numbers";
import { formatAgo } from "src/utils/times";

import type { Roles } from "../explanation";
import {
  type Coloring,
  fillOf,
  type Kin,
  type Lattice,
  type LatticeNode,
  type Position,
  type Room,
  roomOf,
} from "../lattice";
import type { LatticeFlowNode, Look } from "./NodeView";

type Drawn = {
  lattice: Lattice;
  coloring: Coloring;
  focus: string;
  kin: Kin | null;
  found: readonly string[];
  isSearching: boolean;
  roles: Roles;
  positions: ReadonlyMap<string, Position>;
  tabStop: string;
  now: number;
};

const detailOf = (node: LatticeNode, coloring: Coloring, now: number): string => {
  if (node.kind === "fact") {
    return formatRows(node.rows);
  }
  if (node.rows === null) {
    return statusLook(node.status).label;
  }
  const status = node.status === "active" ? "" : `, ${statusLook(node.status).label}`;
  if (coloring === "use") {
    return `${formatRows(node.rows)}, ${plural(node.uses, "use")}${status}`;
  }
  const age = node.built_at === null ? "not built" : formatAgo(node.built_at, new Date(now).toISOString());
  return `${formatRows(node.rows)}, ${age}${status}`;
};

const titleOf = (node: LatticeNode, reason: string | undefined): string =>
  [
    node.name,
    node.kind === "fact" ? `fact, ${plural(node.rows, "row")}` : node.attributes.join(", ") || "grand total",
    reason === undefined ? "" : `The query: ${reason.replaceAll("`", "")}`,
  ]
    .filter((line) => line !== "")
    .join("\n");

const roleOf = (id: string, roles: Roles): Look["role"] =>
  roles.serving.has(id)
    ? "serving"
    : roles.missing.has(id)
      ? "missing"
      : roles.nearest.has(id)
        ? "nearest"
        : "";

const isKin = (id: string, focus: string, kin: Kin | null): boolean =>
  kin === null || id === focus || kin.ancestors.has(id) || kin.descendants.has(id);

const handlesOf = ({ width, height }: Room) => [
  { type: "target" as const, position: Side.Left, x: 0, y: height / 2, width: 1, height: 1 },
  { type: "source" as const, position: Side.Right, x: width, y: height / 2, width: 1, height: 1 },
];

const isExplained = ({ serving, missing }: Roles): boolean => serving.size + missing.size > 0;

/** Nodes where they stand, as they look now. */
export const drawnNodes = (drawn: Drawn): LatticeFlowNode[] => {
  const { lattice, coloring, focus, kin, found, isSearching, roles, positions, tabStop, now } = drawn;
  const mostRows = Math.max(1, ...lattice.nodes.map((node) => node.rows ?? 0));
  const mostUses = Math.max(0, ...lattice.nodes.map((node) => node.uses));
  const isFound = new Set(found);
  return lattice.nodes.map((node) => {
    const room = roomOf(node, mostRows);
    const role = roleOf(node.id, roles);
    return {
      id: node.id,
      type: "lattice",
      position: positions.get(node.id) ?? { x: 0, y: 0 },
      width: room.width,
      height: room.height,
      // What is known need not be measured in the DOM each time that a node looks otherwise.
      measured: { width: room.width, height: room.height },
      handles: handlesOf(room),
      data: {
        node,
        room,
        fill: fillOf(node, coloring, mostUses, now),
        detail: detailOf(node, coloring, now),
        title: titleOf(node, roles.reasons.get(node.id)),
        isFaded:
          (role === "" && (kin === null ? isExplained(roles) : !isKin(node.id, focus, kin))) ||
          (isSearching && !isFound.has(node.id)),
        isFocused: node.id === focus,
        isTabStop: node.id === tabStop,
        role,
      },
    };
  });
};

/** Edges: solid where an aggregate was built from the other, dashed where it could be. */
export const drawnEdges = (drawn: Omit<Drawn, "tabStop" | "now">): Edge[] => {
  const { lattice, focus, kin, isSearching, roles } = drawn;
  const isOn = (from: string, to: string): boolean =>
    kin !== null &&
    ((kin.ancestors.has(from) && (kin.ancestors.has(to) || to === focus)) ||
      ((from === focus || kin.descendants.has(from)) && kin.descendants.has(to)));
  return lattice.edges.map(({ source, target, is_used: isUsed }) => {
    const isKinEdge = isOn(source, target);
    const isFaded = kin === null ? isSearching || isExplained(roles) : !isKinEdge;
    return {
      id: `${source} ${target}`,
      source,
      target,
      className: [isUsed ? "used" : "possible", isKinEdge ? "kin" : "", isFaded ? "faded" : ""].join(" "),
      markerEnd: { type: MarkerType.ArrowClosed, width: 12, height: 12 },
    };
  });
};
