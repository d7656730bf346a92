/** Types of the API that the tab shows. */
import type { components } from "src/api/schema";

export type Query = components["schemas"]["QueryRow"];
export type QuerySource = components["schemas"]["QuerySourceNode"];
export type Recommendations = components["schemas"]["RecommendAnswer"];
export type RecommendRequest = components["schemas"]["RecommendRequest"];
export type Recommendation = components["schemas"]["RecommendedAggregate"];
export type Unserved = components["schemas"]["UnservedNode"];
