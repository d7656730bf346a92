import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { lazy, Suspense } from "react";
import { useParams, useSearchParams } from "react-router-dom";
import { expect, it } from "vitest";

import { renderAt } from "src/test_support";

import { useSettledHost } from "./useSettledHost";

const Ours = () => {
  useSettledHost();
  const [params, setParams] = useSearchParams();
  return (
    <input
      aria-label="Search"
      onChange={(event) => {
        setParams({ search: event.currentTarget.value });
      }}
      value={params.get("search") ?? ""}
    />
  );
};

let loaded: typeof Ours | undefined;
const Loading = lazy(() => {
  loaded = Ours;
  return Promise.resolve({ default: Ours });
});

/** As Airflow does: what is being loaded is another component than what is loaded. */
const Host = () => {
  useParams();
  const Shown = loaded ?? Loading;
  return (
    <Suspense>
      <Shown />
    </Suspense>
  );
};

it("keeps the focus of whoever types, from the first letter on", async () => {
  const { router } = renderAt("/plugin/aggregates?model=a", <Host />);
  const first = await screen.findByRole("textbox");
  await waitFor(() => {
    expect(screen.getByRole("textbox")).not.toBe(first);
  });
  expect(router.state.location.search).toBe("?model=a");

  await userEvent.type(screen.getByRole("textbox"), "year");

  expect(screen.getByRole("textbox")).toHaveFocus();
  expect(router.state.location.search).toBe("?search=year");
});
