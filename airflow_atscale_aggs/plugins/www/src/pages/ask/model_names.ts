/** What the editor offers of a model, and queries to begin with. */
import type { components } from "src/api/schema";
import { quoteName, writeName } from "src/components/sql/sql_names";
import type { OfferedName } from "src/components/sql/SqlEditor";
import type { Model } from "src/frame/models";

import type { Structure } from "./documents";

/** A model as it stands after FROM. */
export const tableName = (model: Model): string => `${writeName(model.catalog)}.${writeName(model.name)}`;

/** Names that are offered as one types: the model, its attributes, its metrics. */
export const offeredNames = (model: Model, structure: Structure): OfferedName[] => [
  { name: model.name, kind: "class", detail: "model", text: tableName(model) },
  ...structure.attributes.map(({ name, label }) => ({
    name,
    kind: "property",
    detail: label === name || label === "" ? "attribute" : `attribute: ${label}`,
  })),
  ...structure.metrics.map(({ name, method, fact }) => ({
    name,
    kind: "variable",
    detail: fact === "" ? method : `${method} of ${fact}`,
  })),
];

/** Names in groups, as the list beside the editor shows them. */
export type NameGroup = { title: string; names: { name: string; help: string }[] };

/** The metrics, then the attributes by hierarchy, then those in none; only what has all words of a search. */
export const nameGroups = (structure: Structure, search: string): NameGroup[] => {
  const words = search
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  const inHierarchies = new Set(
    structure.hierarchies.flatMap(({ levels }) => levels.map(({ name }) => name)),
  );
  const groups: NameGroup[] = [
    {
      title: "Metrics",
      names: structure.metrics.map(({ name, method, fact, expression }) => ({
        name,
        help: fact === "" ? `calculated: ${expression}` : `${method} of ${fact}`,
      })),
    },
    ...structure.hierarchies.map(({ label, role, levels }) => ({
      title: role === "" ? label : `${label} (${role.replace("{0}", "…")})`,
      names: levels.map(({ name, label: help }) => ({ name, help })),
    })),
    {
      title: "Other attributes",
      names: structure.attributes
        .filter(({ name }) => !inHierarchies.has(name))
        .map(({ name, label }) => ({ name, help: label })),
    },
  ];
  return groups
    .map(({ title, names }) => ({
      title,
      names: names.filter(({ name, help }) => {
        const text = `${title} ${name} ${help}`.toLowerCase();
        return words.every((word) => text.includes(word));
      }),
    }))
    .filter(({ names }) => names.length > 0);
};

type Definition = Pick<components["schemas"]["DefinitionRow"], "attributes" | "metrics">;

const select = (model: Model, names: readonly string[], rest: string) =>
  `SELECT ${names.map(quoteName).join(", ")}\nFROM ${tableName(model)}${rest}`;

/** Queries to begin with: what definitions hold can be asked for sure, and a metric alone always. */
export const exampleQueries = (
  model: Model,
  structure: Structure,
  definitions: readonly Definition[],
): string[] => {
  const [metric] = structure.metrics;
  const [total] = metric === undefined ? [] : [select(model, [metric.name], "")];
  const grouped = definitions
    .filter(
      ({ attributes, metrics }) => attributes.length > 0 && attributes.length <= 3 && metrics.length > 0,
    )
    .map(({ attributes, metrics }) => {
      const names = [...attributes, ...metrics.slice(0, 2)];
      return select(model, names, `\nORDER BY ${attributes.length + 1} DESC`);
    });
  return [...new Set([...grouped.slice(0, 2), ...(total === undefined ? [] : [total])])];
};
