import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { describe, expect, it, vi } from "vitest";

import { ProblemError, toProblem } from "src/api/problems";
import { viewport } from "src/test_setup";
import { renderAt } from "src/test_support";

import { type Column, DataTable, type DataTableProps } from "./DataTable";

type Row = { id: string; rows: number };

const COLUMNS: Column<Row>[] = [
  { id: "name", label: "Name", cell: (row) => row.id, sortBy: "name" },
  { id: "rows", label: "Rows", cell: (row) => row.rows, sortBy: "rows", align: "end", isNarrow: true },
  { id: "size", label: "Size", cell: () => "1 GB" },
  { id: "extra", label: "Extra", cell: () => "more", isExtra: true },
];

const LONG: Column<Row> = {
  id: "sql",
  label: "SQL",
  cell: () => "SELECT …",
  isNarrow: true,
  isOwnLine: true,
};

const rowsOf = (count: number): Row[] =>
  Array.from({ length: count }, (_, at) => ({ id: `row ${at}`, rows: at }));

const show = (props: Partial<DataTableProps<Row>> = {}) =>
  renderAt(
    "/plugin/aggregates",
    <DataTable
      columns={COLUMNS}
      empty={<p>Nothing yet</p>}
      name="things"
      rowId={(row) => row.id}
      rows={rowsOf(3)}
      {...props}
    />,
  );

const headers = () => screen.getAllByRole("columnheader").map((header) => header.textContent);

describe("a table", () => {
  it("draws only what is in sight of 10,000 rows, and says how many there are", () => {
    show({ rows: rowsOf(10_000), total: 12_000 });

    expect(screen.getByRole("grid", { name: "things" })).toHaveAttribute("aria-rowcount", "12001");
    expect(screen.getAllByRole("row").length).toBeLessThan(60);
    expect(screen.getByText("10,000 rows of 12,000 rows")).toBeVisible();
  });

  it("asks for more when its end comes in sight, and not while it is asking or has failed", () => {
    const onLoadMore = vi.fn();

    show({ hasMore: true, onLoadMore });
    expect(onLoadMore).toHaveBeenCalledOnce();

    onLoadMore.mockClear();
    show({ hasMore: true, onLoadMore, isLoadingMore: true });
    show({ hasMore: true, onLoadMore, error: new Error("no") });
    show({ hasMore: true, onLoadMore, rows: rowsOf(1000) });
    expect(onLoadMore).not.toHaveBeenCalled();
  });

  it("sorts one way and then the other", async () => {
    const onSort = vi.fn();
    show({ onSort, sort: { by: "rows", isDescending: false } });

    expect(screen.getByRole("columnheader", { name: "Rows" })).toHaveAttribute("aria-sort", "ascending");
    await userEvent.click(screen.getByRole("button", { name: "Rows" }));
    await userEvent.click(screen.getByRole("button", { name: "Name" }));

    expect(onSort.mock.calls).toEqual([
      [{ by: "rows", isDescending: true }],
      [{ by: "name", isDescending: false }],
    ]);
  });

  it("is walked through by keys, and opens a row by Enter or a click", async () => {
    const onOpen = vi.fn();
    show({ onOpen, rows: rowsOf(100) });
    const row = (at: number) => screen.getByRole("row", { name: `row ${at} ${at} 1 GB` });

    row(0).focus();
    await userEvent.keyboard("{ArrowDown}");
    await waitFor(() => {
      expect(row(1)).toHaveFocus();
    });
    await userEvent.keyboard("{Enter}");
    await userEvent.click(screen.getByText("row 4"));

    expect(onOpen.mock.calls.map(([opened]) => (opened as Row).id)).toEqual(["row 1", "row 4"]);
    expect(row(4)).toHaveAttribute("tabindex", "0");
    expect(row(0)).toHaveAttribute("tabindex", "-1");
  });

  it("ticks rows one by one, by the space bar, and all at once", async () => {
    const Ticking = () => {
      const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
      return (
        <DataTable
          columns={COLUMNS}
          empty={null}
          name="things"
          onSelect={setSelected}
          rowId={(row) => row.id}
          rows={rowsOf(3)}
          selected={selected}
        />
      );
    };
    renderAt("/plugin/aggregates", <Ticking />);

    await userEvent.click(screen.getByRole("checkbox", { name: "Choose row 2" }));
    expect(screen.getByText("3 rows, 1 row chosen")).toBeVisible();
    within(screen.getByRole("grid")).getAllByRole("row")[1]?.focus();
    await userEvent.keyboard(" ");
    expect(screen.getByText("3 rows, 2 rows chosen")).toBeVisible();
    await userEvent.click(screen.getByRole("checkbox", { name: /Choose all/ }));
    expect(screen.getByText("3 rows, 3 rows chosen")).toBeVisible();
  });

  it("keeps the columns that one chose", async () => {
    const first = show();
    expect(headers()).toEqual(["Name", "Rows", "Size"]);

    await userEvent.click(screen.getByRole("button", { name: "Columns of things" }));
    await userEvent.click(await screen.findByRole("menuitemcheckbox", { name: "Extra" }));
    await userEvent.click(await screen.findByRole("menuitemcheckbox", { name: "Size" }));
    first.unmount();
    show();

    expect(headers()).toEqual(["Name", "Rows", "Extra"]);
  });

  it("shows fewer columns in a narrow window", () => {
    viewport.width = 420;
    show();

    expect(headers()).toEqual(["Name", "Rows"]);
  });

  it("sets what is long below the rest of its row in a narrow window, and beside it in a wide one", () => {
    const wide = show({ columns: [...COLUMNS, LONG] });
    expect(headers()).toContain("SQL");
    wide.unmount();

    viewport.width = 420;
    show({ columns: [...COLUMNS, LONG] });
    expect(headers()).toEqual(["Name", "Rows"]);
    const row = screen.getAllByRole("row").at(-1);
    expect(row).toHaveTextContent("SELECT …");
    expect(within(row as HTMLElement).getAllByRole("gridcell")).toHaveLength(3);
  });

  it("says that it reads, that there is nothing, or what went wrong", async () => {
    const onRetry = vi.fn();
    const loading = show({ rows: [], isLoading: true });
    expect(screen.getByRole("status", { name: "Reading things" })).toBeVisible();
    loading.unmount();

    const empty = show({ rows: [] });
    expect(screen.getByText("Nothing yet")).toBeVisible();
    empty.unmount();

    show({ rows: [], error: new ProblemError(toProblem({ title: "Conflict", detail: "Wait." })), onRetry });
    expect(screen.getByRole("alert")).toHaveTextContent("ConflictWait.");
    await userEvent.click(screen.getByRole("button", { name: "Try again" }));
    expect(onRetry).toHaveBeenCalledOnce();
  });
});
