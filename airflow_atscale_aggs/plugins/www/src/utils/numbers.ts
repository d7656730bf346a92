/** Numbers as people read them: `1,234`, `1.2 M`, `3.4 s`, `1.5 GB`. */

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
// A number and its unit stay on one line.
const SPACE = "\u00a0";

/** What stands for a number that nobody knows. */
export const UNKNOWN = "–";

/** All digits, with separators: `1,234`. */
export const formatCount = (value: number | null | undefined): string =>
  value == null ? UNKNOWN : whole.format(value);

const scale = (value: number, base: number, units: readonly string[]): string => {
  let rest = Math.abs(value);
  let unit = 0;
  // 999.95 would be shown as 1000.0, which is 1.0 of the next unit.
  while (rest >= base * 0.9995 && unit < units.length - 1) {
    rest /= base;
    unit += 1;
  }
  const digits = unit === 0 || rest >= 99.95 ? 0 : 1;
  const text = `${value < 0 ? "-" : ""}${rest.toFixed(digits)}`;
  return units[unit] === "" ? text : `${text}${SPACE}${units[unit] ?? ""}`;
};

/** At most four digits: `980`, `1.2 K`, `34.5 M`, `2.0 B`. */
export const formatCompact = (value: number | null | undefined): string =>
  value == null ? UNKNOWN : scale(value, 1000, ["", "K", "M", "B", "T"]);

/** A number of rows: `1 row`, `1.2 M rows`. */
export const formatRows = (value: number | null | undefined): string =>
  value == null ? UNKNOWN : `${formatCompact(value)} ${value === 1 ? "row" : "rows"}`;

/** Bytes in steps of 1000: `512 B`, `1.5 GB`. */
export const formatBytes = (value: number | null | undefined): string =>
  value == null ? UNKNOWN : scale(value, 1000, ["B", "KB", "MB", "GB", "TB", "PB"]);

/** A duration in its two largest units: `12 ms`, `3.4 s`, `2 min 5 s`, `1 h 3 min`, `2 d 4 h`. */
export const formatSeconds = (value: number | null | undefined): string => {
  if (value == null) {
    return UNKNOWN;
  }
  if (value < 0) {
    return `-${formatSeconds(-value)}`;
  }
  if (value > 0 && value < 0.9995) {
    return value < 0.0005 ? `< 1${SPACE}ms` : `${Math.round(value * 1000)}${SPACE}ms`;
  }
  if (value < 59.95) {
    return value < 9.95 && !Number.isInteger(value)
      ? `${value.toFixed(1)}${SPACE}s`
      : `${Math.round(value)}${SPACE}s`;
  }
  const seconds = Math.round(value);
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  return parts
    .slice(first, first + 2)
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount}${SPACE}${unit}`)
    .join(" ");
};

/** A share from 0 to 1 in percent: `0 %`, `< 1 %`, `42 %`; never rounded up to `100 %`. */
export const formatShare = (value: number | null | undefined): string => {
  if (value == null) {
    return UNKNOWN;
  }
  if (value > 0 && value < 0.01) {
    return `< 1${SPACE}%`;
  }
  if (value < 1 && value > 0.99) {
    return `> 99${SPACE}%`;
  }
  return `${Math.round(value * 100)}${SPACE}%`;
};

/** `1 query`, `2 queries`, `– queries` where nobody knows. */
export const plural = (count: number | null | undefined, one: string, many = `${one}s`): string =>
  `${formatCount(count)} ${count === 1 ? one : many}`;

const precise = new Intl.NumberFormat("en-US", { maximumFractionDigits: 20 });

/** A number as exactly as it was given, with separators: `0.125`, `1,000`. */
export const formatExact = (value: number): string => precise.format(value);

const tenths = new Intl.NumberFormat("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** With one digit after the point: `3.4`, `1,200.0`. */
export const formatTenths = (value: number): string => tenths.format(value);
