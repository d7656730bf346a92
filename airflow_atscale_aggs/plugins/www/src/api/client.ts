/** The client of our REST API: typed by its OpenAPI description, cached and polled by TanStack query. */
import { QueryClient } from "@tanstack/react-query";
import createFetchClient, { type Middleware } from "openapi-fetch";
import createQueryClient from "openapi-react-query";

import { problemOf, ProblemError, toProblem } from "./problems";
import type { paths } from "./schema";

/** The address of a path of ours, such as `/api/models`. Airflow may stand below a path, which the document's base tells. */
export const ourUrl = (path = ""): string => new URL(`atscale_aggs${path}`, document.baseURI).href;

const body = async (response: Response): Promise<unknown> => {
  const text = await response.text();
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
};

const throwProblems: Middleware = {
  async onResponse({ response }) {
    if (!response.ok) {
      throw new ProblemError(toProblem(await body(response.clone()), response.status));
    }
  },
};

/** Requests by hand: `await fetchClient.POST("/…", { body })`. Throws a ProblemError when the server refuses. */
export const fetchClient = createFetchClient<paths>({
  baseUrl: ourUrl(),
  // Read at each request, so that whoever observes requests (a test, a tracer) may wrap it.
  fetch: (request) => globalThis.fetch(request),
});
fetchClient.use(throwProblems);

/** Hooks by path: `$api.useQuery("get", "/api/models")`, `$api.useMutation("post", …)`, `$api.useInfiniteQuery(…)`. */
export const $api = createQueryClient(fetchClient);

const isWorthAnotherTry = (failures: number, error: unknown): boolean => {
  const { status } = problemOf(error);
  return failures < 2 && (status === 0 || status >= 500);
};

/** Airflow mounts the page anew at each of its paths; what was read is kept here, so that nothing flickers. */
export const queryClient = new QueryClient({
  defaultOptions: { queries: { retry: isWorthAnotherTry, staleTime: 10_000, refetchOnWindowFocus: false } },
});
