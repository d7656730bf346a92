import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it, vi } from "vitest";

import { answerWith, modelOf, renderAt } from "src/test_support";

import { rowOf } from "../batches/batch_examples";
import { placesOf } from "./AttentionList";
import { timeStep } from "./charts/chart_setup";
import { type Attention, type DayFigures, daysOf, type Overview, totalsOf } from "./overview";
import OverviewPage from "./OverviewPage";

// jsdom has no canvas: the charts are shown by their labels.
vi.mock("react-chartjs-2", () => {
  const canvas = (props: { "aria-label": string }) => <div aria-label={props["aria-label"]} role="img" />;
  return { Bar: canvas, Line: canvas };
});

const API = "GET /api/connections/retail_aggs/models/5f0c1c3e-0000-5000-8000-000000000001/overview";

const dayOf = (facts: Partial<DayFigures> = {}): DayFigures => ({
  day: "2026-11-28",
  queries: 10,
  hits: 7,
  misses: 2,
  fallbacks: 1,
  seconds: 3,
  rows_read: 1000,
  fact_rows: 90_000,
  seconds_saved: 120,
  ...facts,
});

const attentionOf = (facts: Partial<Attention> = {}): Attention => ({
  kind: "stale",
  severity: "warning",
  text: "1 aggregate was built long ago.",
  count: 1,
  definition_ids: ["d1"],
  batch_id: null,
  ...facts,
});

const overviewOf = (facts: Partial<Overview> = {}): Overview => ({
  days: [dayOf({ day: "2026-11-27" }), dayOf()],
  last_batch: rowOf(),
  attention: [
    attentionOf(),
    attentionOf({
      kind: "failed",
      severity: "error",
      text: "The batch failed.",
      batch_id: "b1",
      definition_ids: [],
    }),
  ],
  sizes: [
    { definition_id: "d1", aggregate: "sales_by_day", rows: 900, bytes: 4000, uses: 12 },
    { definition_id: "d2", aggregate: "sales_by_item", rows: 100, bytes: null, uses: 0 },
  ],
  active: 2,
  definitions: 3,
  rows: 1000,
  fact_rows: 100_000,
  ...facts,
});

const NOTHING: Partial<Overview> = {
  days: [
    dayOf({ queries: 0, hits: 0, misses: 0, fallbacks: 0, rows_read: 0, fact_rows: 0, seconds_saved: 0 }),
  ],
  last_batch: null,
  attention: [],
  sizes: [],
  active: 0,
  rows: 0,
  fact_rows: null,
};

const show = (facts: Partial<Overview> = {}, address = "/plugin/aggregates", model = modelOf()) => {
  const requests = answerWith({ [API]: { body: overviewOf(facts) } });
  return { requests, ...renderAt(address, <OverviewPage model={model} />) };
};

beforeEach(() => {
  localStorage.setItem("timezone", JSON.stringify("UTC"));
});

describe("sums of days", () => {
  it("are those of all queries", () => {
    expect(totalsOf([dayOf(), dayOf()])).toEqual({
      queries: 20,
      hits: 14,
      misses: 4,
      fallbacks: 2,
      hitShare: 0.7,
      factRows: 180_000,
      rowsNotRead: 178_000,
      secondsSaved: 240,
    });
    expect(totalsOf([]).hitShare).toBeNull();
    expect(totalsOf([dayOf({ rows_read: 200_000 })]).rowsNotRead).toBe(0);
  });

  it("are over as many days as the address says, of those that are offered", () => {
    expect([daysOf(""), daysOf("7"), daysOf("90"), daysOf("91"), daysOf("x")]).toEqual([30, 7, 90, 30, 30]);
  });

  it("have round times on their scale", () => {
    expect([timeStep(4), timeStep(1300), timeStep(90_000), timeStep(5e6)]).toEqual([
      1, 300, 18_000, 1_036_800,
    ]);
  });
});

