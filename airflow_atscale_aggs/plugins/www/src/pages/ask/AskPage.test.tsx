import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, it } from "vitest";

import { answerWith, modelOf, renderAt } from "src/test_support";

import { forgetAll } from "./asked";
import AskPage from "./AskPage";

const CONNECTION = "/api/connections/retail_aggs";
const STRUCTURE = {
  facts: ["store_sales"],
  hierarchies: [],
  attributes: [{ name: "Sold Year", label: "Sold Year" }],
  metrics: [{ name: "Revenue", label: "Revenue", fact: "store_sales", method: "sum", expression: "" }],
};
const PART = {
  model: "retail",
  fact: "store_sales",
  aggregate: "by_year",
  definition_id: "d1",
  instance_id: "i1",
  rows: 89,
  as_of: "2026-11-28T09:00:00Z",
  fact_rows: 120_527,
  verdict: "`by_year` answers, with 89 rows, instead of `store_sales`.",
  joined_back: [],
  candidates: [],
};
const ANSWER = {
  columns: ["Sold Year", "Revenue"],
  rows: [
    [2001, 12.5],
    [2002, null],
  ],
  is_cut: true,
  seconds: 0.03,
  parts: [PART],
  sql: "SELECT\n  1",
  fallback_reason: "",
};
const MISS = {
  ...PART,
  aggregate: null,
  definition_id: null,
  rows: null,
  verdict: "The facts `store_sales` answer: none of them matches.",
  candidates: [
    {
      aggregate: "by_day",
      rows: 700,
      reason: "attribute_not_stored",
      explanation: "attribute not stored",
      missing: ["Shop"],
      change: "add attribute `Shop` to `by_day`",
      extra_rows: 6280,
    },
  ],
};

const ROUTES = {
  [`GET ${CONNECTION}/models/${modelOf().id}/structure`]: { body: STRUCTURE },
  [`GET ${CONNECTION}/definitions`]: { body: { items: [], next_cursor: null, total: null } },
};

afterEach(forgetAll);

describe("asking", () => {
  it("runs the query of the address within what one chose, and shows rows and where they come from", async () => {
    const requests = answerWith({ ...ROUTES, [`POST ${CONNECTION}/query`]: { body: ANSWER } });
    renderAt(
      "/plugin/aggregates/ask?sql=SELECT+1&rows=100&timeout=10&aggregates=off",
      <AskPage model={modelOf()} />,
    );
    const user = userEvent.setup();

    await user.click(screen.getByRole("button", { name: "Run" }));

    expect(await screen.findByText("2 rows in 30 ms")).toBeInTheDocument();
    expect(screen.getByText("cut at 2")).toBeInTheDocument();
    expect(screen.getByText("NULL")).toBeInTheDocument();
    const sent: unknown = await requests.find((request) => request.method === "POST")?.json();
    expect(sent).toMatchObject({
      sql: "SELECT 1",
      most_rows: 100,
      timeout_seconds: 10,
      use_aggregates: false,
    });
    await user.click(screen.getByRole("tab", { name: "Plan" }));
    expect(await screen.findByText("89 rows, < 1 % of the facts")).toBeInTheDocument();
    expect(screen.getByRole("link", { name: "by_year" })).toHaveAttribute(
      "href",
      expect.stringContaining("definition=d1"),
    );
  });

  it("explains a miss by the nearest aggregate and the smallest change", async () => {
    answerWith({
      ...ROUTES,
      [`POST ${CONNECTION}/explain`]: { body: { sql: "SELECT 1", meant: [], untouched: [], parts: [MISS] } },
    });
    renderAt("/plugin/aggregates/ask?sql=SELECT+1", <AskPage model={modelOf()} />);

    await userEvent.setup().click(screen.getByRole("button", { name: "Explain" }));

    expect(await screen.findByText("about 6,280")).toBeInTheDocument();
    expect(screen.getByText("about 6,280").closest("tr")).toHaveTextContent("add attribute Shop to by_day");
  });

  it("says below the query why it is refused", async () => {
    answerWith({
      ...ROUTES,
      [`POST ${CONNECTION}/query`]: {
        status: 422,
        body: {
          title: "Unprocessable Entity",
          status: 422,
          detail: "Model `retail` has no attribute `Foo`.",
        },
      },
    });
    renderAt("/plugin/aggregates/ask?sql=SELECT+Foo", <AskPage model={modelOf()} />);

    await userEvent.setup().click(screen.getByRole("button", { name: "Run" }));

    expect(await screen.findByRole("alert")).toHaveTextContent("Model retail has no attribute Foo.");
  });

  it("offers queries to begin with, and cannot run none", async () => {
    answerWith(ROUTES);
    renderAt("/plugin/aggregates/ask", <AskPage model={modelOf()} />);
    const user = userEvent.setup();

    expect(screen.getByRole("button", { name: "Run" })).toBeDisabled();
    await user.click(await screen.findByRole("button", { name: /SELECT "Revenue"/ }));

    await waitFor(() => {
      expect(screen.getByRole("button", { name: "Run" })).toBeEnabled();
    });
  });

  it("can be given up", async () => {
    answerWith(ROUTES);
    renderAt("/plugin/aggregates/ask?sql=SELECT+1", <AskPage model={modelOf()} />);
    const user = userEvent.setup();
    const { fetch } = globalThis;
    globalThis.fetch = (input) =>
      (input as Request).method === "POST" ? new Promise<Response>(() => undefined) : fetch(input);

    await user.click(screen.getByRole("button", { name: "Run" }));
    await user.click(await screen.findByRole("button", { name: "Stop waiting" }));

    expect(screen.getByRole("button", { name: "Run" })).toBeEnabled();
    globalThis.fetch = fetch;
  });
});
