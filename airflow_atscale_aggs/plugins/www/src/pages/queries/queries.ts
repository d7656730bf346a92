/** What can be said of a query of the log. */
import type { Model } from "src/frame/models";

import type { Query, QuerySource } from "./documents";

/** What answered a part of a query: the aggregate, or the fact. */
export const sourceName = (source: QuerySource): string => source.aggregate ?? source.fact;

/** All that answered a query, each once, in a line. */
export const sourcesText = (sources: readonly QuerySource[]): string =>
  [...new Set(sources.map(sourceName))].join(", ");

/** The first lines of a query as one line. */
export const oneLine = (sql: string): string => sql.slice(0, 400).replaceAll(/\s+/g, " ").trim();

/** Whether the log has left values out of it: a `%s` (or `?`, by the dialect) outside names and texts. */
export const lacksValues = (sql: string): boolean =>
  /%s|\?/.test(sql.replaceAll(/"(?:[^"]|"")*"|'(?:[^']|'')*'/g, ""));

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** A query that can be explained in the place of one of the log. */
export type StandIn = {
  sql: string;
  /** Whether it is the query itself, as it was asked. */
  isSame: boolean;
};

/**
 * The query itself where the log keeps all of it; else one that needs the same of an aggregate: its metrics by all
 * attributes that it shows or filters by, without its conditions.
 *
 * @returns null when the log does not tell what it needs.
 */
export const standInOf = (query: Query, model: Pick<Model, "catalog" | "name">): StandIn | null => {
  if (!lacksValues(query.sql)) {
    return { sql: query.sql, isSame: true };
  }
  const columns = [...new Set([...query.attributes, ...query.filters]), ...query.metrics];
  if (columns.length === 0) {
    return null;
  }
  const from = `${quoted(model.catalog)}.${quoted(model.name)}`;
  return { sql: `SELECT ${columns.map(quoted).join(", ")} FROM ${from}`, isSame: false };
};
