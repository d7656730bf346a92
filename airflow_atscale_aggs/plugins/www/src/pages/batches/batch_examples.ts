/** Batches for tests. */
import type { BatchDetail, BatchRow, BatchStep } from "./batches";

/** A step that is built, with the given facts. */
export const stepOf = (facts: Partial<BatchStep> = {}): BatchStep => ({
  instance_id: `instance of ${facts.aggregate ?? "sales_by_day"}`,
  definition_id: `definition of ${facts.aggregate ?? "sales_by_day"}`,
  aggregate: "sales_by_day",
  fact: "store_sales",
  position: 0,
  status: "active",
  build: "full",
  source: "store_sales",
  planned_source: "store_sales",
  rows: 1200,
  estimated_rows: 1000,
  seconds: 4,
  usual_seconds: 4,
  started_at: "2026-11-29T10:00:00Z",
  finished_at: "2026-11-29T10:00:04Z",
  attempt: 1,
  failures: 0,
  error: null,
  map_index: 0,
  ...facts,
});

/** A batch that has ended well, with the given facts. */
export const batchOf = (facts: Partial<BatchDetail> = {}): BatchDetail => ({
  id: "b1",
  model_id: "5f0c1c3e-0000-5000-8000-000000000001",
  model: "retail",
  build_type: "full",
  status: "done",
  owner: "airflow:batch_build_retail/manual__1",
  created_at: "2026-11-29T10:00:00Z",
  finished_at: "2026-11-29T10:01:00Z",
  seconds: 60,
  usual_seconds: 60,
  failures: 0,
  counts: { active: 1 },
  aggregates: [],
  dag_id: "batch_build_retail",
  run_id: "manual__1",
  notes: [],
  grace_periods: {},
  steps: [stepOf()],
  done_share: 1,
  estimated_end_at: null,
  out_of_attempts: [],
  request_id: null,
  build_task_id: "build",
  ...facts,
});

/** The same batch as a row of a list. */
export const rowOf = (facts: Partial<BatchRow> = {}): BatchRow => ({
  id: "b1",
  model_id: "5f0c1c3e-0000-5000-8000-000000000001",
  model: "retail",
  build_type: "full",
  status: "done",
  owner: "airflow:batch_build_retail/manual__1",
  created_at: "2026-11-29T10:00:00Z",
  finished_at: "2026-11-29T10:01:00Z",
  seconds: 60,
  usual_seconds: 60,
  failures: 0,
  counts: { active: 1 },
  aggregates: [],
  dag_id: "batch_build_retail",
  run_id: "manual__1",
  ...facts,
});
