import { describe, expect, it } from "vitest";

import { csvOf, isNumeric, sortRows, textOf } from "./answer_values";

describe("a column", () => {
  it("is numeric when all that is there are numbers, however exact", () => {
    expect(isNumeric([[1], [null], ["0.12345678901234567"]], 0)).toBe(true);
    expect(isNumeric([["12345678901234567890"]], 0)).toBe(true);
    expect(isNumeric([[null]], 0)).toBe(false);
  });

  it("is text when codes look like numbers", () => {
    expect(isNumeric([["00123"], ["4"]], 0)).toBe(false);
    expect(isNumeric([["2001-01-01"]], 0)).toBe(false);
    expect(isNumeric([[1], ["x"]], 0)).toBe(false);
  });
});

describe("rows", () => {
  it("are sorted as numbers or as texts, NULL last", () => {
    const rows = [[10], [null], [9], [-1]];

    expect(sortRows(rows, 0, false)).toEqual([[-1], [9], [10], [null]]);
    expect(sortRows(rows, 0, true)).toEqual([[10], [9], [-1], [null]]);
    expect(sortRows([["b"], ["A"], ["c"]], 0, false)).toEqual([["A"], ["b"], ["c"]]);
  });

  it("are written as CSV, in which NULL and the empty text differ", () => {
    expect(
      csvOf(
        ["a", 'b "x"'],
        [
          [1, null],
          ["", "x,\ny"],
          [true, [1, 2]],
        ],
      ),
    ).toBe('a,"b ""x"""\r\n1,\r\n"","x,\ny"\r\ntrue,"[1,2]"\r\n');
  });

  it("show digits as they are", () => {
    expect(textOf(2001)).toBe("2001");
    expect(textOf(null)).toBeNull();
    expect(textOf(1.5)).toBe("1.5");
  });
});
