import { describe, expect, it } from "vitest";

import { parseValue, sayValue, type Setting, sortSettings } from "./settings";

const setting = (facts: Partial<Setting>): Setting => ({
  key: "aggregates.batch.max.failures",
  value: 0,
  default: 0,
  source: "default",
  meaning: "failed aggregates tolerated before a batch is failed",
  without_effect: "",
  ...facts,
});

describe("settings", () => {
  const all = [
    setting({}),
    setting({ key: "query.history.enabled", meaning: "keep a log", source: "model", value: false }),
    setting({ key: "aggregates.tableCache.enabled", meaning: "", without_effect: "not kept in memory" }),
  ];
  const keys = (settings: readonly Setting[]) => settings.map(({ key }) => key);

  it("are found by words of key and meaning, in any order and case", () => {
    const found = sortSettings(all, { search: "Failed MAX", isChangedOnly: false });

    expect(keys(found.inForce)).toEqual(["aggregates.batch.max.failures"]);
    expect(found.idle).toEqual([]);
    expect(keys(sortSettings(all, { search: "memory", isChangedOnly: false }).idle)).toHaveLength(1);
  });

  it("can be those alone that somebody changed", () => {
    const found = sortSettings(all, { search: "", isChangedOnly: true });

    expect(keys(found.inForce)).toEqual(["query.history.enabled"]);
    expect(found.idle).toEqual([]);
  });
});

describe("the value of a setting", () => {
  it("is read as what its default is", () => {
    expect(parseValue(" 1,000 ", 3)).toBe(1000);
    expect(parseValue("many", 3)).toBeUndefined();
    expect(parseValue("", 3)).toBeUndefined();
    expect(parseValue("false", true)).toBe(false);
    expect(parseValue(" totals", "off")).toBe("totals");
    expect(parseValue(" ", "off")).toBeUndefined();
  });

  it("is said so that one sees what it is", () => {
    expect(sayValue(true)).toBe("on");
    expect(sayValue(10_000_000)).toBe("10,000,000");
    expect(sayValue("")).toBe("empty");
  });
});
