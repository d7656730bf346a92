/** Values of an answer: what kind each column has, how they are shown, sorted, and written as CSV. */

export type Value = unknown;
export type Row = readonly Value[];

/** A number, also one that no JSON number holds exactly and that comes as a text. */
const isNumber = (value: Value): boolean =>
  typeof value === "number" ||
  (typeof value === "string" && /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(value) && /\d{15}|\./.test(value));

/** Whether all values of a column that are there are numbers: such columns stand at the right. */
export const isNumeric = (rows: readonly Row[], column: number): boolean => {
  let isAny = false;
  for (const row of rows) {
    const value = row[column];
    if (value !== null && value !== undefined) {
      if (!isNumber(value)) {
        return false;
      }
      isAny = true;
    }
  }
  return isAny;
};

/** A value as a text; null for NULL. Digits are not grouped: a year is no amount. */
export const textOf = (value: Value): string | null => {
  if (value === null || value === undefined) {
    return null;
  }
  if (typeof value === "string") {
    return value;
  }
  return typeof value === "number" || typeof value === "boolean" ? String(value) : JSON.stringify(value);
};

const collator = new Intl.Collator("en", { numeric: true });

/** The rows by one column; NULL stands at the end, whatever the direction. */
export const sortRows = (rows: readonly Row[], column: number, isDescending: boolean): Row[] => {
  const sign = isDescending ? -1 : 1;
  const hasNumbers = isNumeric(rows, column);
  return rows.toSorted((one, other) => {
    const [a, b] = [textOf(one[column]), textOf(other[column])];
    if (a === null || b === null) {
      return Number(a === null) - Number(b === null);
    }
    return sign * (hasNumbers ? Number(a) - Number(b) : collator.compare(a, b));
  });
};

const field = (value: Value): string => {
  const text = textOf(value);
  if (text === null) {
    return "";
  }
  return text === "" || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

/** Rows as RFC 4180 has them, as the API writes them too: NULL is an empty field, an empty text one in quotes. */
export const csvOf = (columns: readonly string[], rows: readonly Row[]): string =>
  [columns, ...rows].map((row) => `${row.map(field).join(",")}\r\n`).join("");
