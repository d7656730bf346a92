/** What an explained query means for the nodes of a lattice. */
import type { components } from "src/api/schema";

import type { LatticeNode } from "./lattice";

export type Explanation = components["schemas"]["QueryExplanation"];
export type PlanPart = Explanation["parts"][number];
export type Candidate = PlanPart["candidates"][number];

/** Nodes by what they have to do with a query. */
export type Roles = {
  /** Aggregates that answer a part of it. */
  serving: Set<string>;
  /** Facts that answer a part of it, since no aggregate does. */
  missing: Set<string>;
  /** Of misses: the aggregates that are nearest to answering. */
  nearest: Set<string>;
  /** Why an aggregate does not answer, in a sentence. */
  reasons: Map<string, string>;
};

const MOST_NEAREST = 3;

/** Those that would answer after the smallest change, nearest first; of those that lack as much, the smaller ones. */
export const nearestCandidates = (part: PlanPart): Candidate[] => {
  const changeable = part.candidates.filter((candidate) => candidate.change !== "");
  // That one is not built is told of all that are not, whether they would match or not.
  const rank = (candidate: Candidate) => (candidate.missing.length === 0 ? 100 : candidate.missing.length);
  return changeable
    .toSorted((one, other) => rank(one) - rank(other) || (one.rows ?? Infinity) - (other.rows ?? Infinity))
    .slice(0, MOST_NEAREST);
};

/** The definition that a candidate is a part of: parts are named `definition (fact)`. */
const nodeOfCandidate = (name: string, fact: string, ids: ReadonlyMap<string, string>): string | undefined =>
  ids.get(name) ?? ids.get(name.replace(` (${fact})`, ""));

/** The roles of nodes in a query. */
export const rolesIn = (explanation: Explanation | undefined, nodes: readonly LatticeNode[]): Roles => {
  const roles: Roles = {
    serving: new Set(),
    missing: new Set(),
    nearest: new Set(),
    reasons: new Map(),
  };
  const aggregates = new Map(
    nodes.filter((node) => node.kind !== "fact").map((node) => [node.name, node.id]),
  );
  const facts = new Map(nodes.filter((node) => node.kind === "fact").map((node) => [node.name, node.id]));
  for (const part of explanation?.parts ?? []) {
    if (part.definition_id !== null) {
      roles.serving.add(part.definition_id);
    } else {
      const fact = facts.get(part.fact);
      if (fact !== undefined) {
        roles.missing.add(fact);
      }
      for (const candidate of nearestCandidates(part)) {
        const id = nodeOfCandidate(candidate.aggregate, part.fact, aggregates);
        if (id !== undefined) {
          roles.nearest.add(id);
        }
      }
    }
    for (const candidate of part.candidates) {
      const id = nodeOfCandidate(candidate.aggregate, part.fact, aggregates);
      if (id !== undefined) {
        const change = candidate.change === "" ? "" : ` To change that: ${candidate.change}.`;
        roles.reasons.set(id, `${candidate.explanation}.${change}`);
      }
    }
  }
  return roles;
};
