import { useStored } from "./useStored";

/** The IANA time zone that the user chose in Airflow; the browser's until then. */
export const useTimezone = (): string => {
  const [zone] = useStored<unknown>("timezone", undefined);
  return typeof zone === "string" ? zone : Intl.DateTimeFormat().resolvedOptions().timeZone;
};
