import { describe, expect, it } from "vitest";

import { builtChoicesOf, filtersOf, isFiltered, NO_FILTERS, paramsOf, requestOf } from "./definition_filters";

const of = (address: string) => filtersOf(new URLSearchParams(address));
const NOW = Date.UTC(2026, 10, 29, 9, 41, 7);

describe("the filters of the Definitions tab", () => {
  it("show what is defined, by name, when the address says nothing", () => {
    expect(requestOf(of(""), "m", NOW)).toEqual({
      model: ["m"],
      origin: [],
      status: [],
      state: ["defined"],
      sort: "name",
      descending: false,
    });
    expect(isFiltered(of(""))).toBe(false);
  });

  it("are read from the address, without what it does not know", () => {
    const filters = of("type=demand_defined,nonsense&status=failed,active&sort=-uses&search=year&state=any");

    expect(filters).toEqual({
      search: "year",
      type: ["demand_defined"],
      status: ["active", "failed"],
      used: [],
      built: [],
      state: [],
      sort: { by: "uses", isDescending: true },
    });
    expect(of("sort=drop").sort).toEqual({ by: "name", isDescending: false });
    expect(requestOf(filters, "m", NOW)).toMatchObject({
      state: ["defined", "blocked", "retired"],
      search: "year",
      sort: "uses",
      descending: true,
    });
  });

  it("stand in the address as they are read from it", () => {
    for (const address of [
      "",
      "search=year&type=user_defined&status=active%2Cfailed&used=7&state=any&sort=-rows",
      "state=blocked%2Cretired&used=not-45&built=not-7d",
    ]) {
      const said = Object.entries(paramsOf(of(address))).filter(
        ([, value]) => value !== null && value !== "",
      );
      const params = new URLSearchParams(said as [string, string][]);
      params.sort();
      const asked = new URLSearchParams(address);
      asked.sort();
      expect(params.toString()).toBe(asked.toString());
    }
    expect(Object.values(NO_FILTERS).filter(Boolean)).toEqual([]);
  });

  it("ask by the hour for what was used or was not", () => {
    expect(requestOf(of("used=7"), "m", NOW).used_since).toBe("2026-11-22T09:00:00.000Z");
    expect(requestOf(of("used=not-45"), "m", NOW)).toMatchObject({
      unused_since: "2026-10-15T09:00:00.000Z",
    });
    expect(requestOf(of("used=never"), "m", NOW)).toMatchObject({ never_used: true });
    expect(requestOf(of("used=never"), "m", NOW)).not.toHaveProperty("unused_since");
  });

  it("ask for what is older than the overview finds new", () => {
    expect(requestOf(of("built=not-36h"), "m", NOW).built_before).toBe("2026-11-27T21:41:07.000Z");
    expect(isFiltered(of("built=not-36h"))).toBe(true);
    expect(requestOf(of("built=not-50h"), "m", NOW).built_before).toBe("2026-11-27T07:41:07.000Z");
    expect(builtChoicesOf(["not-50h"]).at(-1)).toEqual({ value: "not-50h", label: "not for 50 hours" });
    expect(builtChoicesOf(["not-7d"])).toBe(builtChoicesOf([]));
    expect(requestOf(of("built=nonsense"), "m", NOW).built_before).toBeUndefined();
    expect(requestOf(of("built=12h"), "m", NOW)).not.toHaveProperty("built_before");
  });
});
