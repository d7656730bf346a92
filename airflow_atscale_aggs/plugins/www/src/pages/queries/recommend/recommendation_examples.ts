/** Recommendations, for tests. */
import type { Recommendation, Recommendations } from "../documents";

/** One with the given facts and plain others. */
export const recommendationOf = (facts: Partial<Recommendation> = {}): Recommendation => ({
  name: "sales_by_class",
  label: "sales by Class",
  fact: "sales",
  attributes: ["Class"],
  metrics: ["Revenue"],
  rows: 5560,
  size_bytes: 333_600,
  rows_saved: 114_967,
  share: 0.95,
  queries: 12,
  reason: "asked 12 times: Class reads 5,560 rows instead of 120,527",
  outcome: null,
  gives_way: [],
  sml: "- unique_name: sales_by_class\n",
  ...facts,
});

/** An answer with these. */
export const recommendationsOf = (
  recommendations: Recommendation[],
  facts: Partial<Recommendations> = {},
): Recommendations => ({
  source: "history",
  queries: 12,
  cost_before: 120_527,
  cost_after: 5560,
  recommendations,
  unserved: [],
  message: "With 1 more, the queries would read 5,560 rows instead of 120,527 (95% less).",
  ...facts,
});
