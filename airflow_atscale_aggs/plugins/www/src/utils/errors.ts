/** What went wrong with a build: the sentence for people, and the statement that the warehouse refused. */
export type Fault = { sentence: string; sql: string };

/** An error of the server, whose statement stands at its end where there is one: `… no space left [SQL: CREATE …]`. */
export const splitError = (error: string): Fault => {
  const [sentence = "", sql] = error.split(/ ?\[SQL: ([^]*)\]\s*$/);
  const text = sentence.trim();
  return { sentence: /[.!?…]$/.test(text) ? text : `${text}.`, sql: sql ?? "" };
};
