/** The way from facts to an answer, as boxes: for each part of a query what was, or would be, read. */

/** What answers one part of a query, from an explanation, an answer, or the log. */
export type FlowPart = {
  fact: string;
  fact_rows: number | null;
  aggregate: string | null;
  definition_id: string | null;
  rows: number | null;
  as_of?: string | null;
  joined_back?: readonly string[];
};

export type Box =
  | { kind: "fact"; name: string; rows: number | null; isRead: boolean }
  | {
      kind: "aggregate";
      name: string;
      rows: number | null;
      definitionId: string | null;
      asOf: string | null;
      /** Of the facts' rows; null where one of them is not known. */
      share: number | null;
    }
  | { kind: "join"; names: readonly string[] };

/** The boxes of one part, in the order in which rows pass them. */
export const boxesOf = (part: FlowPart): Box[] => {
  const { fact, fact_rows: factRows, aggregate, rows } = part;
  const boxes: Box[] = [{ kind: "fact", name: fact, rows: factRows, isRead: aggregate === null }];
  if (aggregate !== null) {
    const share = rows === null || factRows === null || factRows === 0 ? null : rows / factRows;
    boxes.push({
      kind: "aggregate",
      name: aggregate,
      rows,
      definitionId: part.definition_id,
      asOf: part.as_of ?? null,
      share,
    });
  }
  if (part.joined_back !== undefined && part.joined_back.length > 0) {
    boxes.push({ kind: "join", names: part.joined_back });
  }
  return boxes;
};

/** What became of a query with these parts, by the API's words for it. */
export const outcomeOf = (parts: readonly FlowPart[], fallbackReason = ""): string => {
  if (fallbackReason !== "") {
    return "fallback";
  }
  const hits = parts.filter(({ aggregate }) => aggregate !== null).length;
  return hits === 0 ? "miss" : hits === parts.length ? "hit" : "partial";
};

/** Rows that are read, and rows that the facts alone would read; null where they are not known. */
export const rowsRead = (parts: readonly FlowPart[]): { read: number | null; facts: number | null } => {
  const sum = (values: (number | null)[]) =>
    values.includes(null) ? null : values.reduce<number>((total, value) => total + (value ?? 0), 0);
  return {
    read: sum(parts.map((part) => (part.aggregate === null ? part.fact_rows : part.rows))),
    facts: sum(parts.map((part) => part.fact_rows)),
  };
};
