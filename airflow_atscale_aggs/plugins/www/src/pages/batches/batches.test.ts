import { describe, expect, it } from "vitest";

import { modelOf } from "src/test_support";

import { whyNotCancel, whyNotResume } from "./BatchActions";
import { batchOf, stepOf } from "./batch_examples";
import {
  batchSeconds,
  compareWithUsual,
  countOutcomes,
  rowsOf,
  runAddress,
  signed,
  taskAddress,
  typeWords,
  withChanges,
} from "./batches";
import { countWords } from "./CountsBar";
import { sortSteps } from "./StepTable";
import { stepNow, waitWords } from "./BatchProgress";

describe("a batch in words", () => {
  it("says its type, and of how many aggregates where only some were asked for", () => {
    expect(typeWords({ build_type: "incremental", aggregates: [] })).toBe("Incremental");
    expect(typeWords({ build_type: "full", aggregates: ["a"] })).toBe("Full, of 1 aggregate");
    expect(typeWords({ build_type: "", aggregates: [] })).toBe("Batch");
  });

  it("counts what was built, whatever became of it since", () => {
    expect(
      countOutcomes({ inactive: 3, deleted: 1, staged: 2, failed: 1, queued: 4, unheard_of: 1 }),
    ).toEqual({
      built: 6,
      building: 0,
      failed: 1,
      canceled: 0,
      waiting: 5,
    });
    expect(countWords({ failed: 2, active: 54, queued: 0 })).toBe("54 active, 2 failed");
  });

  it("runs on until it has ended", () => {
    const now = Date.parse("2026-11-29T10:00:30Z");
    expect(batchSeconds(batchOf(), now)).toBe(60);
    expect(batchSeconds(batchOf({ status: "in_progress", seconds: null }), now)).toBe(30);
    expect(batchSeconds(batchOf({ status: "failed", seconds: null }), now)).toBeNull();
  });

  it("names what is being built, and how many more", () => {
    const now = Date.parse("2026-11-29T10:00:03.4Z");
    const building = (aggregate: string) =>
      stepOf({ aggregate, status: "building", seconds: null, finished_at: null });
    const steps = ["a", "b", "c", "d", "e"].map(building);
    expect(stepNow(batchOf({ steps: [stepOf(), ...steps] }), now)).toBe(
      "a, 3\u00a0s of usually 4\u00a0s; b, 3\u00a0s of usually 4\u00a0s; c, 3\u00a0s of usually 4\u00a0s; and 2 more",
    );
    expect(stepNow(batchOf(), now)).toBe("");
  });

  it("says what it waits for, and does not call built what has failed", () => {
    const waits = (...statuses: string[]) =>
      waitWords(batchOf({ steps: statuses.map((status) => stepOf({ status })) }));
    expect(waits()).toMatch(/being planned/);
    expect(waits("staged", "queued", "failed")).toMatch(/next task/);
    expect(waits("staged", "staged")).toMatch(/^Everything is built/);
    expect(waits("staged", "failed")).toMatch(/^1 aggregate could not be built\./);
  });

  it("sums the rows that are known", () => {
    expect(rowsOf([stepOf({ rows: 5 }), stepOf({ rows: null }), stepOf({ rows: 7 })])).toBe(12);
    expect(rowsOf([stepOf({ rows: null })])).toBeNull();
  });
});

describe("a batch that is followed", () => {
  const waiting = stepOf({ aggregate: "by_month", status: "queued" });
  const before = batchOf({
    status: "in_progress",
    counts: { building: 1, queued: 1 },
    steps: [stepOf({ status: "building" }), waiting],
  });
  const changed = { ...before, is_partial: true, as_of: "later", steps: [stepOf({ status: "staged" })] };

  it("keeps the steps that have not changed", () => {
    const now = withChanges(before, { ...changed, counts: { staged: 1, queued: 1 } });
    expect(now?.steps).toEqual([stepOf({ status: "staged" }), waiting]);
    expect([now?.is_partial, now?.as_of]).toEqual([false, "later"]);
  });

  it("is read anew where its steps do not come to the counts", () => {
    expect(withChanges(before, { ...changed, counts: { staged: 2 } })).toBeUndefined();
    expect(withChanges(before, { ...changed, counts: { staged: 1, queued: 1, failed: 1 } })).toBeUndefined();
  });

  it("has all its steps where the server tells all", () => {
    const whole = { ...changed, is_partial: false, counts: { staged: 1 } };
    expect(withChanges(before, whole)?.steps).toHaveLength(1);
  });
});

