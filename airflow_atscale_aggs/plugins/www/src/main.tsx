/**
 * The bundle's entry. Airflow imports it, then looks for a component under the name of the React app that it shows; all
 * of ours are one component, which sees from its props where it is. The names are those of plugins/aggregates.py.
 */
import { App } from "./App";

for (const name of ["Aggregates", "Aggregate batch", "Aggregate"]) {
  Reflect.set(globalThis, name, App);
}

export { App };
