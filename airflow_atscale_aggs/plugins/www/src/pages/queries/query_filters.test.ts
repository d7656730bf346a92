import { describe, expect, it } from "vitest";

import { filtersOf, isFiltered, NO_FILTERS, paramsOf, requestOf, usersOf } from "./query_filters";

const NOW = Date.parse("2026-11-29T12:00:00Z");

describe("filters of the Queries tab", () => {
  it("are read from the address, without words that nobody knows", () => {
    const filters = filtersOf(
      new URLSearchParams("outcome=miss,fallback,odd&period=24h&search=Year&definition=d1&user=ann"),
    );
    expect(filters).toEqual({
      search: "Year",
      outcome: ["miss", "fallback"],
      period: ["24h"],
      definition: "d1",
      user: "ann",
    });
    const again = new URLSearchParams(
      Object.entries(paramsOf(filters)).map(([name, value]) => [name, value ?? ""]),
    );
    expect(filtersOf(again)).toEqual(filters);
  });

  it("become a request with the moment that a period begins at", () => {
    const filters = filtersOf(new URLSearchParams("period=24h&definition=d1&user=ann"));
    expect(requestOf(filters, "m", NOW)).toEqual({
      model: ["m"],
      outcome: [],
      definition_id: "d1",
      user: "ann",
      asked_after: "2026-11-28T12:00:00.000Z",
    });
  });

  it("offer those who have asked, each once", () => {
    const rows = ["cleo", "Ann", "", "cleo"].map((user) => ({ user }));
    expect(usersOf(rows, "")).toEqual(["Ann", "cleo"]);
    expect(usersOf(rows, " an")).toEqual(["Ann"]);
  });

  it("ask for all without any", () => {
    const none = filtersOf(new URLSearchParams());
    expect(isFiltered(none)).toBe(false);
    expect(isFiltered({ ...none, definition: "d1" })).toBe(true);
    expect(requestOf(none, "m", NOW)).toEqual({ model: ["m"], outcome: [] });
    expect(Object.values(NO_FILTERS).every((value) => value === "")).toBe(true);
  });
});
