import { describe, expect, it } from "vitest";

import { filtersOf, isFiltered, NO_FILTERS, paramsOf, requestOf } from "./query_filters";

const NOW = Date.parse("2026-11-29T12:00:00Z");

describe("filters of the Queries tab", () => {
  it("are read from the address, without words that nobody knows", () => {
    const filters = filtersOf(
      new URLSearchParams("outcome=miss,fallback,odd&period=24h&search=Year&definition=d1"),
    );
    expect(filters).toEqual({
      search: "Year",
      outcome: ["miss", "fallback"],
      period: ["24h"],
      definition: "d1",
    });
    const again = new URLSearchParams(
      Object.entries(paramsOf(filters)).map(([name, value]) => [name, value ?? ""]),
    );
    expect(filtersOf(again)).toEqual(filters);
  });

  it("become a request with the moment that a period begins at", () => {
    const filters = filtersOf(new URLSearchParams("period=24h&definition=d1"));
    expect(requestOf(filters, "m", NOW)).toEqual({
      model: ["m"],
      outcome: [],
      definition_id: "d1",
      asked_after: "2026-11-28T12:00:00.000Z",
    });
  });

  it("ask for all without any", () => {
    const none = filtersOf(new URLSearchParams());
    expect(isFiltered(none)).toBe(false);
    expect(isFiltered({ ...none, definition: "d1" })).toBe(true);
    expect(requestOf(none, "m", NOW)).toEqual({ model: ["m"], outcome: [] });
    expect(Object.values(NO_FILTERS).every((value) => value === "")).toBe(true);
  });
});
