/** The colours of the charts, and what they stand for. */
export const TOKENS = [
  "success.solid",
  "warning.solid",
  "failed.solid",
  "brand.solid",
  "brand.subtle",
  "fg.muted",
  "border",
  "bg.panel",
] as const;

type Token = (typeof TOKENS)[number];
type Key = "hits" | "misses" | "fallbacks";

/** From the bottom of a bar to its top. */
export const OUTCOME_TOKENS: readonly { name: string; key: Key; token: Token; meaning: string }[] = [
  { name: "Hits", key: "hits", token: "success.solid", meaning: "Answered from aggregates." },
  { name: "Misses", key: "misses", token: "warning.solid", meaning: "Answered from the facts." },
  {
    name: "Fallbacks",
    key: "fallbacks",
    token: "failed.solid",
    meaning: "An aggregate could not be read, so the facts answered.",
  },
];
