/** Which model the page is about: chosen by the address's `conn` and `model`. */
import type { components } from "src/api/schema";

export type Model = components["schemas"]["ModelSummary"] & {
  /** What stands for it in the address; absent: not known among which others it is, see {@link pageAddress}. */
  key?: string;
};

/** The parameters of the address that say which model; links to other tabs carry them along. */
export const MODEL_PARAMS = ["conn", "model"] as const;

/** What stands for a model in the address: its name, with its catalog where two models of a connection share it. */
export const modelKey = (model: Model, models: readonly Model[]): string => {
  const isShared = models.some(
    (other) => other.connection === model.connection && other.name === model.name && other.id !== model.id,
  );
  return isShared ? `${model.catalog}.${model.name}` : model.name;
};

/**
 * The model that an address names.
 *
 * @param key a name, `catalog.name`, or an id; empty: the first one of the connection.
 * @returns undefined when there is no such model, or no model at all.
 */
export const findModel = (models: readonly Model[], connection: string, key: string): Model | undefined =>
  models
    .filter((model) => connection === "" || model.connection === connection)
    .find((model) => ["", model.name, `${model.catalog}.${model.name}`, model.id].includes(key));

/** Models with what stands for each in the address. */
export const withKeys = (models: readonly Model[]): Model[] =>
  models.map((model) => ({ ...model, key: modelKey(model, models) }));

/**
 * The address of a place on the page, with its model; `place` such as `definitions`.
 *
 * @param model named with its catalog where it is not known whether another one has the same name.
 */
export const pageAddress = (
  place: string,
  model: Pick<Model, "connection" | "catalog" | "name" | "key">,
  params: Record<string, string> = {},
): string => {
  const key = model.key ?? `${model.catalog}.${model.name}`;
  const search = new URLSearchParams({ conn: model.connection, model: key, ...params });
  return `/plugin/aggregates${place === "" ? "" : `/${place}`}?${search.toString()}`;
};
