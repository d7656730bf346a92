import { describe, expect, it } from "vitest";

import {
  formatBytes,
  formatCompact,
  formatCount,
  formatRows,
  formatSeconds,
  formatShare,
  plural,
} from "./numbers";

const plain = (text: string) => text.replaceAll("\u00a0", " ");

describe("numbers", () => {
  it.each([
    [null, "–"],
    [0, "0"],
    [1234, "1,234"],
    [1234567.4, "1,234,567"],
  ])("counts %s as %s", (value, text) => {
    expect(formatCount(value)).toBe(text);
  });

  it.each([
    [undefined, "–"],
    [0, "0"],
    [999, "999"],
    [999.9, "1.0 K"],
    [1200, "1.2 K"],
    [999_960, "1.0 M"],
    [123_456, "123 K"],
    [1_234_567, "1.2 M"],
    [-4_300_000_000, "-4.3 B"],
  ])("shortens %s to %s", (value, text) => {
    expect(plain(formatCompact(value))).toBe(text);
  });

  it.each([
    [1, "1 row"],
    [0, "0 rows"],
    [1_200_000, "1.2 M rows"],
  ])("says %s rows as %s", (value, text) => {
    expect(plain(formatRows(value))).toBe(text);
  });

  it.each([
    [512, "512 B"],
    [1500, "1.5 KB"],
    [1.5e9, "1.5 GB"],
  ])("says %s bytes as %s", (value, text) => {
    expect(plain(formatBytes(value))).toBe(text);
  });

  it.each([
    [0, "0 s"],
    [0.0001, "< 1 ms"],
    [0.0123, "12 ms"],
    [0.9999, "1.0 s"],
    [2.452150738, "2.5 s"],
    [9.96, "10 s"],
    [42.4, "42 s"],
    [59.97, "1 min"],
    [125, "2 min 5 s"],
    [3600, "1 h"],
    [3780, "1 h 3 min"],
    [187_200, "2 d 4 h"],
    [-3, "-3 s"],
  ])("says %s seconds as %s", (value, text) => {
    expect(plain(formatSeconds(value))).toBe(text);
  });

  it.each([
    [0, "0 %"],
    [0.004, "< 1 %"],
    [0.42, "42 %"],
    [0.999, "> 99 %"],
    [1, "100 %"],
  ])("says the share %s as %s", (value, text) => {
    expect(plain(formatShare(value))).toBe(text);
  });

  it("counts things in words", () => {
    expect([plural(1, "query", "queries"), plural(2000, "row")]).toEqual(["1 query", "2,000 rows"]);
  });
});
