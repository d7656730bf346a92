import { useCallback } from "react";

import type { Sort } from "src/components/DataTable";

import { useAddressParam } from "./useAddress";

/**
 * What a table is sorted by, in the address: `?sort=-seconds` has the largest first.
 *
 * @param param the parameter's name.
 * @param initial what it is sorted by while the address says nothing.
 */
export const useAddressSort = (param: string, initial: Sort): [Sort, (sort: Sort) => void] => {
  const [value, setValue] = useAddressParam(param);
  const set = useCallback(
    (sort: Sort) => {
      const isInitial = sort.by === initial.by && sort.isDescending === initial.isDescending;
      setValue(isInitial ? null : `${sort.isDescending ? "-" : ""}${sort.by}`, { replace: true });
    },
    [initial.by, initial.isDescending, setValue],
  );
  const isDescending = value.startsWith("-");
  return [value === "" ? initial : { by: isDescending ? value.slice(1) : value, isDescending }, set];
};
