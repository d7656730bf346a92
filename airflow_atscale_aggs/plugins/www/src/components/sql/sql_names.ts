/** A name in double quotes, as SQL wants one that has blanks or capitals. */
export const quoteName = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** A name as people write it: in quotes only where SQL needs them. */
export const writeName = (name: string): string => (/^[a-z_][a-z0-9_]*$/.test(name) ? name : quoteName(name));

/**
 * What is being written at the end of a line: a word, or a name whose quotes are still open; empty: neither.
 *
 * @param line up to the cursor.
 */
export const wordBefore = (line: string): string => {
  const isOpen = line.split('"').length % 2 === 0;
  return isOpen ? line.slice(line.lastIndexOf('"')) : (/[\w.]+$/.exec(line)?.[0] ?? "");
};

/** Words that are offered as one writes a query; the many others that PostgreSQL knows would be in the way. */
export const KEYWORDS: readonly string[] = [
  ...[
    "SELECT",
    "DISTINCT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "HAVING",
    "ORDER BY",
    "LIMIT",
    "OFFSET",
    "WITH",
    "AS",
  ],
  ...["AND", "OR", "NOT", "IN", "IS NULL", "IS NOT NULL", "LIKE", "ILIKE", "BETWEEN", "EXISTS"],
  ...["ASC", "DESC", "NULLS FIRST", "NULLS LAST", "UNION ALL", "JOIN", "LEFT JOIN", "ON", "USING"],
  ...["CASE", "WHEN", "THEN", "ELSE", "END", "OVER", "PARTITION BY", "QUALIFY", "FILTER"],
  ...["COUNT", "SUM", "AVG", "MIN", "MAX", "CAST", "COALESCE", "NULLIF", "ROUND", "UPPER", "LOWER", "TRIM"],
  ...["EXTRACT", "DATE_TRUNC", "CURRENT_DATE", "INTERVAL", "DATE", "TIMESTAMP", "TRUE", "FALSE", "NULL"],
];
