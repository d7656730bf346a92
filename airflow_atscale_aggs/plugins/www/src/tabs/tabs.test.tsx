import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";

import { App } from "src/App";
import type { components } from "src/api/schema";
import { batchOf, rowOf, stepOf } from "src/pages/batches/batch_examples";
import type { BatchDetail } from "src/pages/batches/batches";
import { answerWith, modelOf, renderAt } from "src/test_support";

const DAG = "batch_build_retail";
const RUN = "manual__1";
const API = "/api/connections/retail_aggs";
const MODEL = modelOf({ dag_id: DAG });

const OVERVIEW: components["schemas"]["Overview"] = {
  days: [],
  last_batch: rowOf(),
  attention: [],
  sizes: [],
  active: 7,
  definitions: 9,
  rows: 1000,
  fact_rows: null,
};

const INSTANCE: components["schemas"]["InstanceDetail"] = {
  id: "instance of sales_by_day",
  definition_id: "definition of sales_by_day",
  batch_id: "b1",
  model_id: MODEL.id,
  aggregate: "sales_by_day",
  fact: "store_sales",
  status: "active",
  table: "agg_sales_by_day_1",
  schema_name: "aggregates",
  rows: 1200,
  seconds: 4,
  source: "store_sales",
  attempt: 1,
  failures: 0,
  error: null,
  started_at: "2026-11-29T10:00:00Z",
  finished_at: "2026-11-29T10:00:04Z",
  activated_at: null,
  drop_after: null,
  view: "sales_by_day",
  position: 0,
  build: "full",
  reason: "",
  full_reason: "",
  estimated_rows: null,
  attempts: [],
  segments: [],
  sql: "SELECT 1",
  missing_tables: null,
  dag_id: DAG,
  run_id: RUN,
  task_id: "build",
  map_index: 0,
};

const answers = (batches: BatchDetail[], models = [MODEL]) =>
  answerWith({
    [`GET /api/dags/${DAG}/models`]: { body: models },
    [`GET /api/dags/${DAG}/runs/${RUN}/batches`]: {
      body: batches.map(({ id, run_id, build_type }) => ({
        ...rowOf({ id, run_id, build_type }),
        connection: "retail_aggs",
      })),
    },
    [`GET ${API}/batches`]: { body: { items: [rowOf()], next_cursor: null, total: null } },
    [`GET ${API}/models/${MODEL.id}/overview`]: { body: OVERVIEW },
    [`GET ${API}/instances/${encodeURIComponent(INSTANCE.id)}`]: { body: INSTANCE },
    ...Object.fromEntries(batches.map((batch) => [`GET ${API}/batches/${batch.id}`, { body: batch }])),
  });

const RUN_PLACE = `/dags/${DAG}/runs/${RUN}/plugin/aggregate-batch`;
const RUN_PATH = "/dags/:dagId/runs/:runId/plugin/:page/*";
const showRun = (address = RUN_PLACE) => renderAt(address, <App dagId={DAG} runId={RUN} />, RUN_PATH);

describe("the tab of a DAG", () => {
  const path = "/dags/:dagId/plugin/:page/*";

  it("shows how its models are doing, and their last batches", async () => {
    answers([]);
    const { router } = renderAt(`/dags/${DAG}/plugin/aggregates-of-dag`, <App dagId={DAG} />, path);

    expect(await screen.findByRole("link", { name: "Retail on the Aggregates page" })).toHaveAttribute(
      "href",
      "/plugin/aggregates?conn=retail_aggs&model=retail",
    );
    expect(await screen.findByText("of 9 definitions.")).toBeVisible();
    const table = await screen.findByRole("grid", { name: "last batches" });
    await userEvent.click(within(table).getByText("Done"));

    expect(router.state.location.search).toBe("?conn=retail_aggs&model=retail&batch=b1");
  });

  it("says that most DAGs build none", async () => {
    answerWith({ "GET /api/dags/etl/models": { body: [] } });
    renderAt("/dags/etl/plugin/aggregates-of-dag", <App dagId="etl" />, path);

    expect(await screen.findByText("This DAG builds no aggregates")).toBeVisible();
  });
});

describe("the tab of a run", () => {
  it("shows its batch", async () => {
    answers([batchOf()]);
    showRun();

    expect(await screen.findByRole("heading", { name: "Full" })).toBeVisible();
    expect(screen.getByRole("link", { name: "Retail on the Aggregates page" })).toHaveAttribute(
      "href",
      "/plugin/aggregates/batches?conn=retail_aggs&model=retail&batch=b1",
    );
    expect(screen.queryByRole("combobox", { name: "Batch of this run" })).not.toBeInTheDocument();
  });

  it("says so where it has begun none", async () => {
    answers([]);
    showRun();

    expect(await screen.findByText("This run has begun no batch")).toBeVisible();
  });

  it("lets one choose where it has begun several", async () => {
    answers([batchOf({ id: "b2" }), batchOf({ id: "b1", build_type: "incremental" })]);
    const { router } = showRun();

    await userEvent.selectOptions(await screen.findByRole("combobox", { name: "Batch of this run" }), "b1");

    expect(router.state.location.search).toBe("?batch=b1");
    expect(await screen.findByRole("heading", { name: "Incremental" })).toBeVisible();
  });

  it("tells when the batch of another run answered it", async () => {
    answers([batchOf({ run_id: "manual__0" })]);
    showRun();

    expect(await screen.findByText(/answered by the batch of another run/)).toBeVisible();
  });
});

describe("the tab of a task instance", () => {
  const path = "/dags/:dagId/runs/:runId/tasks/:taskId/*";
  const showTask = (taskId: string, mapIndex?: string) =>
    renderAt(
      `/dags/${DAG}/runs/${RUN}/tasks/${taskId}/plugin/aggregate-instance`,
      <App dagId={DAG} mapIndex={mapIndex} runId={RUN} taskId={taskId} />,
      path,
    );
  const batch = batchOf({
    steps: [stepOf(), stepOf({ aggregate: "sales_by_week", position: 1, map_index: 1 })],
  });

  it("shows the aggregate that it built", async () => {
    answers([batch]);
    showTask("build", "0");

    expect(await screen.findByRole("heading", { name: "sales_by_day" })).toBeVisible();
    expect(await screen.findByText("aggregates.agg_sales_by_day_1")).toBeVisible();
    expect(screen.getByRole("region", { name: "SQL that makes sales_by_day" })).toHaveTextContent("SELECT 1");
    expect(screen.getByText(/1 of 2 in/)).toBeVisible();
  });

  it("leads to the mapped instances from the task as a whole", async () => {
    answers([batch]);
    showTask("build");

    expect(await screen.findByText("Each mapped instance builds one aggregate")).toBeVisible();
  });

  it("says that other tasks build none", async () => {
    answers([batch]);
    showTask("plan");

    expect(await screen.findByText("This task builds no aggregate")).toBeVisible();
    expect(screen.getByRole("link", { name: "the batch of this run" })).toBeVisible();
  });
});
