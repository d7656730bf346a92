import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";

import { answerWith, modelOf, renderAt } from "src/test_support";

import DefinitionsPage from "./DefinitionsPage";
import type { Definition, DefinitionDetail, InstanceDetail, Structure } from "./documents";

const PLACE = "/plugin/aggregates/definitions";
const LIST = "GET /api/connections/retail_aggs/definitions";

const definitionOf = (facts: Partial<Definition> = {}): Definition => ({
  id: "d1",
  model_id: "m",
  model: "retail",
  catalog: "shop",
  name: "sales_by_year",
  label: "Sales by year",
  origin: "demand_defined",
  state: "defined",
  status: "active",
  reason: "asked 12 times",
  uses: 12,
  last_used_at: "2026-11-28T09:00:00Z",
  rows: 5,
  seconds: 1.5,
  built_at: "2026-11-28T08:00:00Z",
  score: 81.2,
  attributes: ["Sold Year", "State", "City", "Category", "Class"],
  metrics: ["Revenue"],
  created_at: "2026-11-01T00:00:00Z",
  active_instance_id: "i1",
  newest_instance_id: "i1",
  ...facts,
});

const instance = {
  id: "i1",
  definition_id: "d1",
  batch_id: "b1",
  model_id: "m",
  aggregate: "sales_by_year",
  fact: "sales",
  status: "active",
  table: "agg_1",
  schema_name: "aggregates",
  rows: 5,
  seconds: 1.5,
  source: "sales_by_month",
  attempt: 1,
  failures: 0,
  error: null,
  started_at: "2026-11-28T08:00:00Z",
  finished_at: "2026-11-28T08:00:02Z",
  activated_at: "2026-11-28T08:01:00Z",
  drop_after: null,
} as const;

const detailOf = (facts: Partial<DefinitionDetail> = {}): DefinitionDetail => ({
  ...definitionOf(),
  state_reason: "",
  evidence: { predicted_rows: 10 },
  parts: [
    {
      fact: "sales",
      attributes: ["Sold Year"],
      measures: [
        { text: "sum(price)", rolls_up: true },
        { text: "count(distinct customer)", rolls_up: false },
      ],
    },
  ],
  score_detail: null,
  average_saving_seconds: null,
  average_saving_measured_share: null,
  instances: [instance],
  lineage: {
    sources: [
      { kind: "fact", name: "sales", definition_id: null },
      { kind: "aggregate", name: "sales_by_month", definition_id: "d2" },
    ],
    targets: [],
  },
  successor: "",
  can_delete: false,
  ...facts,
});

const instanceDetail: InstanceDetail = {
  ...instance,
  view: "sales_by_year",
  position: 0,
  build: "full",
  reason: "smallest source",
  full_reason: "",
  estimated_rows: 10,
  attempts: [],
  segments: [],
  sql: "CREATE TABLE agg_1 AS SELECT 1",
  missing_tables: null,
  dag_id: "batch_build_retail",
  run_id: "manual__1",
  task_id: "build",
  map_index: 3,
};

const structure: Structure = {
  hierarchies: [
    {
      dimension: "Calendar",
      role: "Sold {0}",
      name: "months",
      label: "Months",
      levels: [
        { name: "Sold Year", label: "Year" },
        { name: "Sold Month", label: "Month" },
      ],
    },
  ],
  attributes: [],
  metrics: [],
  facts: ["sales"],
};

const answers = (rows: Definition[] = [definitionOf()]) => ({
  [LIST]: { body: { items: rows, next_cursor: null, total: rows.length } },
  "GET /api/connections/retail_aggs/definitions/d1": { body: detailOf() },
  "GET /api/connections/retail_aggs/models/5f0c1c3e-0000-5000-8000-000000000001/structure": {
    body: structure,
  },
  "GET /api/connections/retail_aggs/instances/i1": { body: instanceDetail },
});

const asked = (requests: Request[], method = "GET") =>
  requests.filter((request) => request.method === method).map((request) => new URL(request.url));

