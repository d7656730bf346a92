import { describe, expect, it } from "vitest";

import { fileName } from "./export";
import { countOutcomes, type ImportedNode, newToBuild, withOutcome } from "./import_report";

const node = (name: string, outcome: string): ImportedNode => ({
  name,
  outcome,
  why: "",
  definition_id: null,
});

const NODES = [
  node("a", "duplicate"),
  node("b", "imported"),
  node("c", "refused"),
  node("d", "imported"),
  node("e", "unheard of"),
];

describe("the report of an import", () => {
  it("counts what became of the definitions, news first", () => {
    expect(countOutcomes(NODES)).toEqual([
      { outcome: "imported", count: 2 },
      { outcome: "refused", count: 1 },
      { outcome: "duplicate", count: 1 },
      { outcome: "unheard of", count: 1 },
    ]);
  });

  it("has something to build only where something came in", () => {
    expect(newToBuild({ definitions: NODES, to_build: ["a", "b"] })).toEqual(["b"]);
    expect(newToBuild({ definitions: [node("a", "duplicate")], to_build: ["a"] })).toEqual([]);
    expect(newToBuild({ definitions: [node("a", "returned")], to_build: ["a"] })).toEqual(["a"]);
  });

  it("is filtered by outcome, or shows all, news first", () => {
    expect(withOutcome(NODES, "imported").map((each) => each.name)).toEqual(["b", "d"]);
    expect(withOutcome(NODES, "").map((each) => each.name)).toEqual(["b", "d", "c", "a", "e"]);
  });
});

describe("the name of an exported file", () => {
  it("is what the server says, or made from the model's", () => {
    const header = `attachment; filename="retail_definitions.json"; filename*=UTF-8''retail_definitions.json`;

    expect(fileName(header, "x.json")).toBe("retail_definitions.json");
    expect(fileName(null, "x.json")).toBe("x.json");
  });
});
