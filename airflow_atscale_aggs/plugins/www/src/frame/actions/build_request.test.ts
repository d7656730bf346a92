import { describe, expect, it } from "vitest";

import { modelOf } from "src/test_support";

import {
  type BuildChoices,
  buildParam,
  buildRequest,
  parseBuildParam,
  sayBuild,
  whyNotReady,
} from "./build_request";
import { whyNoBuild } from "./rights";

const choicesOf = (facts: Partial<BuildChoices> = {}): BuildChoices => ({
  type: "incremental",
  names: null,
  gracePeriods: {},
  changed: {},
  concurrency: "",
  isWholeDag: false,
  ...facts,
});

describe("the address of the dialog", () => {
  it("names all aggregates or some, whatever they are called", () => {
    const some = ["by_day", "by_month"];
    const odd = ["by day, and shop", "all", '["x"]'];

    expect(parseBuildParam("all")).toBeNull();
    expect([...(parseBuildParam(buildParam(some)) ?? [])]).toEqual(some);
    expect([...(parseBuildParam(buildParam(odd)) ?? [])]).toEqual(odd);
    expect([...(parseBuildParam(buildParam(["all"])) ?? [])]).toEqual(["all"]);
    expect(buildParam(some)).toBe("by_day,by_month");
  });

  it("names none when it is malformed", () => {
    expect(parseBuildParam("[oops")).toEqual(new Set());
    expect(parseBuildParam("[1]")).toEqual(new Set(["1"]));
  });
});

describe("a request for a batch", () => {
  it("carries what was chosen and leaves out what was left empty", () => {
    expect(
      buildRequest(
        choicesOf({
          names: new Set(["b", "a"]),
          gracePeriods: { store_sales: " 2d ", web_sales: "" },
          changed: { store_sales: " 2026-01-03..2026-01-05, 2026-02,", web_sales: " " },
          concurrency: "4",
        }),
        "build_retail",
      ),
    ).toEqual({
      build_type: "incremental",
      aggregates: ["a", "b"],
      grace_periods: { store_sales: "2d" },
      changed: { store_sales: ["2026-01-03..2026-01-05", "2026-02"] },
      max_concurrent_builds: 4,
      dag_id: null,
    });
  });

  it("carries no grace period and no range when it is full, and the DAG only when all of it is wanted", () => {
    const choices = choicesOf({
      type: "full",
      gracePeriods: { store_sales: "2d" },
      changed: { store_sales: "2026" },
      isWholeDag: true,
    });

    expect(buildRequest(choices, "etl")).toMatchObject({
      build_type: "full",
      grace_periods: {},
      changed: {},
      dag_id: "etl",
    });
  });

  it("is refused before it is sent when nothing is chosen or the number is none", () => {
    expect(whyNotReady(choicesOf())).toBe("");
    expect(whyNotReady(choicesOf({ names: new Set() }))).toContain("at least one");
    for (const concurrency of ["0", "1001", "two", "-1", "1.5"]) {
      expect(whyNotReady(choicesOf({ concurrency }))).toContain("whole number");
    }
  });
});

describe("what will be done", () => {
  it("is said before it is done", () => {
    expect(sayBuild(choicesOf(), modelOf({ definitions: 26 }))).toContain(
      "builds all 26 aggregates, by incr",
    );
    expect(sayBuild(choicesOf({ names: new Set(["by_day"]), type: "full" }), modelOf())).toContain(
      "builds `by_day`, in full",
    );
    expect(
      sayBuild(choicesOf({ gracePeriods: { store_sales: "9d" }, concurrency: "2" }), modelOf()),
    ).toContain("2 at a time. Late rows are looked for as far back as store_sales: 9d.");
    expect(sayBuild(choicesOf({ changed: { sales: "7", returns: "1,2" } }), modelOf())).toContain(
      "made anew, however old it is: sales: 7; returns: 1, 2.",
    );
    expect(sayBuild(choicesOf(), modelOf({ open_batch_id: "1" }))).toContain("waits for its end");
  });

  it("is not possible without the right or without a DAG, and says so", () => {
    expect(whyNoBuild(modelOf())).toBe("");
    expect(whyNoBuild(modelOf({ may_build: false }))).toContain("trigger a DAG");
    expect(whyNoBuild(modelOf({ dag_id: null }))).toContain("batch_build_dag");
  });
});
