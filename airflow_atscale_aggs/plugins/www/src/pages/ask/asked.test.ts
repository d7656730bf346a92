import { afterEach, describe, expect, it } from "vitest";

import { answerWith, modelOf } from "src/test_support";

import { USUAL } from "./ask_options";
import { ask, forgetAll, type PastQuery, withPast } from "./asked";

const past = (sql: string, facts: Partial<PastQuery> = {}): PastQuery => ({
  sql,
  deed: "run",
  options: USUAL,
  at: "2026-11-28T09:00:00Z",
  outcome: "1 row",
  isFailed: false,
  ...facts,
});

afterEach(forgetAll);

describe("the history of a session", () => {
  it("has each query once, the last one first, and no more than fit a menu", () => {
    const history = withPast([past("a"), past("b"), past("a", { deed: "explain" })], past("b"));

    expect(history.map(({ sql, deed }) => `${deed} ${sql}`)).toEqual(["run b", "run a", "explain a"]);
    const many = Array.from({ length: 40 }, (_, at) => past(`q${at}`));
    expect(withPast(many, past("new"))).toHaveLength(30);
  });

  it("is kept for the tab of the browser, failures too", async () => {
    answerWith({});
    await ask(modelOf(), "run", "SELECT 1", USUAL);

    const kept = JSON.parse(
      sessionStorage.getItem(`aggregates/asked/retail_aggs ${modelOf().id}`) ?? "",
    ) as PastQuery[];
    expect(kept).toMatchObject([{ sql: "SELECT 1", isFailed: true, outcome: "Not found" }]);
  });
});
