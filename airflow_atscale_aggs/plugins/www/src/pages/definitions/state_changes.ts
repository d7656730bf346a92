/** Blocking definitions and taking that back. */
import { fetchClient, queryClient } from "src/api/client";
import { problemOf, ProblemError } from "src/api/problems";
import { plural } from "src/utils/numbers";

import type { Definition } from "./documents";

/** What is done to definitions. */
export type Change = "block" | "unblock";

/** What a dialog and its buttons need to know of a definition. */
export type Target = Pick<Definition, "id" | "name" | "state">;

/** Those that a change can be done to: one blocks what is defined, and unblocks what is blocked. */
export const changeable = <Row extends Target>(rows: readonly Row[], change: Change): Row[] =>
  rows.filter((row) => row.state === (change === "block" ? "defined" : "blocked"));

/** Why a change cannot be done to any of them; empty: it can. */
export const whyNot = (rows: readonly Target[], change: Change, mayManage: boolean): string => {
  if (!mayManage) {
    return "Your role may not block or unblock definitions of this model. Ask whoever may trigger its DAG.";
  }
  if (changeable(rows, change).length > 0) {
    return "";
  }
  if (rows.some((row) => row.state === "retired")) {
    return "A retired definition is not built or used any more.";
  }
  return change === "block" ? "It is blocked already." : "It is not blocked.";
};

const changeOne = async (connection: string, id: string, change: Change, why: string): Promise<string> => {
  const params = { path: { connection, definition_id: id } };
  const { data } =
    change === "block"
      ? await fetchClient.POST("/api/connections/{connection}/definitions/{definition_id}/block", {
          params,
          body: { why },
        })
      : await fetchClient.POST("/api/connections/{connection}/definitions/{definition_id}/unblock", {
          params,
        });
  return data?.message ?? "";
};

const PAUSE_MILLISECONDS = 5000;
const MOST_PAUSES = 24;

/** Do it, and wait where the server says that there were too many requests in a minute. */
const patiently = async <Result>(doIt: () => Promise<Result>): Promise<Result> => {
  for (let pause = 0; ; pause += 1) {
    try {
      return await doIt();
    } catch (error) {
      if (problemOf(error).status !== 429 || pause === MOST_PAUSES) {
        throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MILLISECONDS));
    }
  }
};

/**
 * Change definitions, one after the other; what was read of them before is read again.
 *
 * @returns what the server said of the last one.
 * @throws ProblemError where the server refuses one; it says how many were changed before.
 */
export const changeStates = async (
  connection: string,
  rows: readonly Target[],
  change: Change,
  why: string,
): Promise<string> => {
  let done = 0;
  let message = "";
  try {
    for (const { id } of rows) {
      message = await patiently(() => changeOne(connection, id, change, why));
      done += 1;
    }
    return message;
  } catch (error) {
    const problem = problemOf(error);
    const name = rows[done]?.name ?? "";
    throw new ProblemError({
      ...problem,
      detail:
        done === 0
          ? problem.detail
          : `${plural(done, "definition")} done, then \`${name}\` was refused: ${problem.detail}`,
    });
  } finally {
    void queryClient.invalidateQueries();
  }
};
