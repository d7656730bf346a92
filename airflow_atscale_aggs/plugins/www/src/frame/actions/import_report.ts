/** The report of an import: what became of each definition of the file. */
import type { components } from "src/api/schema";

export type ImportAnswer = components["schemas"]["ImportAnswer"];
export type ImportedNode = components["schemas"]["ImportedNode"];

const NEW = new Set(["imported", "returned"]);

/** Names of those that this import has brought and that no batch has begun to build. */
export const newToBuild = (report: Pick<ImportAnswer, "definitions" | "to_build">): string[] => {
  const brought = new Set(
    report.definitions.filter(({ outcome }) => NEW.has(outcome)).map(({ name }) => name),
  );
  return report.to_build.filter((name) => brought.has(name));
};

/** In the order in which they are of interest. */
const OUTCOMES = ["imported", "returned", "refused", "blocked", "duplicate"];

const rank = (outcome: string) => {
  const place = OUTCOMES.indexOf(outcome);
  return place === -1 ? OUTCOMES.length : place;
};

/** How many definitions had each outcome, those of most interest first. */
export const countOutcomes = (definitions: readonly ImportedNode[]): { outcome: string; count: number }[] => {
  const counts = new Map<string, number>();
  for (const { outcome } of definitions) {
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  }
  return [...counts]
    .map(([outcome, count]) => ({ outcome, count }))
    .sort((one, other) => rank(one.outcome) - rank(other.outcome));
};

/** The definitions with one outcome; all of them, those of most interest first, when it is empty. */
export const withOutcome = (definitions: readonly ImportedNode[], outcome: string): ImportedNode[] =>
  outcome === ""
    ? definitions.toSorted((one, other) => rank(one.outcome) - rank(other.outcome))
    : definitions.filter((each) => each.outcome === outcome);
