import { describe, expect, it } from "vitest";

import { formatSql, sqlPieces } from "./sql_highlighting";

const SQL = `SELECT "year", sum("price") FROM "sales" WHERE "name" = 'New York' AND x > 10 -- all\nGROUP BY 1`;

describe("SQL", () => {
  it("loses nothing when it is cut into pieces", () => {
    expect(
      sqlPieces(SQL)
        .map((piece) => piece.text)
        .join(""),
    ).toBe(SQL);
  });

  it("is coloured by what its pieces are", () => {
    const kinds = Object.fromEntries(sqlPieces(SQL).map((piece) => [piece.text, piece.kind]));

    expect(kinds).toMatchObject({
      SELECT: "sql-keyword",
      "'New York'": "sql-string",
      "10": "sql-literal",
      "-- all": "sql-comment",
    });
  });

  it("is broken into lines, or left as it is when it cannot be read", () => {
    expect(formatSql("SELECT a, b FROM t WHERE a = 1").split("\n").length).toBeGreaterThan(3);
    expect(formatSql("SELECT 'open")).toBe("SELECT 'open");
  });

  it("keeps the places of values that the log has left out", () => {
    expect(formatSql("SELECT a FROM t WHERE b = %s AND c IN (%s, ?)")).toMatch(/b = %s[^]*IN \(%s, \?\)/);
    expect(formatSql("SELECT a % s FROM t")).toContain("a % s");
  });
});
