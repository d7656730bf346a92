import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";

import { App } from "./App";
import type { Model } from "./frame/models";
import { answerWith, modelOf, renderAt } from "./test_support";

const answers = (models: Model[], problems: object[] = []) =>
  answerWith({ "GET /api/models": { body: { models, problems, timezone: "UTC" } } });

describe("the page", () => {
  it("tells what to do first while no model is deployed", async () => {
    answers([]);
    renderAt("/plugin/aggregates", <App />);

    expect(await screen.findByText("No model is deployed yet")).toBeVisible();
    expect(screen.queryByRole("navigation", { name: "Aggregates" })).not.toBeInTheDocument();
  });

  it("shows a connection that does not work beside the models of the others", async () => {
    answers(
      [modelOf()],
      [{ connection: "old_aggs", title: "Registry does not answer", detail: "Start its PostgreSQL." }],
    );
    renderAt("/plugin/aggregates", <App />);

    expect(await screen.findByText("old_aggs: Registry does not answer")).toBeVisible();
    expect(screen.getByRole("combobox", { name: "Model" })).toHaveDisplayValue("Retail");
  });

  it("has an address for each tab, with the model", async () => {
    answers([modelOf(), modelOf({ id: "2", name: "sales", label: "Sales" })]);
    const { router } = renderAt("/plugin/aggregates/definitions", <App />);

    await userEvent.selectOptions(await screen.findByRole("combobox", { name: "Model" }), "Sales");
    await waitFor(() => {
      expect(router.state.location.search).toBe("?conn=retail_aggs&model=sales");
    });
    expect(screen.getByRole("link", { name: "Definitions" })).toHaveAttribute("aria-current", "page");
    await userEvent.click(screen.getByRole("link", { name: "Batches" }));

    expect(router.state.location.pathname).toBe("/plugin/aggregates/batches");
    expect(router.state.location.search).toBe("?conn=retail_aggs&model=sales");
  });

  it("says so when there is no such tab or model", async () => {
    answers([modelOf()]);
    const tab = renderAt("/plugin/aggregates/typo", <App />);
    expect(await screen.findByText("There is no tab “typo”")).toBeVisible();
    tab.unmount();

    renderAt("/plugin/aggregates?model=gone", <App />);
    expect(await screen.findByText(/There is no model “gone”/)).toBeVisible();
  });

  it("tells what the server said, and asks again", async () => {
    let isHealthy = false;
    answerWith({
      "GET /api/models": () =>
        isHealthy
          ? { body: { models: [], problems: [], timezone: "UTC" } }
          : {
              status: 409,
              body: { title: "Conflict", status: 409, detail: "The registry is older than this version." },
            },
    });
    renderAt("/plugin/aggregates", <App />);

    expect(await screen.findByText("The registry is older than this version.")).toBeVisible();
    isHealthy = true;
    await userEvent.click(screen.getByRole("button", { name: "Try again" }));

    expect(await screen.findByText("No model is deployed yet")).toBeVisible();
  });
});
