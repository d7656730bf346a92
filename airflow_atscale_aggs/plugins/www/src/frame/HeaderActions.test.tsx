import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";

import { Toaster } from "src/components/toaster";
import { answerWith, modelOf, renderAt } from "src/test_support";

import { HeaderActions } from "./HeaderActions";
import type { Model } from "./models";

const MODEL = "/api/connections/retail_aggs/models/5f0c1c3e-0000-5000-8000-000000000001";
const STARTED = {
  id: "request-1",
  dag_id: "build_retail",
  run_id: "rest__1",
  run_url: "http://airflow/dags/build_retail/runs/rest__1",
  status: "requested",
  message: "Run `rest__1` of DAG `build_retail` is queued.",
};

const definition = (name: string) => ({ id: name, name, status: "active", rows: 12, built_at: null });

const renderHeader = (address = "/plugin/aggregates", facts: Partial<Model> = {}) =>
  renderAt(
    address,
    <>
      <HeaderActions model={modelOf(facts)} />
      <Toaster />
    </>,
  );

describe("Build now", () => {
  it("asks first, starts a batch of what was chosen, and goes to it", async () => {
    const requests = answerWith({
      "GET /api/connections/retail_aggs/definitions": {
        body: { items: [definition("by_day"), definition("by_month")], next_cursor: null, total: 2 },
      },
      [`POST ${MODEL}/batches`]: { status: 201, body: STARTED },
    });
    const { router } = renderHeader();
    const user = userEvent.setup();

    await user.click(screen.getByRole("button", { name: "Build now" }));
    const dialog = await screen.findByRole("alertdialog");
    await user.click(within(dialog).getByText("Full"));
    await user.click(within(dialog).getByText(/All aggregates/));
    expect(within(dialog).getByRole("button", { name: "Build" })).toBeDisabled();
    await user.click(await within(dialog).findByLabelText("Choose row 2"));
    await user.click(within(dialog).getByRole("button", { name: "Build" }));

    expect(await screen.findByText("See the run")).toHaveAttribute("href", "/dags/build_retail/runs/rest__1");
    expect(router.state.location.pathname).toBe("/plugin/aggregates/batches");
    expect(router.state.location.search).toContain("batch=request-1");
    const sent = requests.find((request) => request.method === "POST");
    expect(await sent?.json()).toMatchObject({ build_type: "full", aggregates: ["by_month"] });
  });

  it("chooses what the address names", async () => {
    answerWith({
      "GET /api/connections/retail_aggs/definitions": {
        body: { items: [definition("by_day")], next_cursor: null, total: 1 },
      },
    });
    renderHeader("/plugin/aggregates?build=by_day,by_year");

    expect(await screen.findByText("2 aggregates: by_day, by_year.")).toBeInTheDocument();
    expect(screen.getByText(/builds 2 aggregates, by increments/)).toBeInTheDocument();
  });

  it("shows why the server refuses, and offers to run a DAG that does more", async () => {
    const requests = answerWith({
      [`POST ${MODEL}/batches`]: {
        status: 409,
        body: {
          type: "about:blank#shared-dag",
          title: "Conflict",
          status: 409,
          detail: "DAG `build_retail` does other things as well.",
        },
      },
    });
    const { router } = renderHeader("/plugin/aggregates?build=all");
    const user = userEvent.setup();

    await user.click(await screen.findByRole("button", { name: "Build" }));
    expect(await screen.findByText(/does other things as well/)).toBeInTheDocument();
    expect(router.state.location.search).toBe("?build=all");
    await user.click(screen.getByText(/Run all of DAG build_retail/));
    await user.click(screen.getByRole("button", { name: "Build" }));

    await waitFor(() => {
      expect(requests.filter((request) => request.method === "POST")).toHaveLength(2);
    });
    expect(await requests.at(-1)?.json()).toMatchObject({ dag_id: "build_retail" });
  });

  it("cannot be pressed without the right, and says why", async () => {
    renderHeader("/plugin/aggregates", { may_build: false });
    const button = screen.getByRole("button", { name: "Build now" });

    expect(button).toHaveAttribute("aria-disabled", "true");
    await userEvent.setup().hover(button);
    expect(await screen.findByText(/need to trigger a DAG/)).toBeInTheDocument();
  });
});

