/** An error of the API as it is shown: what RFC 9457 tells, or what can be said where the server told nothing. */
export type Problem = {
  title: string;
  detail: string;
  /** The HTTP status; 0 when there was no answer. */
  status: number;
  /** A word for programs, such as `not-registered`; empty where there is none. */
  kind: string;
  /** Faults of a request that is malformed. */
  errors: { where: string; why: string }[];
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;

const text = (value: unknown, otherwise: string): string =>
  typeof value === "string" && value !== "" ? value : otherwise;

const WITHOUT_WORDS: Record<number, [string, string]> = {
  401: ["You are signed out", "Your session has ended. Sign in to Airflow again, then reload this page."],
  403: ["Not allowed", "Your role may not do this. Ask an administrator of this Airflow for the permission."],
  404: ["Not found", "The server does not know this address. Reload the page; its version may have changed."],
  502: ["Airflow does not answer", "The server in front of Airflow got no answer. Try again in a moment."],
  503: ["Airflow does not answer", "Airflow's API server is not ready. Try again in a moment."],
  504: ["Airflow does not answer", "Airflow's API server took too long. Try again in a moment."],
};

/**
 * What went wrong, as a sentence.
 *
 * @param error a body that the server sent with an error, or what `fetch` threw.
 * @param status the HTTP status where the body does not tell it; 0 without an answer.
 */
export const toProblem = (error: unknown, status = 0): Problem => {
  if (isObject(error) && typeof error.title === "string") {
    const errors = Array.isArray(error.errors) ? error.errors.filter(isObject) : [];
    return {
      title: error.title,
      detail: text(error.detail, ""),
      status: typeof error.status === "number" ? error.status : status,
      kind: text(error.type, "").split("#")[1] ?? "",
      errors: errors.map((fault) => ({ where: text(fault.where, ""), why: text(fault.why, "") })),
    };
  }
  if (error instanceof TypeError) {
    return {
      title: "No connection",
      detail: "Airflow's API server cannot be reached. Check your network, then try again.",
      status: 0,
      kind: "",
      errors: [],
    };
  }
  const [title, detail] = WITHOUT_WORDS[status] ?? [
    "Something went wrong",
    "The server did not say what. Try again; the log of Airflow's API server tells more.",
  ];
  // Airflow's own endpoints tell errors as `{"detail": "..."}`.
  const said = isObject(error) && typeof error.detail === "string" ? error.detail : detail;
  return { title, detail: said, status, kind: "", errors: [] };
};

/** What a request throws: its problem, as an error. */
export class ProblemError extends Error {
  constructor(readonly problem: Problem) {
    super(`${problem.title}: ${problem.detail}`);
    this.name = "ProblemError";
  }
}

/** The problem behind whatever a query or a mutation failed with. */
export const problemOf = (error: unknown): Problem =>
  error instanceof ProblemError ? error.problem : toProblem(error);
