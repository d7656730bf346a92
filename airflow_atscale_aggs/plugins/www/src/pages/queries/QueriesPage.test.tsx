import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";

import { answerWith, modelOf, renderAt } from "src/test_support";

import type { Query } from "./documents";
import QueriesPage from "./QueriesPage";
import { queryOf } from "./query_examples";
import { recommendationOf, recommendationsOf } from "./recommend/recommendation_examples";

const PLACE = "/plugin/aggregates/queries";
const LIST = "GET /api/connections/retail_aggs/queries";
const EXPLAIN = "POST /api/connections/retail_aggs/explain";
const RECOMMEND = `POST /api/connections/retail_aggs/models/${modelOf().id}/recommend`;

const explanation = {
  sql: "SELECT 1",
  meant: [],
  untouched: [],
  parts: [
    {
      model: "retail",
      fact: "sales",
      aggregate: null,
      definition_id: null,
      instance_id: null,
      rows: null,
      as_of: null,
      fact_rows: 120_527,
      verdict: "The facts `sales` answer: none of the aggregates matches.",
      joined_back: [],
      candidates: [
        {
          aggregate: "sales_by_year",
          rows: 5,
          reason: "attribute_not_stored",
          explanation: "attribute not stored",
          missing: ["Class"],
          change: "add attribute `Class` to `sales_by_year`",
          extra_rows: null,
        },
      ],
    },
  ],
};

const answers = (rows: Query[] = [queryOf()]) => ({
  [LIST]: { body: { items: rows, next_cursor: null, total: rows.length } },
  [`${LIST}/7`]: { body: rows[0] },
  [EXPLAIN]: { body: explanation },
  [RECOMMEND]: { body: recommendationsOf([recommendationOf()]) },
});

const bodies = async (requests: Request[], path: string): Promise<Record<string, unknown>[]> =>
  Promise.all(
    requests
      .filter((request) => request.method === "POST" && new URL(request.url).pathname.endsWith(path))
      .map(async (request) => (await request.clone().json()) as Record<string, unknown>),
  );

describe("the Queries tab", () => {
  it("shows what was asked, and opens one", async () => {
    answerWith(answers());
    const { router } = renderAt(PLACE, <QueriesPage model={modelOf()} />);
    const row = await screen.findByRole("row", { name: /Class/ });
    for (const text of ["Miss", "sales", "50", "250 ms", "ann"]) {
      expect(within(row).getByText(text)).toBeVisible();
    }
    await userEvent.click(row);
    expect(router.state.location.search).toBe("?query=7");
  });

  it("asks for those of one definition or one user, which one picks", async () => {
    const requests = answerWith({
      ...answers(),
      "GET /api/connections/retail_aggs/definitions": (request) => {
        const names = ["by_year", "by_class"].filter((name) =>
          name.includes(new URL(request.url).searchParams.get("search") ?? ""),
        );
        return { body: { items: names.map((name) => ({ id: `id of ${name}`, name })), next_cursor: null } };
      },
    });
    const { router } = renderAt(PLACE, <QueriesPage model={modelOf()} />);
    await userEvent.click(await screen.findByRole("button", { name: "Answered by: any" }));
    await userEvent.type(await screen.findByRole("textbox", { name: "Search: Answered by" }), "class");
    await waitFor(() => {
      expect(screen.queryByRole("button", { name: "by_year" })).toBeNull();
    });
    await userEvent.keyboard("{ArrowDown}{Enter}");
    expect(router.state.location.search).toBe("?definition=id+of+by_class");
    expect(await screen.findByRole("button", { name: "Answered by: by_class" })).toBeVisible();

    await userEvent.click(screen.getByRole("button", { name: "Who: any" }));
    expect(await screen.findByRole("button", { name: "ann" })).toBeVisible();
    await userEvent.type(screen.getByRole("textbox", { name: "Search: Who" }), "bo{Enter}");
    expect(new URLSearchParams(router.state.location.search).get("user")).toBe("bo");
    await waitFor(() => {
      expect(requests.some((each) => new URL(each.url).searchParams.get("user") === "bo")).toBe(true);
    });
  });

  it("reads on where a page has no rows although there are more", async () => {
    answerWith({
      ...answers(),
      [LIST]: (request) => {
        const isFirst = new URL(request.url).searchParams.get("cursor") === null;
        return { body: isFirst ? { items: [], next_cursor: "more" } : { items: [queryOf()] } };
      },
    });
    renderAt(`${PLACE}?outcome=miss`, <QueriesPage model={modelOf()} />);
    expect(await screen.findByRole("row", { name: /Class/ })).toBeVisible();
  });

  it("says how to ask the first one, and how to see more when filters hide all", async () => {
    answerWith(answers([]));
    const { unmount } = renderAt(PLACE, <QueriesPage model={modelOf()} />);
    expect(await screen.findByRole("link", { name: "Ask the first one" })).toBeVisible();
    unmount();

    const { router } = renderAt(`${PLACE}?period=1h`, <QueriesPage model={modelOf()} />);
    await userEvent.click(await screen.findByRole("button", { name: "Clear search and filters" }));
    expect(router.state.location.search).toBe("");
  });

  it("recommends from the log, and defines all after asking", async () => {
    const requests = answerWith({
      ...answers(),
      [RECOMMEND]: () => ({
        body: recommendationsOf(
          ["by_class", "by_hour"].map((name) =>
            recommendationOf({ name, outcome: requests.filter(isAdvice).length > 1 ? "added" : null }),
          ),
          { unserved: [{ what: "SELECT x", queries: 2, why: "`x` is exact" }] },
        ),
      }),
    });
    const isAdvice = (request: Request) => request.url.endsWith("/recommend");
    renderAt(PLACE, <QueriesPage model={modelOf()} />);
    await userEvent.click(screen.getByRole("button", { name: "What should be defined?" }));
    const table = await screen.findByRole("table", { name: "Recommended aggregates" });
    expect(within(table).getByRole("row", { name: /by_hour/ })).toHaveTextContent(/5.6 K.*115 K.*95 %/);
    expect(screen.getByText(/What no aggregate can serve, and why: 2 queries/)).toBeVisible();

    await userEvent.click(screen.getByRole("button", { name: "Define all" }));
    const dialog = await screen.findByRole("alertdialog", { name: "Define 2 aggregates?" });
    await userEvent.click(within(dialog).getByRole("button", { name: "Define" }));
    expect(await within(table).findAllByText("Added")).toHaveLength(2);
    expect((await bodies(requests, "/recommend")).at(-1)).toMatchObject({
      apply: true,
      only: ["by_class", "by_hour"],
    });
  });

  it("lets a visitor see why one may not ask for recommendations", async () => {
    const requests = answerWith(answers());
    renderAt(PLACE, <QueriesPage model={modelOf({ may_build: false })} />);
    const button = screen.getByRole("button", { name: "What should be defined?" });
    await userEvent.click(button);
    await userEvent.hover(button);
    expect(await screen.findByText(/You may not ask for recommendations/)).toBeVisible();
    expect(await bodies(requests, "/recommend")).toEqual([]);
  });
});