describe("what wants attention", () => {
  it("leads to its batch, its definition, or the list of its definitions", () => {
    const model = modelOf();
    const addresses = (item: Attention) =>
      placesOf(model, item).map(({ address }) => address.split("&model=retail")[1]);

    expect(addresses(attentionOf())).toEqual(["&definition=d1"]);
    expect(addresses(attentionOf({ batch_id: "b1", definition_ids: ["a", "b"], kind: "failed" }))).toEqual([
      "&batch=b1",
    ]);
    expect(
      addresses(attentionOf({ kind: "stale", count: 2, hours: 48, definition_ids: ["a", "b"] })),
    ).toEqual(["&status=active&built=not-48h"]);
    expect(addresses(attentionOf({ definition_ids: [] }))).toEqual([]);
  });
});

describe("the overview", () => {
  it("tells what the aggregates do", async () => {
    show();

    expect(await screen.findByText("70 %")).toBeVisible();
    expect(screen.getByText("of 20 queries in 30 days.")).toBeVisible();
    expect(screen.getByText("1 % of the facts' 100 K.")).toBeVisible();
    expect(
      await screen.findByRole("img", { name: /14 hits, 4 misses and 2 fallbacks in 2 days/ }),
    ).toBeInTheDocument();
    expect(await screen.findByRole("img", { name: /Time saved by day: 4\smin/ })).toBeInTheDocument();
    const items = within(screen.getByRole("region", { name: "What wants attention" })).getAllByRole(
      "listitem",
    );
    expect(items.map((item) => item.textContent)).toEqual([
      expect.stringContaining("The batch failed."),
      expect.stringContaining("1 aggregate was built long ago."),
    ]);
    expect(
      within(screen.getByRole("region", { name: "Last batch" })).getByRole("link", { name: "Open it" }),
    ).toHaveAttribute("href", "/plugin/aggregates/batches?conn=retail_aggs&model=retail&batch=b1");
  });

  it("draws rows as areas, and tells them as a table", async () => {
    const { router } = show();

    expect(
      await screen.findByRole("link", { name: /^sales_by_item\s*100 rows\s*never used$/ }),
    ).toBeVisible();
    await userEvent.click(screen.getByRole("button", { name: "As a table" }));

    expect(router.state.location.search).toBe("?sizes=table");
    expect(screen.getByRole("row", { name: /sales_by_day 900 90.% 4\.0.KB 12/ })).toBeVisible();
  });

  it("asks for other days", async () => {
    const { requests, router } = show();

    await userEvent.click(await screen.findByText("7 days"));

    expect(await screen.findByText("of 20 queries in 7 days.")).toBeVisible();
    expect(router.state.location.search).toBe("?days=7");
    expect(requests.map((request) => new URL(request.url).searchParams.get("days"))).toEqual(["30", "7"]);
  });

  it("says what to do first, where there is nothing yet", async () => {
    show(NOTHING);

    expect(await screen.findByText("No batch has run yet")).toBeVisible();
    expect(screen.getByRole("button", { name: "Build now" })).not.toHaveAttribute("aria-disabled");
    expect(screen.getByText("No query in 1 day")).toBeVisible();
    expect(screen.getByRole("link", { name: "Ask one on this page" })).toBeVisible();
    expect(screen.getByText("No aggregate serves yet")).toBeVisible();
    expect(screen.getByText("Nothing wants attention now.")).toBeVisible();
    expect(screen.queryByRole("region", { name: "Time saved by day" })).not.toBeInTheDocument();
  });

  it("says why somebody may not build", async () => {
    show(NOTHING, "/plugin/aggregates", modelOf({ may_build: false }));

    expect(await screen.findByText("No batch has run yet")).toBeVisible();
    const button = screen.getByRole("button", { name: "Build now" });
    expect(button).toHaveAttribute("aria-disabled", "true");
    await userEvent.setup().hover(button);
    expect(await screen.findByText(/need to trigger a DAG/)).toBeInTheDocument();
  });

  it("says why it cannot be read", async () => {
    answerWith({
      [API]: {
        status: 503,
        body: { title: "Not now", status: 503, detail: "The registry does not answer." },
      },
    });
    renderAt("/plugin/aggregates", <OverviewPage model={modelOf()} />);

    expect(await screen.findByText("The registry does not answer.")).toBeVisible();
    expect(screen.getByRole("button", { name: "Try again" })).toBeVisible();
  });
});