describe("the Definitions tab", () => {
  it("shows definitions, with names that have no room counted", async () => {
    const requests = answerWith(answers());
    renderAt(PLACE, <DefinitionsPage model={modelOf()} />);

    const row = await screen.findByRole("row", { name: /sales_by_year/ });
    for (const text of ["Sales by year", "Demand", "Active", "12", "81", "+3"]) {
      expect(within(row).getByText(text)).toBeVisible();
    }
    expect(within(row).getByLabelText("and City, Category, Class")).toBeVisible();
    expect(asked(requests).map((url) => url.searchParams.get("cursor"))).toEqual([null, null]);
  });

  it("asks the server as one types, and keeps it in the address", async () => {
    const requests = answerWith(answers());
    const { router } = renderAt(`${PLACE}?sort=-uses`, <DefinitionsPage model={modelOf()} />);
    await screen.findByRole("grid");

    await userEvent.keyboard("/");
    expect(screen.getByRole("textbox", { name: "Search names" })).toHaveFocus();
    await userEvent.keyboard("year");

    await waitFor(() => {
      expect(router.state.location.search).toBe("?sort=-uses&search=year");
    });
    await waitFor(() => {
      const last = asked(requests).at(-1)?.searchParams;
      expect([last?.get("search"), last?.get("sort"), last?.get("descending")]).toEqual([
        "year",
        "uses",
        "true",
      ]);
    });
    const words = asked(requests).map((url) => url.searchParams.get("search"));
    expect(words.filter((word) => word !== null && word !== "year")).toEqual([]);
  });

  it("says what to do first while nothing is defined, and how to see more when filters hide all", async () => {
    answerWith(answers([]));
    const { unmount } = renderAt(PLACE, <DefinitionsPage model={modelOf()} />);
    expect(await screen.findByText("No aggregate is defined yet")).toBeVisible();
    unmount();

    const { router } = renderAt(`${PLACE}?status=failed`, <DefinitionsPage model={modelOf()} />);
    await userEvent.click(await screen.findByRole("button", { name: "Clear search and filters" }));
    expect(router.state.location.search).toBe("");
  });

  it("blocks what is ticked after asking, and builds by the address", async () => {
    const second = definitionOf({ id: "d2", name: "sales_by_month", state: "blocked" });
    const requests = answerWith({
      ...answers([definitionOf(), second]),
      "POST /api/connections/retail_aggs/definitions/d1/block": { body: { message: "Blocked." } },
    });
    const { router } = renderAt(PLACE, <DefinitionsPage model={modelOf()} />);
    await userEvent.click(await screen.findByRole("checkbox", { name: /Choose all/ }));
    await userEvent.click(await screen.findByRole("button", { name: "Build selected" }));
    expect(new URLSearchParams(router.state.location.search).get("build")).toBe("sales_by_year");

    await userEvent.click(screen.getByRole("button", { name: "Block" }));
    const dialog = await screen.findByRole("alertdialog", { name: "Block sales_by_year?" });
    expect(dialog).toHaveTextContent("1 other chosen definition is not defined");
    await userEvent.type(within(dialog).getByRole("textbox", { name: "Why" }), "too large");
    await userEvent.click(within(dialog).getByRole("button", { name: "Block" }));

    await waitFor(() => {
      expect(screen.queryByRole("alertdialog")).not.toBeInTheDocument();
    });
    const [post] = requests.filter((request) => request.method === "POST");
    expect(await post?.json()).toEqual({ why: "too large" });
    expect(asked(requests, "POST")).toHaveLength(1);
  });

  it("lets a visitor see why one may not block", async () => {
    answerWith(answers());
    renderAt(PLACE, <DefinitionsPage model={modelOf({ may_manage: false, may_build: false })} />);
    await userEvent.click(await screen.findByRole("checkbox", { name: "Choose row 1" }));

    const block = await screen.findByRole("button", { name: "Block" });
    expect(block).toHaveAttribute("aria-disabled", "true");
    await userEvent.click(block);
    expect(screen.queryByRole("alertdialog")).not.toBeInTheDocument();
    await userEvent.hover(block);
    expect(await screen.findByText(/Your role may not block/)).toBeVisible();
  });
});

describe("the drawer of a definition", () => {
  it("shows why it exists, its grain, its measures and its lineage", async () => {
    answerWith(answers());
    renderAt(`${PLACE}?definition=d1`, <DefinitionsPage model={modelOf()} />);

    const drawer = await screen.findByRole("dialog", { name: "sales_by_year" });
    expect(within(drawer).getByText("50 % less")).toBeVisible();
    const levels = await within(drawer).findByRole("list", { name: /Sold Calendar/ });
    expect(
      within(levels)
        .getAllByRole("listitem")
        .map((item) => item.textContent),
    ).toEqual(["Year, stored", "Month, finer, so it cannot be had"]);
    const measures = within(drawer).getByRole("list", { name: "Measures of sales" });
    expect(measures).toHaveTextContent("sum(price)rolls upcount(distinct customer)this grain only");
    expect(within(drawer).getByRole("link", { name: "sales_by_month" })).toHaveAttribute(
      "href",
      "/plugin/aggregates/definitions?conn=retail_aggs&model=retail&definition=d2",
    );
  });

  it("opens an instance inside it, from which one gets to the task and back", async () => {
    const requests = answerWith({
      ...answers(),
      "GET /api/connections/retail_aggs/definitions/d1": { body: detailOf({ state: "blocked" }) },
      "DELETE /api/connections/retail_aggs/instances/i1": { body: { message: "Deleted." } },
    });
    const { router } = renderAt(`${PLACE}?definition=d1`, <DefinitionsPage model={modelOf()} />);
    await userEvent.click(await screen.findByRole("button", { name: "Open the instance in agg_1" }));

    expect(await screen.findByRole("link", { name: /Task instance/ })).toHaveAttribute(
      "href",
      "/dags/batch_build_retail/runs/manual__1/tasks/build/mapped/3",
    );
    expect(router.state.location.search).toBe("?definition=d1&instance=i1");
    await userEvent.click(screen.getByRole("button", { name: "Delete" }));
    const dialog = await screen.findByRole("alertdialog");
    await userEvent.click(within(dialog).getByRole("button", { name: "Delete" }));
    await waitFor(() => {
      expect(asked(requests, "DELETE")).toHaveLength(1);
    });
    await waitFor(() => {
      expect(screen.queryByRole("alertdialog")).not.toBeInTheDocument();
    });

    await userEvent.click(screen.getByRole("button", { name: "Definition" }));
    expect(router.state.location.search).toBe("?definition=d1");
    await userEvent.keyboard("{Escape}");
    await waitFor(() => {
      expect(router.state.location.search).toBe("");
    });
  });
});
