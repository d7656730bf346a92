import { useSyncExternalStore } from "react";

const query = () => globalThis.matchMedia("(max-width: 767px)");

const subscribe = (onChange: () => void) => {
  const media = query();
  media.addEventListener("change", onChange);
  return () => {
    media.removeEventListener("change", onChange);
  };
};

/** Whether the window is narrower than 768 pixels: a telephone, or a window beside others. */
export const useNarrow = (): boolean => useSyncExternalStore(subscribe, () => query().matches);
