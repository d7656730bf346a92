/** Types of the API that the tab shows. */
import type { components } from "src/api/schema";

export type Definition = components["schemas"]["DefinitionRow"];
export type DefinitionDetail = components["schemas"]["DefinitionDetail"];
export type Instance = components["schemas"]["InstanceRow"];
export type InstanceDetail = components["schemas"]["InstanceDetail"];
export type Structure = components["schemas"]["ModelStructure"];
