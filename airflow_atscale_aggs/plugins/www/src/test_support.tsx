/** What tests share: a host around a component, answers of the API, and rows to show. */
import { ChakraProvider, defaultSystem } from "@chakra-ui/react";
import { QueryClientProvider } from "@tanstack/react-query";
import { render } from "@testing-library/react";
import type { ReactNode } from "react";
import { createMemoryRouter, RouterProvider } from "react-router-dom";
import { vi } from "vitest";

import { queryClient } from "./api/client";
import type { Model } from "./frame/models";

/** A model with the given facts and plain others. */
export const modelOf = (facts: Partial<Model> = {}): Model => ({
  connection: "retail_aggs",
  id: "5f0c1c3e-0000-5000-8000-000000000001",
  catalog: "retail",
  catalog_id: "retail",
  name: "retail",
  key: "retail",
  label: "Retail",
  version: 1,
  deployed_at: "2026-11-28T09:00:00Z",
  dag_id: "build_retail",
  may_build: true,
  may_manage: true,
  may_administer: true,
  definitions: 3,
  active: 2,
  open_batch_id: null,
  last_activated_at: "2026-11-28T09:30:00Z",
  ...facts,
});

/** Render below a router and a theme, at an address; returns the router beside what render returns. */
export const renderAt = (address: string, element: ReactNode, path = "/plugin/:page/*") => {
  queryClient.setDefaultOptions({ queries: { retry: false } });
  const router = createMemoryRouter(
    [
      { path, element },
      { path: "*", element: <p>elsewhere</p> },
    ],
    { initialEntries: [address] },
  );
  const result = render(
    <ChakraProvider value={defaultSystem}>
      <QueryClientProvider client={queryClient}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </ChakraProvider>,
  );
  return { router, ...result };
};

type Answer = { status?: number; body: unknown };

/**
 * Answer the API's requests, by method and path below `/atscale_aggs`; all others are answered by 404.
 *
 * @returns the requests that were made, as they come.
 */
export const answerWith = (answers: Record<string, Answer | ((request: Request) => Answer)>) => {
  const requests: Request[] = [];
  vi.spyOn(globalThis, "fetch").mockImplementation((input) => {
    const request = input as Request;
    requests.push(request);
    const path = new URL(request.url).pathname.replace(/^.*\/atscale_aggs/, "");
    const found = answers[`${request.method} ${path}`];
    const answer = typeof found === "function" ? found(request) : found;
    const { status = 200, body } = answer ?? {
      status: 404,
      body: { title: "Not found", status: 404, detail: path },
    };
    return Promise.resolve(Response.json(body, { status }));
  });
  return requests;
};
