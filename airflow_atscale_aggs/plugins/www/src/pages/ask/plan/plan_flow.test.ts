import { describe, expect, it } from "vitest";

import { boxesOf, type FlowPart, outcomeOf, rowsRead } from "./plan_flow";

const MISS: FlowPart = {
  fact: "web_sales",
  fact_rows: 100,
  aggregate: null,
  definition_id: null,
  rows: null,
};
const HIT: FlowPart = {
  fact: "store_sales",
  fact_rows: 120_000,
  aggregate: "by_day",
  definition_id: "1",
  rows: 1200,
  as_of: "2026-11-28T09:00:00Z",
  joined_back: ["Category"],
};

describe("the way to an answer", () => {
  it("leads from the facts over the aggregate and what is joined back", () => {
    expect(boxesOf(HIT)).toEqual([
      { kind: "fact", name: "store_sales", rows: 120_000, isRead: false },
      {
        kind: "aggregate",
        name: "by_day",
        rows: 1200,
        definitionId: "1",
        asOf: "2026-11-28T09:00:00Z",
        share: 0.01,
      },
      { kind: "join", names: ["Category"] },
    ]);
  });

  it("is short where the facts answer", () => {
    expect(boxesOf(MISS)).toEqual([{ kind: "fact", name: "web_sales", rows: 100, isRead: true }]);
  });

  it("has no share where rows are not known", () => {
    expect(boxesOf({ ...HIT, fact_rows: null })[1]).toMatchObject({ share: null });
    expect(boxesOf({ ...HIT, fact_rows: 0 })[1]).toMatchObject({ share: null });
  });
});

describe("what became of a query", () => {
  it("is told by its parts", () => {
    expect(outcomeOf([HIT])).toBe("hit");
    expect(outcomeOf([HIT, MISS])).toBe("partial");
    expect(outcomeOf([MISS])).toBe("miss");
    expect(outcomeOf([MISS], "no such table")).toBe("fallback");
  });

  it("counts what is read, where that is known", () => {
    expect(rowsRead([HIT, MISS])).toEqual({ read: 1300, facts: 120_100 });
    expect(rowsRead([{ ...MISS, fact_rows: null }])).toEqual({ read: null, facts: null });
  });
});
