import { useCallback } from "react";
import { useSearchParams } from "react-router-dom";

/** Parameters of the address to set, or (null) to take out. */
export type ParamChanges = Record<string, string | null>;

const apply = (before: URLSearchParams, changes: ParamChanges): URLSearchParams => {
  const after = new URLSearchParams(before);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") {
      after.delete(name);
    } else {
      after.set(name, value);
    }
  }
  return after;
};

/**
 * One parameter of the address, so that what one sees can be sent to somebody else.
 *
 * @returns its value, empty when it is not there; and a function that sets it. Opening something is a step back in
 *   the browser's history; what one types into a filter is not (`{ replace: true }`).
 */
export const useAddressParam = (
  name: string,
): [string, (value: string | null, options?: { replace?: boolean }) => void] => {
  const [params, setParams] = useSearchParams();
  const set = useCallback(
    (value: string | null, options?: { replace?: boolean }) => {
      setParams((before) => apply(before, { [name]: value }), options);
    },
    [name, setParams],
  );
  return [params.get(name) ?? "", set];
};

/** Several parameters of the address at once; see {@link useAddressParam}. */
export const useAddressParams = (): [
  URLSearchParams,
  (changes: ParamChanges, options?: { replace?: boolean }) => void,
] => {
  const [params, setParams] = useSearchParams();
  const set = useCallback(
    (changes: ParamChanges, options?: { replace?: boolean }) => {
      setParams((before) => apply(before, changes), options);
    },
    [setParams],
  );
  return [params, set];
};
