import { describe, expect, it } from "vitest";

import { modelOf } from "src/test_support";

import { findModel, modelKey, pageAddress, withKeys } from "./models";

const retail = modelOf({ connection: "a", catalog: "shop", name: "retail", id: "1", dag_id: "build_retail" });
const other = modelOf({ connection: "b", catalog: "shop", name: "retail", id: "1", dag_id: null });
const twin = modelOf({ connection: "a", catalog: "test", name: "retail", id: "2" });

describe("the model of an address", () => {
  it("is found by name, by catalog and name, and by id", () => {
    const models = [retail, twin, other];

    expect(findModel(models, "b", "retail")).toBe(other);
    expect(findModel(models, "a", "test.retail")).toBe(twin);
    expect(findModel(models, "", "2")).toBe(twin);
  });

  it("is the first one when the address names none, and none when it names another", () => {
    expect(findModel([retail, other], "", "")).toBe(retail);
    expect(findModel([retail, other], "a", "sales")).toBeUndefined();
    expect(findModel([], "", "")).toBeUndefined();
  });

  it("is written with its catalog only where its name is shared within a connection", () => {
    expect(modelKey(retail, [retail, other])).toBe("retail");
    expect(modelKey(retail, [retail, twin])).toBe("shop.retail");
  });

  it("stands in links, so that each leads to its own model", () => {
    const twins = withKeys([retail, twin, other]);
    for (const model of twins) {
      const address = new URL(pageAddress("ask", model), "http://here").searchParams;
      expect(findModel(twins, address.get("conn") ?? "", address.get("model") ?? "")).toBe(model);
    }
    const alone = { ...retail, key: undefined };
    expect(pageAddress("", alone)).toBe("/plugin/aggregates?conn=a&model=shop.retail");
  });

  it("stands in links to other places", () => {
    expect(pageAddress("batches", retail, { batch: "x&y" })).toBe(
      "/plugin/aggregates/batches?conn=a&model=retail&batch=x%26y",
    );
  });
});
