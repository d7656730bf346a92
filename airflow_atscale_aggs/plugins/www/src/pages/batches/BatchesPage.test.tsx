import { act, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";

import { queryClient } from "src/api/client";
import type { Model } from "src/frame/models";
import { answerWith, modelOf, renderAt } from "src/test_support";

import { batchOf, rowOf, stepOf } from "./batch_examples";
import type { BatchDetail } from "./batches";
import BatchesPage from "./BatchesPage";

const PLACE = "/plugin/aggregates/batches";
const API = "/api/connections/retail_aggs/batches";

const listOf = (rows: ReturnType<typeof rowOf>[]) => (request: Request) => {
  const wanted = new URL(request.url).searchParams.getAll("status");
  const items = wanted.length === 0 ? rows : rows.filter((row) => wanted.includes(row.status));
  return { body: { items, next_cursor: null, total: items.length } };
};

const show = (address: string, batches: BatchDetail[], model: Model = modelOf()) => {
  const requests = answerWith({
    [`GET ${API}`]: listOf(
      batches.map((batch) =>
        rowOf({ id: batch.id, status: batch.status, counts: batch.counts, build_type: batch.build_type }),
      ),
    ),
    ...Object.fromEntries(batches.map((batch) => [`GET ${API}/${batch.id}`, { body: batch }])),
    [`POST ${API}/b1/cancel`]: { body: { message: "Batch b1 is cancelled." } },
  });
  return { requests, ...renderAt(address, <BatchesPage model={model} />) };
};

const RUNNING = batchOf({
  status: "in_progress",
  seconds: null,
  finished_at: null,
  done_share: 0.42,
  counts: { staged: 1, building: 1, queued: 1 },
  steps: [
    stepOf({ status: "staged" }),
    stepOf({
      aggregate: "sales_by_week",
      position: 1,
      status: "building",
      source: "sales_by_day",
      finished_at: null,
      seconds: null,
    }),
    stepOf({
      aggregate: "sales_by_year",
      position: 2,
      status: "queued",
      started_at: null,
      finished_at: null,
      seconds: null,
      rows: null,
    }),
  ],
});

describe("the list of batches", () => {
  it("says what to do when there is none", async () => {
    const { requests, router } = show(PLACE, []);

    expect(await screen.findByText("No batch has run yet")).toBeVisible();
    // The first page is asked for without a cursor: the server knows none that is 0.
    expect(requests.map((request) => new URL(request.url).searchParams.get("cursor"))).toEqual([null, null]);
    await userEvent.click(screen.getByRole("button", { name: "Build now" }));
    expect(router.state.location.search).toBe("?conn=retail_aggs&model=retail&build=all");
  });

  it("has the running batch on top, with how far it is and what it builds", async () => {
    show(PLACE, [RUNNING]);

    const panel = await screen.findByRole("region", { name: "The running batch" });
    expect(await within(panel).findByRole("progressbar")).toHaveAttribute("aria-valuenow", "42");
    expect(panel).toHaveTextContent(/Building sales_by_week/);
    expect(panel).toHaveTextContent("1 staged, 1 building, 1 queued");
  });

  it("opens one, and compares two that are ticked", async () => {
    const { router } = show(PLACE, [batchOf({ id: "b2" }), batchOf()]);
    const compare = await screen.findByRole("button", { name: "Compare" });
    expect(compare).toHaveAttribute("aria-disabled", "true");

    await userEvent.click(await screen.findByRole("checkbox", { name: "Choose row 1" }));
    await userEvent.click(screen.getByRole("checkbox", { name: "Choose row 2" }));
    await userEvent.click(screen.getByRole("button", { name: "Compare" }));

    // The older one comes first.
    expect(router.state.location.search).toBe("?compare=b1%2Cb2");
    expect(await screen.findByRole("heading", { name: "Two batches compared" })).toBeVisible();
    await userEvent.click(screen.getByRole("button", { name: "All batches" }));
    const [, first] = within(await screen.findByRole("grid", { name: "batches" })).getAllByRole("row");
    await userEvent.click(within(first as HTMLElement).getByText("Done"));
    expect(router.state.location.search).toBe("?batch=b2");
  });
});

describe("one batch", () => {
  it("is drawn on its timeline and told step by step", async () => {
    const { router } = show(`${PLACE}?batch=b1`, [RUNNING]);

    const timeline = await screen.findByRole("list", { name: "Timeline of the aggregates" });
    const bars = within(timeline).getAllByRole("button");
    expect(bars.map((bar) => bar.getAttribute("aria-label")?.split(".")[0])).toEqual([
      "sales_by_day",
      "sales_by_week",
      "sales_by_year",
    ]);
    expect(bars[1]).toHaveAccessibleName(/Building, in full\. From sales_by_day/);
    expect(screen.getByRole("grid", { name: "steps" })).toHaveAttribute("aria-rowcount", "4");

    await userEvent.tab();
    bars[0]?.focus();
    await userEvent.keyboard("{ArrowDown}");
    await waitFor(() => {
      expect(bars[1]).toHaveFocus();
    });
    await userEvent.keyboard("{Enter}");
    expect(router.state.location.search).toContain("instance=instance+of+sales_by_week");
  });

  it("is followed by what has changed, and read anew where that does not add up", async () => {
    queryClient.clear();
    const asked: (string | null)[] = [];
    const later = { ...RUNNING, as_of: "2026-11-29T10:03:00Z", is_partial: true, steps: [] };
    answerWith({
      [`GET ${API}/b1`]: (request) => {
        const since = new URL(request.url).searchParams.get("changed_after");
        asked.push(since);
        return {
          body: since === null ? RUNNING : since === RUNNING.as_of ? later : { ...later, counts: {} },
        };
      },
    });
    renderAt(`${PLACE}?batch=b1`, <BatchesPage model={modelOf()} />);
    await screen.findByText(/Building sales_by_week/);
    for (const times of [2, 4]) {
      await act(() => queryClient.refetchQueries());
      expect(screen.getByText(/Building sales_by_week/)).toBeVisible();
      expect(asked).toEqual([null, RUNNING.as_of, later.as_of, null].slice(0, times));
    }
  });

  it("says what failed, and where to clear it", async () => {
    const failed = stepOf({ status: "failed", error: "The table `t` is locked.", failures: 3, map_index: 4 });
    show(`${PLACE}?batch=b1`, [
      batchOf({ status: "failed", steps: [failed], out_of_attempts: ["sales_by_day"] }),
    ]);

    const problems = await screen.findByRole("region", { name: "What failed" });
    expect(problems).toHaveTextContent("sales_by_day: The table t is locked. It has no attempts left.");
    expect(within(problems).getByRole("link")).toHaveAttribute(
      "href",
      "/dags/batch_build_retail/runs/manual__1/tasks/build/mapped/4",
    );
  });

  it("is canceled only after a question, and says so", async () => {
    const { requests } = show(`${PLACE}?batch=b1`, [RUNNING]);

    await userEvent.click(await screen.findByRole("button", { name: "Cancel batch" }));
    const dialog = await screen.findByRole("alertdialog", { name: "Cancel this batch?" });
    expect(requests.filter((request) => request.method === "POST")).toEqual([]);
    await userEvent.click(within(dialog).getByRole("button", { name: "Cancel batch" }));

    await waitFor(() => {
      expect(screen.queryByRole("alertdialog")).not.toBeInTheDocument();
    });
    expect(requests.filter((request) => request.method === "POST")).toHaveLength(1);
  });

  it("keeps its buttons, with the reason, from who may not press them", async () => {
    const { requests } = show(`${PLACE}?batch=b1`, [RUNNING], modelOf({ may_build: false }));

    const button = await screen.findByRole("button", { name: "Cancel batch" });
    expect(button).toHaveAttribute("aria-disabled", "true");
    await userEvent.setup().hover(button);
    expect(await screen.findByText(/^Only who may trigger the DAG of this model/)).toBeInTheDocument();
    await userEvent.click(button);

    expect(screen.queryByRole("alertdialog")).not.toBeInTheDocument();
    expect(requests.filter((request) => request.method === "POST")).toEqual([]);
  });

  it("that is not there says so in the server's words", async () => {
    show(`${PLACE}?batch=gone`, []);

    expect(await screen.findByRole("alert")).toHaveTextContent("Not found");
  });
});
