/**
 * What was asked of each model since the browser's tab was opened. Airflow mounts the page anew at each of its paths, so
 * it is kept here: an answer that one waits for arrives while one looks at something else.
 */
import { useSyncExternalStore } from "react";

import { fetchClient } from "src/api/client";
import { problemOf } from "src/api/problems";
import type { Model } from "src/frame/models";
import { plural } from "src/utils/numbers";

import { type AskOptions, askRequest } from "./ask_options";
import type { Answer, Explanation } from "./documents";

export type Deed = "run" | "explain";

/** A query that was asked, and what came of it. */
export type Asked = {
  deed: Deed;
  sql: string;
  options: AskOptions;
  answer?: Answer;
  explanation?: Explanation;
  error?: unknown;
};

/** A line of the history. */
export type PastQuery = {
  sql: string;
  deed: Deed;
  options: AskOptions;
  at: string;
  /** What came of it, in a few words. */
  outcome: string;
  isFailed: boolean;
};

export type AskState = {
  /** What stands in the editor; undefined until somebody typed. */
  draft: string | undefined;
  /** What one waits for. */
  waiting: { deed: Deed; stop: () => void } | null;
  asked: Asked | null;
  history: readonly PastQuery[];
};

const MOST_PAST = 30;
const NOTHING: AskState = { draft: undefined, waiting: null, asked: null, history: [] };

const states = new Map<string, AskState>();
const listeners = new Set<() => void>();

const keyOf = (model: Model) => `${model.connection} ${model.id}`;
const storageKey = (key: string) => `aggregates/asked/${key}`;

const readHistory = (key: string): readonly PastQuery[] => {
  try {
    const past: unknown = JSON.parse(sessionStorage.getItem(storageKey(key)) ?? "[]");
    return Array.isArray(past) ? (past as PastQuery[]) : [];
  } catch {
    return [];
  }
};

const stateOf = (key: string): AskState => {
  let state = states.get(key);
  if (state === undefined) {
    state = { ...NOTHING, history: readHistory(key) };
    states.set(key, state);
  }
  return state;
};

const change = (key: string, changes: Partial<AskState>) => {
  states.set(key, { ...stateOf(key), ...changes });
  if (changes.history !== undefined) {
    try {
      sessionStorage.setItem(storageKey(key), JSON.stringify(changes.history));
    } catch {
      // A browser that keeps nothing has a history until the page is loaded anew.
    }
  }
  for (const listener of listeners) {
    listener();
  }
};

/** The history with one more query at its start; one that was asked before moves there. */
export const withPast = (history: readonly PastQuery[], past: PastQuery): readonly PastQuery[] =>
  [past, ...history.filter((each) => each.sql !== past.sql || each.deed !== past.deed)].slice(0, MOST_PAST);

const sayOutcome = ({ answer, explanation, error }: Asked): string => {
  if (answer !== undefined) {
    return plural(answer.rows.length, "row");
  }
  return explanation === undefined ? problemOf(error).title : "explained";
};

const request = async (
  model: Model,
  deed: Deed,
  sql: string,
  options: AskOptions,
  signal: AbortSignal,
): Promise<Asked> => {
  const init = {
    params: { path: { connection: model.connection } },
    body: askRequest(model, sql, options),
    signal,
  };
  try {
    if (deed === "run") {
      const { data } = await fetchClient.POST("/api/connections/{connection}/query", init);
      // CSV and Arrow have no shape that the client knows; JSON is what comes unless they are asked for.
      return { deed, sql, options, answer: data as Answer };
    }
    const { data } = await fetchClient.POST("/api/connections/{connection}/explain", init);
    return { deed, sql, options, explanation: data };
  } catch (error) {
    return { deed, sql, options, error };
  }
};

/** Run or explain a query. What one waited for before is not waited for any longer. */
export const ask = async (model: Model, deed: Deed, sql: string, options: AskOptions): Promise<void> => {
  const key = keyOf(model);
  stateOf(key).waiting?.stop();
  const abort = new AbortController();
  const stop = () => {
    abort.abort();
    change(key, { waiting: null });
  };
  change(key, { waiting: { deed, stop } });
  const asked = await request(model, deed, sql, options, abort.signal);
  if (!abort.signal.aborted) {
    const past: PastQuery = {
      sql,
      deed,
      options,
      at: new Date().toISOString(),
      outcome: sayOutcome(asked),
      isFailed: asked.error !== undefined,
    };
    change(key, { waiting: null, asked, history: withPast(stateOf(key).history, past) });
  }
};

/** Keep what stands in the editor. */
export const setDraft = (model: Model, draft: string): void => {
  if (stateOf(keyOf(model)).draft !== draft) {
    change(keyOf(model), { draft });
  }
};

/** Forget the queries that were asked of a model in this tab of the browser. */
export const forgetHistory = (model: Model): void => {
  change(keyOf(model), { history: [] });
};

/** Forget everything; for tests. */
export const forgetAll = (): void => {
  states.clear();
  sessionStorage.clear();
};

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
};

/** What was asked of a model, as it changes. */
export const useAsked = (model: Model): AskState => {
  const key = keyOf(model);
  return useSyncExternalStore(subscribe, () => stateOf(key));
};
