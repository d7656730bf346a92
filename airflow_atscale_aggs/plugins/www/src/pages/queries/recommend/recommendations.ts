/** What is recommended, and what becomes of it. */
import { fetchClient, queryClient } from "src/api/client";
import { statusLook } from "src/components/statuses";
import type { Model } from "src/frame/models";
import { formatCount, plural } from "src/utils/numbers";

import type { Recommendation, Recommendations, RecommendRequest, Unserved } from "../documents";

/** What to look at; the same words are needed to define what came of it. */
export type Look = Partial<Pick<RecommendRequest, "queries" | "from_structure" | "budget_percent">>;

/** The most that the API takes, in percent of the rows of the facts. */
export const NO_BUDGET = 1000;

const recommend = async (model: Model, body: Partial<RecommendRequest>): Promise<Recommendations> => {
  const { data } = await fetchClient.POST("/api/connections/{connection}/models/{model}/recommend", {
    params: { path: { connection: model.connection, model: model.id } },
    body: { apply: false, only: [], from_structure: false, ...body },
  });
  // A refusal is thrown; an answer without a document is none of ours.
  return data as Recommendations;
};

/** Ask what a model should have; nothing is defined. The warehouse scans the facts a few times. */
export const lookFor = (model: Model, look: Look): Promise<Recommendations> => recommend(model, look);

/**
 * Define what was recommended.
 *
 * @param names of those to define.
 * @returns what became of each, by its name.
 * @throws ProblemError where the server refuses, also where one of them is not recommended any more.
 */
export const define = async (
  model: Model,
  look: Look,
  names: readonly string[],
): Promise<Record<string, string>> => {
  const answer = await recommend(model, { ...look, apply: true, only: [...names] });
  void queryClient.invalidateQueries();
  return Object.fromEntries(
    answer.recommendations.flatMap(({ name, outcome }) => (outcome === null ? [] : [[name, outcome]])),
  );
};

/** What became of those that were to be defined, in sentences. */
export const outcomeText = (outcomes: Readonly<Record<string, string>>): string => {
  const names = Object.keys(outcomes);
  const [only] = names;
  if (only === undefined) {
    return "Nothing was defined.";
  }
  const isNew = (name: string) => ["added", "returned"].includes(outcomes[name] ?? "");
  if (names.length === 1) {
    const meaning = statusLook(outcomes[only] ?? "").meaning;
    return `${meaning}${isNew(only) ? " The next batch builds it." : ""}`;
  }
  const defined = names.filter(isNew).length;
  const others = names.length - defined;
  return [
    `${formatCount(defined)} of ${plural(names.length, "aggregate")} ${defined === 1 ? "is" : "are"} defined now; the next batch builds ${defined === 1 ? "it" : "them"}.`,
    ...(others === 0 ? [] : [`${formatCount(others)} had been defined or blocked before.`]),
  ].join(" ");
};

/** Why a visitor may not ask what should be defined, nor define it; empty: he may. */
export const whyNoAdvice = (model: Model): string =>
  model.may_build
    ? ""
    : "You may not ask for recommendations: you need to trigger a DAG that builds this model.";

/** Why a visitor may not define these; empty: he may. */
export const whyNoDefine = (model: Model, open: readonly Recommendation[]): string => {
  if (!model.may_manage) {
    return "You may not define aggregates: you need to trigger a DAG that builds this model.";
  }
  return open.length === 0 ? "They are dealt with already." : "";
};

/** What cannot be served, by its reason: the reasons that concern most queries first. */
export const byReason = (
  unserved: readonly Unserved[],
): { why: string; queries: number; what: string[] }[] => {
  const reasons = new Map<string, { why: string; queries: number; what: string[] }>();
  for (const { why, queries, what } of unserved) {
    const reason = reasons.get(why) ?? { why, queries: 0, what: [] };
    reason.queries += queries;
    reason.what.push(what);
    reasons.set(why, reason);
  }
  return [...reasons.values()].toSorted((one, other) => other.queries - one.queries);
};

/** Queries weigh less the longer ago they were asked: their sum is rarely a whole number. */
export const aboutQueries = (weight: number): string =>
  weight < 0.95 ? "less than 1 query" : plural(Math.round(weight), "query", "queries");
