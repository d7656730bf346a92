/** A query of the log, for tests. */
import type { Query } from "./documents";

/** A miss with the given facts and plain others. */
export const queryOf = (facts: Partial<Query> = {}): Query => ({
  id: "7",
  model_id: "5f0c1c3e-0000-5000-8000-000000000001",
  model: "retail",
  asked_at: "2026-11-29T11:00:00Z",
  user: "ann",
  sql: 'SELECT "Class", "Revenue" FROM retail.retail',
  outcome: "miss",
  sources: [{ fact: "sales", aggregate: null, definition_id: null, rows: null, fact_rows: 120_527 }],
  rows: 50,
  seconds: 0.25,
  rows_saved: null,
  seconds_saved: null,
  weight: 1,
  fallback_reason: "",
  attributes: ["Class"],
  metrics: ["Revenue"],
  filters: [],
  ...facts,
});
