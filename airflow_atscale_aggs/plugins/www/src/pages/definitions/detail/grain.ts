/** A grain laid out on the hierarchies of its dimensions. */
import type { Structure } from "../documents";

/** A level of a hierarchy: stored, coarser than a stored one (so it can be derived), or neither. */
export type Rung = { name: string; label: string; kind: "stored" | "derivable" | "absent" };

/** One hierarchy, coarse to fine. */
export type Ladder = { name: string; label: string; rungs: Rung[] };

/** A dimension in one role, with those of its hierarchies in which something is stored. */
export type RoleColumn = { title: string; ladders: Ladder[] };

/** How a grain is drawn. */
export type GrainDrawing = {
  columns: RoleColumn[];
  /** Stored attributes that are a level of no hierarchy. */
  loose: string[];
  /** Dimensions of which nothing is stored. */
  absent: string[];
};

/** `Sold {0}` of `Calendar` is `Sold Calendar`. */
export const roleTitle = (dimension: string, role: string): string =>
  role === "" ? dimension : role.replace("{0}", dimension);

/** Lay out the attributes of a grain. */
export const drawGrain = (attributes: readonly string[], structure: Structure): GrainDrawing => {
  const stored = new Set(attributes);
  const columns = new Map<string, RoleColumn>();
  const absent = new Set<string>();
  const drawn = new Set<string>();
  for (const hierarchy of structure.hierarchies) {
    const title = roleTitle(hierarchy.dimension, hierarchy.role);
    const finest = hierarchy.levels.findLastIndex((level) => stored.has(level.name));
    if (finest < 0) {
      absent.add(title);
      continue;
    }
    const column = columns.get(title) ?? { title, ladders: [] };
    columns.set(title, column);
    column.ladders.push({
      name: hierarchy.name,
      label: hierarchy.label,
      rungs: hierarchy.levels.map(({ name, label }, at) => {
        drawn.add(name);
        const kind = stored.has(name) ? "stored" : at < finest ? "derivable" : "absent";
        return { name, label: label === "" ? name : label, kind };
      }),
    });
  }
  return {
    columns: [...columns.values()],
    loose: attributes.filter((name) => !drawn.has(name)),
    absent: [...absent].filter((title) => !columns.has(title)),
  };
};
