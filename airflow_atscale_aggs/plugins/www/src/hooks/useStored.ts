import { useCallback, useSyncExternalStore } from "react";

const CHANGED = "local-storage";

const read = (key: string): string | null => {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
};

/** The JSON value that stands in the browser's store under a key; undefined when there is none, or no JSON. */
export const parseStored = <T>(text: string | null): T | undefined => {
  try {
    return text === null ? undefined : (JSON.parse(text) as T);
  } catch {
    return undefined;
  }
};

const subscribe = (onChange: () => void) => {
  // Airflow's UI tells changes within a window by an event of this name.
  globalThis.addEventListener("storage", onChange);
  globalThis.addEventListener(CHANGED, onChange);
  return () => {
    globalThis.removeEventListener("storage", onChange);
    globalThis.removeEventListener(CHANGED, onChange);
  };
};

/**
 * A value that is kept in the browser, and follows changes by other parts of the UI and other windows.
 *
 * @param key its name; ours begin with `aggregates/`.
 * @param initial what it is until somebody sets it, and where the browser keeps nothing.
 */
export const useStored = <T>(key: string, initial: T): [T, (value: T) => void] => {
  const text = useSyncExternalStore(subscribe, () => read(key));
  const set = useCallback(
    (value: T) => {
      try {
        localStorage.setItem(key, JSON.stringify(value));
      } catch {
        // A browser that keeps nothing shows the page all the same.
      }
      globalThis.dispatchEvent(new StorageEvent(CHANGED, { key }));
    },
    [key],
  );
  return [parseStored<T>(text) ?? initial, set];
};
