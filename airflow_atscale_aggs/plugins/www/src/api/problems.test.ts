import { describe, expect, it } from "vitest";

import { ProblemError, problemOf, toProblem } from "./problems";

describe("a problem", () => {
  it("is told in the server's words", () => {
    const body = {
      type: "about:blank#not-registered",
      title: "Not found",
      status: 404,
      detail: "The registry has no model `retial`. Did you mean `retail`?",
      errors: [{ where: "query.model", why: "unknown" }],
    };

    expect(toProblem(body)).toEqual({
      title: "Not found",
      status: 404,
      detail: body.detail,
      kind: "not-registered",
      errors: [{ where: "query.model", why: "unknown" }],
    });
  });

  it("says that the session ended, in words of our own", () => {
    expect(toProblem("", 401).title).toBe("You are signed out");
  });

  it("keeps the detail of Airflow's own endpoints", () => {
    expect(toProblem({ detail: "Forbidden" }, 403)).toMatchObject({
      title: "Not allowed",
      detail: "Forbidden",
    });
  });

  it("tells a server that cannot be reached from one that answered nonsense", () => {
    expect(toProblem(new TypeError("Failed to fetch")).title).toBe("No connection");
    expect(toProblem("<html>", 500).title).toBe("Something went wrong");
  });

  it("is found behind what a query threw", () => {
    const problem = toProblem("", 503);

    expect(problemOf(new ProblemError(problem))).toBe(problem);
  });
});