describe("a duration beside the usual one", () => {
  it("gets a word only where the difference is worth one", () => {
    expect(compareWithUsual(60.5, 60)?.words).toBe("as usual");
    expect(compareWithUsual(1.7, 1)?.words).toBe("as usual");
    expect(compareWithUsual(64, 60)?.words).toBe("as usual");
    expect(compareWithUsual(null, 60)).toBeUndefined();
    expect(compareWithUsual(60, null)).toBeUndefined();
  });

  it("warns from one and a half times on", () => {
    expect(compareWithUsual(80, 60)).toEqual({ words: "33\u00a0% longer", palette: "fg" });
    expect(compareWithUsual(96, 60)).toEqual({ words: "60\u00a0% longer", palette: "warning" });
    expect(compareWithUsual(198, 60)).toEqual({ words: "3.3 times as long", palette: "warning" });
    expect(compareWithUsual(30, 60)).toEqual({ words: "50\u00a0% shorter", palette: "success" });
  });

  it("does not call a batch short that is still running", () => {
    expect(compareWithUsual(10, 60, true)).toBeUndefined();
    expect(compareWithUsual(100, 60, true)?.palette).toBe("warning");
  });

  it("has a sign", () => {
    expect(signed(2)).toBe("+2\u00a0s");
    expect(signed(-2)).toBe("−2\u00a0s");
    expect(signed(0)).toBe("±0");
    expect(signed(null)).toBe("–");
  });
});

describe("Airflow's addresses", () => {
  const run = { dag_id: "batch build", run_id: "manual__2026-11-29T10:00:00+00:00" };

  it("lead to the run and to the task instance, also inside a task group", () => {
    expect(runAddress(run)).toBe("/dags/batch%20build/runs/manual__2026-11-29T10%3A00%3A00%2B00%3A00");
    expect(taskAddress(run, "batch_build.build", 7)).toBe(
      `${runAddress(run) ?? ""}/tasks/batch_build.build/mapped/7`,
    );
  });

  it("are absent where no run drives the batch, or one may not read its DAG", () => {
    expect(runAddress({ dag_id: null, run_id: null })).toBeUndefined();
    expect(taskAddress(run, null, 7)).toBeUndefined();
    expect(taskAddress(run, "build", null)).toBeUndefined();
  });
});

describe("steps", () => {
  it("are sorted by a figure, those without it last in both directions", () => {
    const steps = [
      stepOf({ aggregate: "none", position: 0, seconds: null }),
      stepOf({ aggregate: "short", position: 1, seconds: 1 }),
      stepOf({ aggregate: "long", position: 2, seconds: 9 }),
    ];
    const names = (isDescending: boolean) =>
      sortSteps(steps, { by: "seconds", isDescending }).map((step) => step.aggregate);

    expect(names(true)).toEqual(["long", "short", "none"]);
    expect(names(false)).toEqual(["short", "long", "none"]);
  });
});

describe("what one may do with a batch", () => {
  const running = batchOf({ status: "in_progress", steps: [stepOf({ status: "queued" })] });

  it("depends on how it stands", () => {
    expect(whyNotCancel(modelOf(), running)).toBe("");
    expect(whyNotCancel(modelOf(), batchOf())).toContain("ended well");
    expect(whyNotResume(modelOf(), batchOf({ status: "failed" }))).toBe("");
    expect(whyNotResume(modelOf(), running)).toBe("It is running.");
    expect(whyNotResume(modelOf(), batchOf({ ...running, steps: [stepOf({ status: "failed" })] }))).toBe("");
    expect(whyNotResume(modelOf(), batchOf({ status: "cancelled" }))).toContain(
      "Only a batch that has failed",
    );
  });

  it("depends on the right to build, and on who drives it", () => {
    expect(whyNotCancel(modelOf({ may_build: false }), running)).toContain("trigger the DAG");
    expect(whyNotResume(modelOf({ may_build: false }), running)).toContain("trigger the DAG");
    expect(whyNotResume(modelOf(), batchOf({ status: "failed", dag_id: null, run_id: null }))).toContain(
      "atscale-aggs build retail --resume b1",
    );
  });
});
