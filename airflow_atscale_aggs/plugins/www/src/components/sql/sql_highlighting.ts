/** SQL as coloured pieces. Loaded when SQL is shown: the formatter and the parser are large. */
import { PostgreSQL } from "@codemirror/lang-sql";
import { highlightTree, tagHighlighter, tags } from "@lezer/highlight";
import { duckdb, formatDialect } from "sql-formatter";

/** A piece of a text and what it is: a keyword, a string, …; empty for what has no colour. */
export type Piece = { text: string; kind: string };

/** Kinds of pieces, shared with the editor. */
export const highlighter = tagHighlighter([
  { tag: tags.keyword, class: "sql-keyword" },
  { tag: [tags.operatorKeyword, tags.operator], class: "sql-operator" },
  { tag: [tags.string, tags.special(tags.string)], class: "sql-string" },
  { tag: [tags.number, tags.bool, tags.null], class: "sql-literal" },
  { tag: [tags.typeName, tags.standard(tags.name)], class: "sql-type" },
  { tag: [tags.lineComment, tags.blockComment], class: "sql-comment" },
]);

/** SQL broken into lines; what the formatter cannot read stays as it is. */
export const formatSql = (sql: string): string => {
  try {
    return formatDialect(sql, {
      dialect: duckdb,
      tabWidth: 2,
      keywordCase: "preserve",
      expressionWidth: 90,
      // Where the log has left out a value.
      paramTypes: { positional: true, custom: [{ regex: "%s" }] },
    });
  } catch {
    return sql;
  }
};

/** The pieces of a statement, in order; together they are the statement. */
export const sqlPieces = (sql: string): Piece[] => {
  const pieces: Piece[] = [];
  let end = 0;
  highlightTree(PostgreSQL.language.parser.parse(sql), highlighter, (from, to, kind) => {
    if (from > end) {
      pieces.push({ text: sql.slice(end, from), kind: "" });
    }
    pieces.push({ text: sql.slice(from, to), kind });
    end = to;
  });
  if (end < sql.length) {
    pieces.push({ text: sql.slice(end), kind: "" });
  }
  return pieces;
};
