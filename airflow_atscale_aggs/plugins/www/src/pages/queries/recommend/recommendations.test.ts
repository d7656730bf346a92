import { describe, expect, it } from "vitest";

import { answerWith, modelOf } from "src/test_support";

import { aboutQueries, byReason, define, outcomeText, whyNoAdvice, whyNoDefine } from "./recommendations";
import { recommendationOf, recommendationsOf } from "./recommendation_examples";

describe("recommendations", () => {
  it("say what became of one, and of several", () => {
    expect(outcomeText({ by_class: "added" })).toBe("It is defined now. The next batch builds it.");
    expect(outcomeText({ by_class: "blocked" })).toBe("A person switched it off.");
    expect(outcomeText({ a: "added", b: "returned", c: "duplicate" })).toBe(
      "2 of 3 aggregates are defined now; the next batch builds them. 1 had been defined or blocked before.",
    );
    expect(outcomeText({})).toBe("Nothing was defined.");
  });

  it("are defined by their names, from what was looked at", async () => {
    const model = modelOf();
    const requests = answerWith({
      [`POST /api/connections/retail_aggs/models/${model.id}/recommend`]: {
        body: recommendationsOf([
          recommendationOf({ name: "by_class", outcome: "added" }),
          recommendationOf({ name: "by_hour", outcome: null }),
        ]),
      },
    });
    const outcomes = await define(model, { queries: ["SELECT 1"], budget_percent: 1000 }, ["by_class"]);
    expect(outcomes).toEqual({ by_class: "added" });
    expect(await requests[0]?.json()).toEqual({
      apply: true,
      only: ["by_class"],
      from_structure: false,
      queries: ["SELECT 1"],
      budget_percent: 1000,
    });
  });

  it("say why a visitor may not ask, or define", () => {
    expect(whyNoAdvice(modelOf())).toBe("");
    expect(whyNoAdvice(modelOf({ may_build: false }))).toContain("trigger a DAG");
    expect(whyNoDefine(modelOf(), [recommendationOf()])).toBe("");
    expect(whyNoDefine(modelOf(), [])).toContain("dealt with");
    expect(whyNoDefine(modelOf({ may_manage: false }), [recommendationOf()])).toContain("You may not define");
  });

  it("tell what cannot be served by reasons, those of most queries first", () => {
    const reasons = byReason([
      { what: "a", queries: 1, why: "rare" },
      { what: "b", queries: 1.4, why: "often" },
      { what: "c", queries: 1.4, why: "often" },
    ]);
    expect(reasons.map(({ why, what }) => [why, what])).toEqual([
      ["often", ["b", "c"]],
      ["rare", ["a"]],
    ]);
    expect([0.4, 0.9976, 2.8].map(aboutQueries)).toEqual(["less than 1 query", "1 query", "3 queries"]);
  });
});
