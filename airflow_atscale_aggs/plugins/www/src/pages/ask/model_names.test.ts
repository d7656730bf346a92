import { describe, expect, it } from "vitest";

import { modelOf } from "src/test_support";

import type { Structure } from "./documents";
import { exampleQueries, nameGroups, offeredNames, tableName } from "./model_names";

const STRUCTURE: Structure = {
  facts: ["store_sales"],
  attributes: [
    { name: "Sold Year", label: "Sold Year" },
    { name: "Zip", label: "Postal code" },
  ],
  hierarchies: [
    {
      dimension: "Date",
      role: "Sold {0}",
      name: "calendar",
      label: "Calendar",
      levels: [{ name: "Sold Year", label: "Year" }],
    },
  ],
  metrics: [
    { name: "Revenue", label: "Revenue", fact: "store_sales", method: "sum", expression: "" },
    { name: "Share", label: "Share", fact: "", method: "calculated", expression: "[Revenue] / 2" },
  ],
};

describe("the names of a model", () => {
  it("are offered with what they are; the model as it stands after FROM", () => {
    expect(offeredNames(modelOf(), STRUCTURE)).toEqual([
      { name: "retail", kind: "class", detail: "model", text: "retail.retail" },
      { name: "Sold Year", kind: "property", detail: "attribute" },
      { name: "Zip", kind: "property", detail: "attribute: Postal code" },
      { name: "Revenue", kind: "variable", detail: "sum of store_sales" },
      { name: "Share", kind: "variable", detail: "calculated" },
    ]);
    expect(tableName(modelOf({ catalog: "My shop", name: "retail" }))).toBe('"My shop".retail');
  });

  it("are listed by hierarchy, and found by what they mean", () => {
    expect(nameGroups(STRUCTURE, "").map(({ title }) => title)).toEqual([
      "Metrics",
      "Calendar (Sold …)",
      "Other attributes",
    ]);
    expect(nameGroups(STRUCTURE, "postal")).toEqual([
      { title: "Other attributes", names: [{ name: "Zip", help: "Postal code" }] },
    ]);
    expect(nameGroups(STRUCTURE, "nothing like this")).toEqual([]);
  });
});

describe("queries to begin with", () => {
  it("ask for what definitions hold, and for a metric alone", () => {
    const definitions = [
      { attributes: [], metrics: ["Revenue"] },
      { attributes: ["Sold Year"], metrics: ["Revenue"] },
    ];

    expect(exampleQueries(modelOf(), STRUCTURE, definitions)).toEqual([
      'SELECT "Sold Year", "Revenue"\nFROM retail.retail\nORDER BY 2 DESC',
      'SELECT "Revenue"\nFROM retail.retail',
    ]);
  });

  it("are none where the model has no metric", () => {
    expect(exampleQueries(modelOf(), { ...STRUCTURE, metrics: [] }, [])).toEqual([]);
  });
});
