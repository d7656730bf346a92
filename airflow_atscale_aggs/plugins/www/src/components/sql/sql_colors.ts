/** Colours of the pieces of SQL, by semantic tokens: they follow the host's light and dark. */
export const SQL_COLORS = {
  "& .sql-keyword": { color: "purple.fg", fontWeight: "medium" },
  "& .sql-operator": { color: "fg.muted" },
  "& .sql-string": { color: "green.fg" },
  "& .sql-literal": { color: "orange.fg" },
  "& .sql-type": { color: "cyan.fg" },
  "& .sql-comment": { color: "fg.muted", fontStyle: "italic" },
};
