import { describe, expect, it } from "vitest";

import type { Structure } from "../documents";
import { drawGrain, roleTitle } from "./grain";

const hierarchy = (dimension: string, role: string, name: string, levels: string[]) => ({
  dimension,
  role,
  name,
  label: name,
  levels: levels.map((level) => ({ name: level, label: "" })),
});

const STRUCTURE: Structure = {
  hierarchies: [
    hierarchy("Calendar", "Sold {0}", "months", ["Sold Year", "Sold Quarter", "Sold Month", "Sold Day"]),
    hierarchy("Calendar", "Sold {0}", "weeks", ["Sold Week", "Sold Day"]),
    hierarchy("Calendar", "Returned {0}", "months", ["Returned Year", "Returned Day"]),
    hierarchy("Store", "", "places", ["State", "City", "Store"]),
  ],
  attributes: [],
  metrics: [],
  facts: ["sales"],
};

const kinds = (attributes: string[]) =>
  Object.fromEntries(
    drawGrain(attributes, STRUCTURE).columns.map((column) => [
      column.title,
      column.ladders.map((ladder) => ladder.rungs.map((rung) => rung.kind[0]).join("")),
    ]),
  );

describe("the drawing of a grain", () => {
  it("tells stored levels from those that can be derived and those that are too fine", () => {
    expect(kinds(["Sold Month", "State"])).toEqual({ "Sold Calendar": ["ddsa"], Store: ["saa"] });
  });

  it("derives coarser levels from the finest stored one, also between two stored ones", () => {
    expect(kinds(["Sold Year", "Sold Month"])).toEqual({ "Sold Calendar": ["sdsa"] });
  });

  it("shows each hierarchy that a stored level belongs to", () => {
    expect(kinds(["Sold Day"])).toEqual({ "Sold Calendar": ["ddds", "ds"] });
  });

  it("names attributes of no hierarchy, and dimensions of which nothing is stored", () => {
    expect(drawGrain(["Sold Week", "Gift Wrapped"], STRUCTURE)).toMatchObject({
      loose: ["Gift Wrapped"],
      absent: ["Returned Calendar", "Store"],
    });
    expect(drawGrain([], STRUCTURE).columns).toEqual([]);
  });

  it("names a dimension by its role", () => {
    expect(roleTitle("Calendar", "Sold {0}")).toBe("Sold Calendar");
    expect(roleTitle("Store", "")).toBe("Store");
  });
});
