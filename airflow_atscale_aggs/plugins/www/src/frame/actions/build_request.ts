/** What one chose in the dialog "Build now", as a request and as a sentence. */
import type { components } from "src/api/schema";
import type { Model } from "src/frame/models";
import { formatCount, plural } from "src/utils/numbers";

export type BuildType = "full" | "incremental";

/**
 * What one chose. Grace periods and the number of builds are as they were typed; empty: as the model says. Ranges that
 * have changed are as they were typed, with commas between.
 */
export type BuildChoices = {
  type: BuildType;
  /** Names of the aggregates; null: all of the model. */
  names: ReadonlySet<string> | null;
  gracePeriods: Readonly<Record<string, string>>;
  changed: Readonly<Record<string, string>>;
  concurrency: string;
  /** Whether a run of a DAG that does other things as well is wanted too. */
  isWholeDag: boolean;
};

export const BUILD_TYPES: readonly { type: BuildType; label: string; effect: string }[] = [
  {
    type: "incremental",
    label: "Incremental",
    effect:
      "Reads only what is new and what the grace period still reaches. Aggregates whose facts have no incremental indicator are made in full.",
  },
  {
    type: "full",
    label: "Full",
    effect:
      "Makes every table from scratch, with all corrections that came however late. It takes the longest.",
  },
];

/** The address's parameter `build`: `all`, or names with commas between. A name that has a comma stands in JSON. */
export const parseBuildParam = (param: string): ReadonlySet<string> | null => {
  if (param.startsWith("[")) {
    try {
      const names: unknown = JSON.parse(param);
      return new Set(Array.isArray(names) ? names.map(String) : []);
    } catch {
      return new Set();
    }
  }
  return param === "" || param === "all" ? null : new Set(param.split(",").filter((name) => name !== ""));
};

/** What stands in the address for chosen names; see {@link parseBuildParam}. */
export const buildParam = (names: readonly string[]): string => {
  const isPlain = names.every((name) => !name.includes(",") && name !== "all" && !name.startsWith("["));
  return isPlain ? names.join(",") : JSON.stringify(names);
};

/** A whole number from 1 to 1000, or undefined. */
export const parseConcurrency = (text: string): number | undefined => {
  const value = Number(text.trim());
  return /^\d+$/.test(text.trim()) && value >= 1 && value <= 1000 ? value : undefined;
};

/** Why the choices cannot be asked for, in a sentence; empty: they can. */
export const whyNotReady = (choices: BuildChoices): string => {
  if (choices.names?.size === 0) {
    return "Choose at least one aggregate.";
  }
  if (choices.concurrency.trim() !== "" && parseConcurrency(choices.concurrency) === undefined) {
    return "How many at once: a whole number from 1 to 1,000.";
  }
  return "";
};

const gracePeriods = (choices: BuildChoices): Record<string, string> =>
  Object.fromEntries(
    Object.entries(choices.gracePeriods)
      .map(([dataset, period]) => [dataset, period.trim()] as const)
      .filter(([, period]) => period !== "" && choices.type === "incremental"),
  );

const changedRanges = (choices: BuildChoices): Record<string, string[]> =>
  Object.fromEntries(
    Object.entries(choices.changed)
      .map(([dataset, text]) => {
        const ranges = text.split(",").map((range) => range.trim());
        return [dataset, ranges.filter((range) => range !== "")] as const;
      })
      .filter(([, ranges]) => ranges.length > 0 && choices.type === "incremental"),
  );

/** The body of the request. */
export const buildRequest = (choices: BuildChoices, dagId: string): components["schemas"]["BatchStart"] => ({
  build_type: choices.type,
  aggregates: choices.names === null ? [] : [...choices.names].sort(),
  grace_periods: gracePeriods(choices),
  changed: changedRanges(choices),
  max_concurrent_builds: parseConcurrency(choices.concurrency) ?? null,
  dag_id: choices.isWholeDag ? dagId : null,
});

/** What will be done, in sentences. */
export const sayBuild = (choices: BuildChoices, model: Model): string => {
  const { names, type } = choices;
  const [first] = names ?? [];
  const what =
    names === null
      ? `all ${plural(model.definitions, "aggregate")}`
      : names.size === 1
        ? `\`${first ?? ""}\``
        : plural(names.size, "aggregate");
  const how = type === "full" ? "in full" : "by increments where that is possible";
  const periods = Object.entries(gracePeriods(choices)).map(([dataset, period]) => `${dataset}: ${period}`);
  const ranges = Object.entries(changedRanges(choices)).map(
    ([dataset, of]) => `${dataset}: ${of.join(", ")}`,
  );
  const count = parseConcurrency(choices.concurrency);
  return [
    `A run of a DAG that builds \`${model.name}\` starts and builds ${what}, ${how}${
      count === undefined ? "" : `, ${formatCount(count)} at a time`
    }.`,
    periods.length === 0 ? "" : `Late rows are looked for as far back as ${periods.join(", ")}.`,
    ranges.length === 0 ? "" : `What has changed is made anew, however old it is: ${ranges.join("; ")}.`,
    model.open_batch_id == null
      ? "Queries are answered by the present tables until the new ones are ready."
      : "A batch is in progress: this one waits for its end, together with others that were asked for meanwhile.",
  ]
    .filter((sentence) => sentence !== "")
    .join(" ");
};
