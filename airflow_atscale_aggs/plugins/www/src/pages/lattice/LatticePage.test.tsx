import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";

import { answerWith, modelOf, renderAt } from "src/test_support";

import type { Explanation } from "./explanation";
import type { Lattice, LatticeNode } from "./lattice";
import LatticePage from "./LatticePage";

const PLACE = "/plugin/aggregates/lattice";
const MODEL = "/api/connections/retail_aggs/models/5f0c1c3e-0000-5000-8000-000000000001";

beforeAll(async () => {
  // The same engine, without a thread of its own, which jsdom has not.
  // @ts-expect-error elkjs does not describe this file.
  const { Worker } = (await import("elkjs/lib/elk-worker.min.js")) as { Worker: typeof globalThis.Worker };
  globalThis.Worker = Worker;
});

beforeEach(() => {
  // Whoever wants no motion gets the drawing as it ends.
  const matchMedia = globalThis.matchMedia;
  vi.spyOn(globalThis, "matchMedia").mockImplementation((query) =>
    query.includes("reduced-motion")
      ? ({ ...matchMedia(query), matches: true } as MediaQueryList)
      : matchMedia(query),
  );
});

const nodeOf = (facts: Partial<LatticeNode>): LatticeNode => ({
  id: "day",
  kind: "aggregate",
  name: "sales_by_day",
  rows: 1000,
  uses: 3,
  built_at: "2026-11-28T08:00:00Z",
  status: "active",
  origin: "user_defined",
  attributes: ["Sold Day"],
  ...facts,
});

const lattice: Lattice = {
  nodes: [
    nodeOf({
      id: "fact:sales",
      kind: "fact",
      name: "sales",
      rows: 100_000,
      uses: 0,
      built_at: null,
      status: "",
    }),
    nodeOf({}),
    nodeOf({ id: "year", name: "sales_by_year", rows: 5, attributes: ["Sold Year"] }),
    nodeOf({ id: "hour", name: "sales_by_hour", rows: null, status: "pending", attributes: ["Hour"] }),
  ],
  edges: [
    { source: "fact:sales", target: "day", is_used: true },
    { source: "day", target: "year", is_used: true },
    { source: "fact:sales", target: "hour", is_used: false },
  ],
  is_cut: false,
};

const explanation: Explanation = {
  sql: "SELECT 1",
  meant: [],
  untouched: [],
  parts: [
    {
      model: "retail",
      fact: "sales",
      aggregate: "sales_by_year",
      definition_id: "year",
      instance_id: "i",
      rows: 5,
      as_of: null,
      fact_rows: 100_000,
      verdict: "`sales_by_year` answers, with 5 rows.",
      joined_back: [],
      candidates: [
        {
          aggregate: "sales_by_day",
          rows: 1000,
          reason: "dearer",
          explanation: "a cheaper aggregate answers",
          missing: [],
          change: "",
          extra_rows: null,
        },
      ],
    },
  ],
};

const answers = (graph: Lattice = lattice) => ({
  [`GET ${MODEL}/lattice`]: { body: graph },
  [`GET ${MODEL}/structure`]: { body: { hierarchies: [], attributes: [], metrics: [], facts: [] } },
  "POST /api/connections/retail_aggs/explain": { body: explanation },
});

const isFaded = async (name: RegExp) =>
  (await screen.findByRole("button", { name, hidden: true })).dataset.faded === "true";

describe("the Lattice tab", () => {
  it("draws facts and aggregates, with what they are for those who hear the page", async () => {
    answerWith(answers());
    renderAt(PLACE, <LatticePage model={modelOf()} />);

    expect(
      await screen.findByRole("button", {
        name: /^sales_by_day\s?1\.0\sK rows, 3 uses\s?, aggregate$/,
        hidden: true,
      }),
    ).toBeInTheDocument();
    expect(
      screen.getByRole("button", { name: /^sales_by_hour\s?Pending\s?, aggregate$/, hidden: true }),
    ).toBeInTheDocument();
    expect(screen.getByRole("button", { name: /^sales .*fact$/, hidden: true })).toBeInTheDocument();
  });

  it("fades what is no kin of the node in focus, which stands in the address", async () => {
    answerWith(answers());
    const { router } = renderAt(`${PLACE}?node=day`, <LatticePage model={modelOf()} />);

    expect(await isFaded(/sales_by_year/)).toBe(false);
    expect(await isFaded(/^sales .*fact$/)).toBe(false);
    expect(await isFaded(/sales_by_hour/)).toBe(true);
    const panel = screen.getByRole("region", { name: "sales_by_day" });
    expect(panel).toHaveTextContent("Derives from (1 in all)sales");
    expect(within(panel).getByRole("link", { name: "Open the definition" })).toHaveAttribute(
      "href",
      "/plugin/aggregates/definitions?conn=retail_aggs&model=retail&definition=day",
    );

    await userEvent.click(within(panel).getByRole("button", { name: "Show all nodes alike" }));
    expect(router.state.location.search).toBe("");
    expect(await isFaded(/sales_by_hour/)).toBe(false);
  });

  it("marks what answers a query, and says why others do not", async () => {
    const requests = answerWith(answers());
    renderAt(`${PLACE}?sql=SELECT%201&node=day`, <LatticePage model={modelOf()} />);

    expect(
      await screen.findByRole("button", { name: /^sales_by_year .*, answers$/, hidden: true }),
    ).toBeInTheDocument();
    expect(screen.getByRole("region", { name: "sales_by_day" })).toHaveTextContent(
      "It does not answer the query: a cheaper aggregate answers.",
    );
    const post = requests.find((request) => request.method === "POST");
    expect(await post?.json()).toMatchObject({ sql: "SELECT 1", model: "retail" });

    await userEvent.click(screen.getByRole("button", { name: "Show it" }));
    expect(await screen.findByRole("region", { name: "sales_by_year" })).toBeVisible();
  });

  it("finds nodes by name and attribute", async () => {
    answerWith(answers());
    renderAt(PLACE, <LatticePage model={modelOf()} />);

    await userEvent.type(await screen.findByRole("textbox", { name: /Search names/ }), "hour");
    expect(await screen.findByText("1 node found")).toBeVisible();
    await waitFor(async () => {
      expect(await isFaded(/sales_by_day/)).toBe(true);
    });
    expect(await isFaded(/sales_by_hour/)).toBe(false);
  });

  it("says that it is cut, and draws more", async () => {
    const requests = answerWith(answers({ ...lattice, is_cut: true }));
    renderAt(PLACE, <LatticePage model={modelOf()} />);
    expect(await screen.findByText(/Only 3 aggregates are drawn/)).toBeVisible();

    await userEvent.click(screen.getByRole("button", { name: "Draw up to 1,000" }));
    await waitFor(() => {
      expect(requests.some((request) => new URL(request.url).searchParams.get("most") === "1000")).toBe(true);
    });
  });

  it("says what to do first while no aggregate is defined, and what is wrong", async () => {
    answerWith(answers({ nodes: [], edges: [], is_cut: false }));
    const { unmount } = renderAt(PLACE, <LatticePage model={modelOf()} />);
    expect(await screen.findByText("There is no lattice yet")).toBeVisible();
    unmount();

    answerWith({
      [`GET ${MODEL}/lattice`]: {
        status: 409,
        body: { title: "Conflict", status: 409, detail: "The registry is older than this program." },
      },
    });
    renderAt(`${PLACE}?all=1`, <LatticePage model={modelOf()} />);
    expect(await screen.findByText("The registry is older than this program.")).toBeVisible();
  });
});
