import { describe, expect, it } from "vitest";

import {
  diameterOf,
  fillOf,
  findNodes,
  firstNode,
  kinOf,
  type LatticeNode,
  legendOf,
  neighbourTowards,
  stepsOfUse,
} from "./lattice";

const nodeOf = (facts: Partial<LatticeNode>): LatticeNode => ({
  id: "a",
  kind: "aggregate",
  name: "sales_by_day",
  rows: 100,
  uses: 0,
  built_at: null,
  status: "active",
  origin: "user_defined",
  attributes: ["Sold Day", "Store"],
  ...facts,
});
const edge = (source: string, target: string) => ({ source, target, is_used: true });

describe("the kin of a node", () => {
  const edges = [edge("fact", "day"), edge("day", "month"), edge("month", "year"), edge("day", "store")];

  it("is all that it derives from, and all that derives from it", () => {
    expect(kinOf("month", edges)).toEqual({
      ancestors: new Set(["day", "fact"]),
      descendants: new Set(["year"]),
    });
    expect(kinOf("alone", edges)).toEqual({ ancestors: new Set(), descendants: new Set() });
  });

  it("is found where two lead to the same, and in a circle", () => {
    const round = [edge("a", "b"), edge("a", "c"), edge("b", "d"), edge("c", "d"), edge("d", "a")];

    expect(kinOf("a", round).descendants).toEqual(new Set(["b", "c", "d"]));
  });
});

describe("the node to begin at", () => {
  it("is the one in focus, else the most used one, else the largest", () => {
    const nodes = [
      nodeOf({ id: "fact", kind: "fact", rows: 900 }),
      nodeOf({ id: "day", rows: 90 }),
      nodeOf({ id: "year", rows: 2, uses: 7 }),
    ];
    expect(firstNode(nodes, "day")?.id).toBe("day");
    expect(firstNode(nodes, "")?.id).toBe("year");
    expect(firstNode(nodes.slice(0, 2), "gone")?.id).toBe("fact");
    expect(firstNode([], "")).toBeUndefined();
  });
});

describe("the size of a node", () => {
  it("grows by the logarithm of its rows", () => {
    const sizes = [1, 100, 10_000, 1_000_000].map((rows) => diameterOf(rows, 1_000_000));

    expect(sizes[0]).toBe(16);
    expect(sizes[3]).toBe(60);
    expect((sizes[2] ?? 0) - (sizes[1] ?? 0)).toBeCloseTo((sizes[1] ?? 0) - (sizes[0] ?? 0), -1);
  });

  it("is small and fixed where nobody knows its rows, or nothing has any", () => {
    expect(diameterOf(null, 1000)).toBe(20);
    expect(diameterOf(0, 0)).toBe(16);
  });
});

describe("the colour of a node", () => {
  it("tells its uses in four steps, or in fewer where they are few", () => {
    expect(stepsOfUse(255).map(({ upTo }) => upTo)).toEqual([3, 15, 63, 255]);
    expect(stepsOfUse(1).map(({ upTo }) => upTo)).toEqual([1]);
    expect(legendOf("use", [nodeOf({ uses: 255 })]).map(({ label }) => label)).toEqual([
      "1–3",
      "4–15",
      "16–63",
      "64–255",
    ]);
    expect(legendOf("use", [nodeOf({})])).toEqual([]);
    expect(legendOf("use", [nodeOf({ uses: 12_345 })]).at(-1)?.label).toMatch(/^1,\d{3}–12,345$/);
  });

  it("covers every number of uses up to the most", () => {
    for (const most of [1, 2, 5, 25, 1000]) {
      const fills = Array.from({ length: most }, (_, at) => fillOf(nodeOf({ uses: at + 1 }), "use", most, 0));
      expect(fills).not.toContain("");
      expect(fillOf(nodeOf({ uses: 0 }), "use", most, 0)).toBe("");
    }
  });

  it("tells how old its build is", () => {
    const now = Date.UTC(2026, 10, 29);
    const built = (day: string) => fillOf(nodeOf({ built_at: `2026-${day}T00:00:00Z` }), "age", 0, now);

    expect(new Set([built("11-29"), built("11-27"), built("11-10"), built("01-01")]).size).toBe(4);
    expect(built("11-29")).toBe("brand.solid");
    expect(fillOf(nodeOf({ built_at: null }), "age", 0, now)).toBe("");
  });
});

describe("a search", () => {
  it("finds names and attributes, in any case", () => {
    const nodes = [nodeOf({}), nodeOf({ id: "b", name: "by_month", attributes: ["Sold Month"] })];

    expect(findNodes(nodes, "STORE")).toEqual(["a"]);
    expect(findNodes(nodes, "sold")).toEqual(["a", "b"]);
    expect(findNodes(nodes, " ")).toEqual([]);
  });
});

describe("arrow keys", () => {
  it("go to what is nearest in their direction, and stay at the rim", () => {
    const positions = new Map([
      ["middle", { x: 100, y: 100 }],
      ["right", { x: 300, y: 110 }],
      ["far right", { x: 400, y: 100 }],
      ["above", { x: 100, y: 0 }],
    ]);

    expect(neighbourTowards("middle", "ArrowRight", positions)).toBe("right");
    expect(neighbourTowards("right", "ArrowLeft", positions)).toBe("middle");
    expect(neighbourTowards("middle", "ArrowUp", positions)).toBe("above");
    expect(neighbourTowards("middle", "ArrowDown", positions)).toBe("right");
    expect(neighbourTowards("middle", "ArrowLeft", positions)).toBeUndefined();
    expect(neighbourTowards("nobody", "ArrowLeft", positions)).toBeUndefined();
  });
});
