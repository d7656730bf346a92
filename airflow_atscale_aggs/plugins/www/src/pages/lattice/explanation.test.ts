import { describe, expect, it } from "vitest";

import { type Candidate, nearestCandidates, type PlanPart, rolesIn } from "./explanation";
import type { LatticeNode } from "./lattice";

const candidateOf = (facts: Partial<Candidate>): Candidate => ({
  aggregate: "by_day",
  rows: 100,
  reason: "attribute_missing",
  explanation: "attribute not stored",
  missing: ["Hour"],
  change: "add attribute `Hour` to `by_day`",
  extra_rows: null,
  ...facts,
});
const partOf = (facts: Partial<PlanPart>): PlanPart => ({
  model: "retail",
  fact: "sales",
  aggregate: null,
  definition_id: null,
  instance_id: null,
  rows: null,
  as_of: null,
  fact_rows: 1000,
  verdict: "The facts `sales` answer.",
  joined_back: [],
  candidates: [],
  ...facts,
});
const explanationOf = (parts: PlanPart[]) => ({ sql: "", meant: [], untouched: [], parts });

const NODES = [
  { id: "fact:sales", kind: "fact", name: "sales" },
  { id: "d1", kind: "aggregate", name: "by_day" },
  { id: "d2", kind: "aggregate", name: "all_channels" },
] as LatticeNode[];

describe("aggregates that are near to answering", () => {
  it("are those that lack least, then the smaller ones, and last those that are not built", () => {
    const part = partOf({
      candidates: [
        candidateOf({ aggregate: "not_built", missing: [], rows: null, change: "build it" }),
        candidateOf({ aggregate: "two", missing: ["Hour", "Store"] }),
        candidateOf({ aggregate: "large", rows: 5000 }),
        candidateOf({ aggregate: "small", rows: 5 }),
        candidateOf({ aggregate: "hopeless", change: "" }),
      ],
    });

    expect(nearestCandidates(part).map(({ aggregate }) => aggregate)).toEqual(["small", "large", "two"]);
  });
});

describe("the roles of nodes in a query", () => {
  it("are none before a query is explained", () => {
    const { serving, missing, nearest, reasons } = rolesIn(undefined, NODES);

    expect(serving.size + missing.size + nearest.size + reasons.size).toBe(0);
  });

  it("mark what answers, part by part", () => {
    const parts = [partOf({ definition_id: "d1", aggregate: "by_day" }), partOf({ fact: "returns" })];
    const roles = rolesIn(explanationOf(parts), NODES);

    expect([...roles.serving]).toEqual(["d1"]);
    expect([...roles.missing]).toEqual([]);
  });

  it("mark the fact and the nearest aggregates of a miss, those of several facts by their part", () => {
    const candidates = [candidateOf({}), candidateOf({ aggregate: "all_channels (sales)", change: "" })];
    const roles = rolesIn(explanationOf([partOf({ candidates })]), NODES);

    expect([...roles.missing]).toEqual(["fact:sales"]);
    expect([...roles.nearest]).toEqual(["d1"]);
    expect(roles.reasons.get("d1")).toBe(
      "attribute not stored. To change that: add attribute `Hour` to `by_day`.",
    );
    expect(roles.reasons.get("d2")).toBe("attribute not stored.");
  });
});
