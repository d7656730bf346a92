import { describe, expect, it } from "vitest";

import { quoteName, wordBefore, writeName } from "./sql_names";

describe("names", () => {
  it("are quoted where SQL needs it", () => {
    expect(writeName("retail_demo")).toBe("retail_demo");
    expect(writeName("Retail")).toBe('"Retail"');
    expect(quoteName('5" pipe')).toBe('"5"" pipe"');
  });

  it("are told from what stands before them", () => {
    expect(wordBefore('SELECT "Sold Y')).toBe('"Sold Y');
    expect(wordBefore('SELECT "Sold Year", "Category" FROM ret')).toBe("ret");
    expect(wordBefore("FROM retail_demo.ret")).toBe("retail_demo.ret");
    expect(wordBefore('SELECT "Sold Year"')).toBe("");
    expect(wordBefore("SELECT ")).toBe("");
  });
});
