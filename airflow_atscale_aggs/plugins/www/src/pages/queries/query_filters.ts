/** What the Queries tab shows, as its address says it and as the API is asked. */
import type { operations } from "src/api/schema";
import { STATUSES } from "src/components/statuses";

type Request = NonNullable<
  operations["list_queries_api_connections__connection__queries_get"]["parameters"]["query"]
>;

/** The filters of the tab: each stands under its name in the address. */
export type Filters = {
  search: string;
  outcome: string[];
  /** One of PERIOD_CHOICES; empty: any time. */
  period: string[];
  /** Id of the definition that answered; empty: any, or none. */
  definition: string;
  /** Who asked, exactly; empty: anybody. */
  user: string;
};

const HOUR = 3_600_000;
const PERIODS: Record<string, number> = { "1h": 1, "24h": 24, "7d": 7 * 24, "30d": 30 * 24 };

export const OUTCOME_CHOICES = ["hit", "partial", "miss", "fallback"].map((value) => ({
  value,
  label: STATUSES[value]?.label ?? value,
}));
export const PERIOD_CHOICES = [
  { value: "", label: "any time" },
  { value: "1h", label: "last hour" },
  { value: "24h", label: "last 24 hours" },
  { value: "7d", label: "last 7 days" },
  { value: "30d", label: "last 30 days" },
];

const words = (text: string | null, known: readonly { value: string }[]): string[] => {
  const asked = (text ?? "").split(",");
  return known.map((choice) => choice.value).filter((value) => value !== "" && asked.includes(value));
};

/** What an address asks for; what it does not know is left out. */
export const filtersOf = (params: URLSearchParams): Filters => ({
  search: params.get("search") ?? "",
  outcome: words(params.get("outcome"), OUTCOME_CHOICES),
  period: words(params.get("period"), PERIOD_CHOICES).slice(0, 1),
  definition: params.get("definition") ?? "",
  user: params.get("user") ?? "",
});

/** Parameters of the address for a filter; what is as it was at first does not stand there. */
export const paramsOf = (filters: Partial<Filters>): Record<string, string | null> => {
  const params: Record<string, string | null> = {};
  for (const name of ["outcome", "period"] as const) {
    const chosen = filters[name];
    if (chosen !== undefined) {
      params[name] = chosen.join(",");
    }
  }
  for (const name of ["search", "definition", "user"] as const) {
    const chosen = filters[name];
    if (chosen !== undefined) {
      params[name] = chosen;
    }
  }
  return params;
};

/** Parameters of an address without any filter. */
export const NO_FILTERS = paramsOf({ search: "", outcome: [], period: [], definition: "", user: "" });

/** Whether something is filtered out. */
export const isFiltered = ({ search, outcome, period, definition, user }: Filters): boolean =>
  [search, definition, user].some((text) => text !== "") || outcome.length + period.length > 0;

/** Who asked some queries, in the order of their names; of those whose name has a text in it. */
export const usersOf = (rows: readonly { user: string }[], search: string): string[] =>
  [...new Set(rows.map(({ user }) => user))]
    .filter((user) => user !== "" && user.toLowerCase().includes(search.trim().toLowerCase()))
    .sort((one, other) => one.localeCompare(other));

/**
 * What the API is asked.
 *
 * @param now milliseconds since 1970.
 */
export const requestOf = (filters: Filters, modelId: string, now: number): Request => {
  const hours = PERIODS[filters.period[0] ?? ""];
  return {
    model: [modelId],
    outcome: filters.outcome as Request["outcome"],
    ...(filters.search === "" ? {} : { search: filters.search }),
    ...(filters.definition === "" ? {} : { definition_id: filters.definition }),
    ...(filters.user === "" ? {} : { user: filters.user }),
    ...(hours === undefined ? {} : { asked_after: new Date(now - hours * HOUR).toISOString() }),
  };
};
