/** Sums of the overview, over its days. */
import type { components } from "src/api/schema";

export type Overview = components["schemas"]["Overview"];
export type DayFigures = components["schemas"]["DayFigures"];
export type Attention = components["schemas"]["Attention"];
export type SizeTile = components["schemas"]["SizeTile"];

export const DAYS = [7, 30, 90] as const;
export type Days = (typeof DAYS)[number];

/** The number of days that the address asks for; 30 where it says nothing that is offered. */
export const daysOf = (word: string): Days => DAYS.find((days) => String(days) === word) ?? 30;

export type Totals = {
  queries: number;
  hits: number;
  misses: number;
  fallbacks: number;
  /** Share of the queries that came from aggregates; null without queries. */
  hitShare: number | null;
  factRows: number;
  /** Rows that the facts would have read and that nobody had to. */
  rowsNotRead: number;
  secondsSaved: number;
};

/** All days together. */
export const totalsOf = (days: readonly DayFigures[]): Totals => {
  const sum = (figure: (day: DayFigures) => number) => days.reduce((total, day) => total + figure(day), 0);
  const queries = sum((day) => day.queries);
  const hits = sum((day) => day.hits);
  const factRows = sum((day) => day.fact_rows);
  return {
    queries,
    hits,
    misses: sum((day) => day.misses),
    fallbacks: sum((day) => day.fallbacks),
    hitShare: queries === 0 ? null : hits / queries,
    factRows,
    rowsNotRead: Math.max(0, factRows - sum((day) => day.rows_read)),
    secondsSaved: sum((day) => day.seconds_saved),
  };
};

const SEVERITIES = ["error", "warning", "info"];

/** What is worst first; what is equally bad as the server says it. */
export const bySeverity = (one: Attention, other: Attention): number =>
  SEVERITIES.indexOf(one.severity) - SEVERITIES.indexOf(other.severity);
