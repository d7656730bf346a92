/** How a query is asked: how many rows are read, how long one waits, whether aggregates may answer. */
import type { Model } from "src/frame/models";

import type { AskRequest } from "./documents";

export type AskOptions = { rows: number; seconds: number; useAggregates: boolean };

export const ROW_CHOICES = [100, 1000, 10_000, 100_000];
export const SECOND_CHOICES = [10, 30, 120, 300];
export const USUAL: AskOptions = { rows: 1000, seconds: 30, useAggregates: true };

/** A longer query is asked all the same, and does not stand in the address. */
export const LONGEST_IN_ADDRESS = 6000;

const choice = (text: string | null, choices: readonly number[], usual: number): number => {
  const value = Number(text);
  return choices.includes(value) ? value : usual;
};

/** The options that an address names. */
export const optionsOf = (params: URLSearchParams): AskOptions => ({
  rows: choice(params.get("rows"), ROW_CHOICES, USUAL.rows),
  seconds: choice(params.get("timeout"), SECOND_CHOICES, USUAL.seconds),
  useAggregates: params.get("aggregates") !== "off",
});

/** Parameters of the address for some options; what is usual is left out. */
export const paramsOf = (options: Partial<AskOptions>): Record<string, string | null> => ({
  ...(options.rows === undefined ? {} : { rows: options.rows === USUAL.rows ? null : String(options.rows) }),
  ...(options.seconds === undefined
    ? {}
    : { timeout: options.seconds === USUAL.seconds ? null : String(options.seconds) }),
  ...(options.useAggregates === undefined ? {} : { aggregates: options.useAggregates ? null : "off" }),
});

/** The body of a request. */
export const askRequest = (model: Model, sql: string, options: AskOptions): AskRequest => ({
  sql,
  // Two models of a connection may share a name.
  model: `${model.catalog}.${model.name}`,
  dialect: "postgres",
  use_aggregates: options.useAggregates,
  most_rows: options.rows,
  timeout_seconds: options.seconds,
  estimate: true,
});