describe("the drawer of a query", () => {
  it("explains a miss without a scan, predicts what would answer it, and defines that", async () => {
    const requests = answerWith({
      ...answers(),
      [RECOMMEND]: () => ({
        body: recommendationsOf([
          recommendationOf({
            outcome: requests.filter((each) => each.url.endsWith("/recommend")).length > 1 ? "added" : null,
          }),
        ]),
      }),
    });
    renderAt(`${PLACE}?query=7`, <QueriesPage model={modelOf()} />);
    const drawer = await screen.findByRole("dialog", { name: "Query" });
    const nearest = await within(drawer).findByRole("list", { name: "Nearest aggregates" });
    expect(nearest).toHaveTextContent("Smallest change: add attribute Class to sales_by_year");
    expect((await bodies(requests, "/explain"))[0]).toMatchObject({ sql: queryOf().sql, estimate: false });

    await userEvent.click(within(drawer).getByRole("button", { name: "Make it a definition" }));
    expect(await within(drawer).findByRole("region", { name: "SML of sales_by_class" })).toBeVisible();
    await userEvent.click(within(drawer).getByRole("button", { name: "Define it" }));
    const dialog = await screen.findByRole("alertdialog", { name: "Define sales_by_class?" });
    await userEvent.click(within(dialog).getByRole("button", { name: "Define" }));
    await waitFor(() => {
      expect(within(drawer).getByText("It is defined now. The next batch builds it.")).toBeInTheDocument();
    });
    const [first, second] = await bodies(requests, "/recommend");
    expect(first).toMatchObject({ apply: false, queries: [queryOf().sql] });
    expect(second).toMatchObject({ apply: true, only: ["sales_by_class"], queries: [queryOf().sql] });
  });

  it("says that values are not kept, and explains the grain instead", async () => {
    const query = queryOf({ sql: 'SELECT "Class" FROM retail WHERE "Year" = ?', filters: ["Year"] });
    const requests = answerWith(answers([query]));
    renderAt(`${PLACE}?query=7`, <QueriesPage model={modelOf()} />);
    expect(await screen.findByText(/The query itself cannot be explained/)).toBeVisible();
    await screen.findByRole("list", { name: "Nearest aggregates" });
    expect((await bodies(requests, "/explain"))[0]).toMatchObject({
      sql: 'SELECT "Class", "Year", "Revenue" FROM "retail"."retail"',
    });
  });

  it("says why an aggregate could not be read, and asks nothing of a hit", async () => {
    const query = queryOf({ outcome: "fallback", fallback_reason: "The table `agg_1` is gone." });
    const requests = answerWith(answers([query]));
    renderAt(`${PLACE}?query=7`, <QueriesPage model={modelOf()} />);
    expect(await screen.findByText(/is gone/)).toBeVisible();
    expect(await bodies(requests, "/explain")).toEqual([]);
  });
});
