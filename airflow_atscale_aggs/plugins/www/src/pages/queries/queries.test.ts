import { describe, expect, it } from "vitest";

import { modelOf } from "src/test_support";

import { lacksValues, oneLine, sourcesText, standInOf } from "./queries";
import { queryOf } from "./query_examples";

describe("a query of the log", () => {
  it("names what answered it once", () => {
    const source = { aggregate: "by_year", definition_id: "d1", rows: 5, fact_rows: 100 };
    expect(
      sourcesText([
        { fact: "sales", ...source },
        { fact: "returns", ...source },
        { fact: "stock", ...source, aggregate: null, definition_id: null },
      ]),
    ).toBe("by_year, stock");
  });

  it("is shown in one line", () => {
    expect(oneLine('SELECT\n  "Year"\nFROM m\n')).toBe('SELECT "Year" FROM m');
  });

  it("lacks values where a parameter stands, not where a name or a text has a question mark", () => {
    expect(lacksValues('SELECT a FROM m WHERE "Year" = ?')).toBe(true);
    expect(lacksValues('SELECT a FROM m WHERE "Category" = %s')).toBe(true);
    expect(lacksValues(`SELECT "100%s" FROM m WHERE a = '%s'`)).toBe(false);
    expect(lacksValues(`SELECT "Why ""so""?" FROM m WHERE a = 'it''s?'`)).toBe(false);
  });

  it("is explained as it was asked where the log keeps all of it", () => {
    const query = queryOf({ sql: 'SELECT "Year" FROM retail.retail' });
    expect(standInOf(query, modelOf())).toEqual({ sql: query.sql, isSame: true });
  });

  it("is explained by its grain where values are left out, what it filters by included", () => {
    const query = queryOf({
      sql: 'SELECT "Year", "Say ""x""" FROM retail.retail WHERE "State" = ? AND "Year" > ?',
      attributes: ["Year"],
      filters: ["State", "Year"],
      metrics: ['Say "x"'],
    });
    expect(standInOf(query, modelOf())).toEqual({
      sql: 'SELECT "Year", "State", "Say ""x""" FROM "retail"."retail"',
      isSame: false,
    });
    expect(standInOf({ ...query, attributes: [], filters: [], metrics: [] }, modelOf())).toBeNull();
  });
});
