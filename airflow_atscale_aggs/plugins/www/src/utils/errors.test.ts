import { describe, expect, it } from "vitest";

import { splitError } from "./errors";

describe("an error of a build", () => {
  it("is a sentence, and the statement that was refused", () => {
    expect(splitError("duckdb: no space left [SQL: SELECT a[1]\nFROM t]")).toEqual({
      sentence: "duckdb: no space left.",
      sql: "SELECT a[1]\nFROM t",
    });
  });

  it("may have no statement", () => {
    expect(splitError("The batch was canceled [by ann].")).toEqual({
      sentence: "The batch was canceled [by ann].",
      sql: "",
    });
  });
});
