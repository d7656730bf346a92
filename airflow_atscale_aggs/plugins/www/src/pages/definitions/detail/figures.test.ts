import { describe, expect, it } from "vitest";

import { describeDifference, otherFigures, scorePart } from "./figures";
import { taskAddress } from "./task_address";

describe("what was predicted", () => {
  it.each([
    [1000, 1010, "as predicted"],
    [1000, 1300, "30 % more"],
    [1000, 4200, "4.2 times as much"],
    [1000, 700, "30 % less"],
    [1000, 0, "100 % less"],
    [0, 5, ""],
    [undefined, 5, ""],
    [1000, null, ""],
  ])("%s rows, and then %s were measured", (predicted, measured, said) => {
    expect(describeDifference(predicted, measured)).toBe(said);
  });

  it("is told by its own word where nobody knows the figure", () => {
    expect(otherFigures({ predicted_rows: 1, predicted_rows_error: 0.023, new_figure: 1200 })).toEqual([
      { label: "possible error of the predicted rows", value: "±2 %" },
      { label: "new figure", value: "1.2\u00a0K" },
    ]);
    expect(scorePart("age_of_rows").label).toBe("age of rows");
  });
});

describe("the address of a task instance", () => {
  const task = { dag_id: "a/b", run_id: "manual__2026-11-28T09:00:00+00:00", task_id: "batch.build" };

  it("has its parts encoded, and an index where the task is mapped", () => {
    expect(taskAddress({ ...task, map_index: 2 })).toBe(
      "/dags/a%2Fb/runs/manual__2026-11-28T09%3A00%3A00%2B00%3A00/tasks/batch.build/mapped/2",
    );
    expect(taskAddress({ ...task, map_index: null })).toMatch(/\/tasks\/batch\.build$/);
    expect(taskAddress({ ...task, task_id: null, map_index: 2 })).toBe("");
  });
});
