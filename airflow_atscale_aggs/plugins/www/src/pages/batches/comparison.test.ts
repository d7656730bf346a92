import { describe, expect, it } from "vitest";

import { stepOf } from "./batch_examples";
import { compareSteps, sortCompared } from "./comparison";

const BEFORE = [
  stepOf({ aggregate: "grown", rows: 100, seconds: 1 }),
  stepOf({ aggregate: "slower", rows: 100, seconds: 1 }),
  stepOf({ aggregate: "gone", seconds: 3 }),
  stepOf({ aggregate: "failed", rows: null, seconds: null }),
];
const AFTER = [
  stepOf({ aggregate: "grown", rows: 900, seconds: 1 }),
  stepOf({ aggregate: "slower", rows: 100, seconds: 8, source: "grown" }),
  stepOf({ aggregate: "new", seconds: 20 }),
  stepOf({ aggregate: "failed" }),
];

describe("two batches", () => {
  it("are matched by what they build", () => {
    const compared = compareSteps(BEFORE, AFTER);
    const of = (name: string) => compared.find((step) => step.aggregate === name);

    expect(compared).toHaveLength(5);
    expect(of("grown")).toMatchObject({ change: "both", rowsDifference: 800, secondsDifference: 0 });
    expect(of("slower")).toMatchObject({ isBuiltOtherwise: true, secondsDifference: 7 });
    expect(of("new")).toMatchObject({ change: "new", rowsDifference: null, isBuiltOtherwise: false });
    expect(of("gone")).toMatchObject({ change: "gone", after: undefined });
    expect(of("failed")).toMatchObject({ rowsDifference: null, secondsDifference: null });
  });

  it("have the largest change first", () => {
    const names = (...by: [Parameters<typeof sortCompared>[1], boolean]) =>
      sortCompared(compareSteps(BEFORE, AFTER), ...by).map((step) => step.aggregate);

    expect(names("change", true)).toEqual(["new", "gone", "slower", "grown", "failed"]);
    expect(names("change", false).at(-1)).toBe("new");
    expect(names("aggregate", false)).toEqual(["failed", "gone", "grown", "new", "slower"]);
    expect(names("seconds", true).slice(0, 3)).toEqual(["new", "slower", "gone"]);
  });
});
