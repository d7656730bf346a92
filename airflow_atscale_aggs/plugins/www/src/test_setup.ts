import "@testing-library/jest-dom/vitest";

import { cleanup, configure } from "@testing-library/react";
import { afterEach } from "vitest";

import { queryClient } from "./api/client";

// What is waited for comes when it comes: on a busy machine later than within the usual second.
configure({ asyncUtilTimeout: 15_000 });

// jsdom lays nothing out: every element is as large as a small window, so that virtual rows are drawn.
Object.defineProperties(HTMLElement.prototype, {
  offsetHeight: { configurable: true, get: () => 600 },
  offsetWidth: { configurable: true, get: () => 1024 },
  clientHeight: { configurable: true, get: () => 600 },
  clientWidth: { configurable: true, get: () => 1024 },
});
HTMLElement.prototype.scrollTo = function scrollTo(this: HTMLElement, options?: ScrollToOptions | number) {
  if (typeof options === "object") {
    this.scrollTop = options.top ?? 0;
    this.dispatchEvent(new Event("scroll"));
  }
} as typeof HTMLElement.prototype.scrollTo;
HTMLElement.prototype.scrollIntoView = () => undefined;
const nothing = () => undefined;
globalThis.ResizeObserver = class {
  observe = nothing;
  unobserve = nothing;
  disconnect = nothing;
} as typeof ResizeObserver;

/** Width of the window; tests of narrow windows change it. */
export const viewport = { width: 1024 };
globalThis.matchMedia = (query: string) => {
  const most = Number(/max-width: (\d+)px/.exec(query)?.[1] ?? Infinity);
  return {
    matches: query.includes("max-width") && viewport.width <= most,
    media: query,
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
  } as unknown as MediaQueryList;
};

afterEach(() => {
  cleanup();
  queryClient.clear();
  localStorage.clear();
  viewport.width = 1024;
});