describe("Import", () => {
  it("tells what became of each definition, and builds what is new", async () => {
    const requests = answerWith({
      [`POST ${MODEL}/import`]: {
        body: {
          model: "retail",
          product_version: "1.0",
          exported_at: null,
          counts: { imported: 1, duplicate: 1 },
          warnings: [],
          definitions: [
            { name: "by_day", outcome: "imported", why: "", definition_id: "1" },
            { name: "by_month", outcome: "duplicate", why: "it is defined here already", definition_id: "2" },
          ],
          to_build: ["by_day"],
          run_url: null,
          message: "2 definitions in the file: 1 imported, 1 duplicate.",
        },
      },
      [`POST ${MODEL}/batches`]: { status: 201, body: STARTED },
    });
    const { router } = renderHeader("/plugin/aggregates?import=open");
    const user = userEvent.setup();
    const file = new File(["{}"], "retail.json", { type: "application/json" });

    await user.upload(await screen.findByLabelText("File of definitions"), file);
    await user.click(await screen.findByRole("button", { name: "Import", hidden: false }));
    expect(await screen.findByText(/1 imported, 1 duplicate/)).toBeInTheDocument();
    expect(screen.getByText("it is defined here already")).toBeInTheDocument();
    await user.click(screen.getByRole("button", { name: "Imported 1" }));
    expect(screen.queryByText("it is defined here already")).not.toBeInTheDocument();
    await user.click(screen.getByRole("button", { name: /Build what is new/ }));

    await waitFor(() => {
      expect(router.state.location.search).toContain("batch=request-1");
    });
    expect(requests[0]?.headers.get("content-type")).toContain("multipart/form-data");
    expect(await requests.at(-1)?.json()).toEqual({ build_type: "full", aggregates: ["by_day"] });
  });
});

describe("Settings", () => {
  const setting = {
    key: "aggregates.batch.max.failures",
    value: 2,
    default: 0,
    source: "model",
    meaning: "failed aggregates tolerated before a batch is failed",
    without_effect: "",
  };

  it("are changed, and forgotten after one was asked", async () => {
    const requests = answerWith({
      [`GET ${MODEL}/settings`]: { body: [setting] },
      [`PUT ${MODEL}/settings/aggregates.batch.max.failures`]: { body: { ...setting, value: 5 } },
      [`DELETE ${MODEL}/settings/aggregates.batch.max.failures`]: {
        body: { message: "aggregates.batch.max.failures is unset." },
      },
    });
    renderHeader("/plugin/aggregates?settings=open");
    const user = userEvent.setup();

    await user.click(await screen.findByRole("button", { name: /^Change/ }));
    const field = screen.getByLabelText(/^Value of/);
    await user.clear(field);
    await user.type(field, "5{Enter}");
    expect(await screen.findByText(/is 5 for this model/)).toBeInTheDocument();
    await user.click(screen.getByRole("button", { name: "Forget" }));
    await user.click(within(await screen.findByRole("alertdialog")).getByRole("button", { name: "Forget" }));

    expect(await screen.findByText(/is unset/)).toBeInTheDocument();
    const put = requests.find((request) => request.method === "PUT");
    expect(await put?.json()).toEqual({ value: 5, for_all_models: false });
  });

  it("say why one may not change them", async () => {
    answerWith({ [`GET ${MODEL}/settings`]: { body: [setting] } });
    renderHeader("/plugin/aggregates?settings=open", { may_administer: false });

    expect(await screen.findByRole("button", { name: /^Change/ })).toHaveAttribute("aria-disabled", "true");
  });
});
