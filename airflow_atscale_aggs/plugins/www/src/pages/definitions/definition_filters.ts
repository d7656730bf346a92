/** What the Definitions tab shows, as its address says it and as the API is asked. */
import type { operations } from "src/api/schema";
import type { Sort } from "src/components/DataTable";
import { STATUSES } from "src/components/statuses";
import { plural } from "src/utils/numbers";

import { ORIGINS } from "./origins";

type Query = NonNullable<
  operations["list_definitions_api_connections__connection__definitions_get"]["parameters"]["query"]
>;

/** The filters of the tab: each stands under its name in the address. */
export type Filters = {
  search: string;
  type: string[];
  status: string[];
  /** One of USED_CHOICES; empty: any. */
  used: string[];
  /** One of BUILT_CHOICES; empty: any. */
  built: string[];
  /** Empty: all states. */
  state: string[];
  sort: Sort;
};

const SHOWN_STATUSES = [
  "active",
  "building",
  "canceled",
  "deleted",
  "failed",
  "inactive",
  "pending",
  "queued",
  "staged",
  "unavailable",
];
const SORTS = [
  "name",
  "status",
  "uses",
  "last_used_at",
  "rows",
  "built_at",
  "seconds",
  "score",
  "created_at",
] as const;

export const TYPE_CHOICES = Object.entries(ORIGINS).map(([value, { label }]) => ({ value, label }));
export const STATUS_CHOICES = SHOWN_STATUSES.map((value) => ({
  value,
  label: STATUSES[value]?.label ?? value,
}));
export const STATE_CHOICES = ["defined", "blocked", "retired"].map((value) => ({
  value,
  label: STATUSES[value]?.label ?? value,
}));
export const USED_CHOICES = [
  { value: "", label: "any time" },
  { value: "7", label: "in the last 7 days" },
  { value: "30", label: "in the last 30 days" },
  { value: "not-45", label: "not for 45 days" },
  { value: "never", label: "never" },
];

export const BUILT_CHOICES = [
  { value: "", label: "any time" },
  { value: "not-36h", label: "not for 36 hours" },
  { value: "not-7d", label: "not for 7 days" },
  { value: "not-30d", label: "not for 30 days" },
];

/** In the address: all states, which is not the same as no word about them. */
const ANY_STATE = "any";
export const DEFAULT_STATE = ["defined"];

const words = (text: string | null, known: readonly { value: string }[]): string[] => {
  const asked = (text ?? "").split(",");
  return known.map((choice) => choice.value).filter((value) => value !== "" && asked.includes(value));
};

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** How long something was not built, in milliseconds; undefined where the word says nothing of the kind. */
const notBuiltForOf = (word: string | undefined): number | undefined => {
  const [, number, unit] = /^not-([1-9]\d{0,5})([hd])$/.exec(word ?? "") ?? [];
  return number === undefined ? undefined : Number(number) * (unit === "h" ? HOUR : DAY);
};

/** The choices of the filter, and the one that a link has brought, whose age a model's settings decide. */
export const builtChoicesOf = (built: readonly string[]): { value: string; label: string }[] => {
  const [word] = built;
  if (word === undefined || BUILT_CHOICES.some(({ value }) => value === word)) {
    return BUILT_CHOICES;
  }
  const hours = (notBuiltForOf(word) ?? 0) / HOUR;
  return [...BUILT_CHOICES, { value: word, label: `not for ${plural(hours, "hour")}` }];
};

/** What an address asks for; what it does not know is left out. */
export const filtersOf = (params: URLSearchParams): Filters => {
  const sort = params.get("sort") ?? "";
  const by = sort.replace(/^-/, "");
  const state = params.get("state");
  const states = words(state, STATE_CHOICES);
  return {
    search: params.get("search") ?? "",
    type: words(params.get("type"), TYPE_CHOICES),
    status: words(params.get("status"), STATUS_CHOICES),
    used: words(params.get("used"), USED_CHOICES).slice(0, 1),
    built: [params.get("built") ?? ""].filter((word) => notBuiltForOf(word) !== undefined),
    state: states.length > 0 || state === ANY_STATE ? states : DEFAULT_STATE,
    sort: SORTS.some((known) => known === by)
      ? { by, isDescending: sort.startsWith("-") }
      : { by: "name", isDescending: false },
  };
};

/** Parameters of the address for a filter; what is as it was at first does not stand there. */
export const paramsOf = (filters: Partial<Filters>): Record<string, string | null> => {
  const params: Record<string, string | null> = {};
  for (const name of ["type", "status", "used", "built"] as const) {
    const chosen = filters[name];
    if (chosen !== undefined) {
      params[name] = chosen.join(",");
    }
  }
  if (filters.search !== undefined) {
    params.search = filters.search;
  }
  if (filters.state !== undefined) {
    const isDefault = filters.state.join() === DEFAULT_STATE.join();
    params.state = isDefault ? null : filters.state.join(",") || ANY_STATE;
  }
  if (filters.sort !== undefined) {
    const { by, isDescending } = filters.sort;
    params.sort = by === "name" && !isDescending ? null : `${isDescending ? "-" : ""}${by}`;
  }
  return params;
};

/** Parameters of an address without any filter. */
export const NO_FILTERS = paramsOf({
  search: "",
  type: [],
  status: [],
  used: [],
  built: [],
  state: DEFAULT_STATE,
});

/** Whether something is filtered out that is there at first. */
export const isFiltered = ({ search, type, status, used, built, state }: Filters): boolean =>
  search !== "" ||
  type.length + status.length + used.length + built.length > 0 ||
  state.join() !== DEFAULT_STATE.join();

/** The moment some time before another, to the hour: the same request within an hour is answered from the cache. */
const before = (now: number, milliseconds: number): string =>
  new Date(Math.floor(now / HOUR) * HOUR - milliseconds).toISOString();

/**
 * What the API is asked.
 *
 * @param now milliseconds since 1970.
 */
export const requestOf = (filters: Filters, modelId: string, now: number): Query => {
  const [used] = filters.used;
  const days = Number(used);
  const notBuiltFor = notBuiltForOf(filters.built[0]);
  return {
    model: [modelId],
    origin: filters.type as Query["origin"],
    status: filters.status as Query["status"],
    state: (filters.state.length > 0
      ? filters.state
      : STATE_CHOICES.map(({ value }) => value)) as Query["state"],
    ...(filters.search === "" ? {} : { search: filters.search }),
    ...(days > 0 ? { used_since: before(now, days * DAY) } : {}),
    ...(used === "not-45" ? { unused_since: before(now, 45 * DAY) } : {}),
    ...(used === "never" ? { never_used: true } : {}),
    // To the second: the overview counts what is older than that now.
    ...(notBuiltFor === undefined ? {} : { built_before: new Date(now - notBuiltFor).toISOString() }),
    sort: filters.sort.by as Query["sort"],
    descending: filters.sort.isDescending,
  };
};
