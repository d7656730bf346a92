/** Types of the API that asking is about. */
import type { components } from "src/api/schema";

export type Answer = components["schemas"]["QueryAnswer"];
export type Explanation = components["schemas"]["QueryExplanation"];
export type PlanPart = components["schemas"]["PlanPart"];
export type Candidate = components["schemas"]["CandidateNode"];
export type Structure = components["schemas"]["ModelStructure"];
export type AskRequest = components["schemas"]["AskRequest"];
