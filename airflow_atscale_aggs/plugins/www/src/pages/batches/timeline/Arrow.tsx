import { ROW_HEIGHT } from "./timeline_css";

type Props = {
  fromRow: number;
  toRow: number;
  /** Places from 0 to 100: where the source ended, and where what was built from it began. */
  from: number;
  to: number;
  isPointed: boolean;
  isExpected: boolean;
};

// It leaves the source's bar a little before its end, so that it is seen to belong to it.
const INSET = 4;

/** From the end of a source's bar down to the beginning of what was built from it. */
export const Arrow = ({ fromRow, toRow, from, to, isPointed, isExpected }: Props) => {
  const top = fromRow * ROW_HEIGHT + ROW_HEIGHT * 0.75;
  return (
    <div
      className={`arrow ${isPointed ? "pointed" : ""} ${isExpected ? "expected" : ""}`}
      style={{
        height: (toRow + 0.5) * ROW_HEIGHT - top,
        left: `calc(${from}% - ${INSET}px)`,
        top,
        width: `calc(${Math.max(0, to - from)}% + ${INSET - 1}px)`,
      }}
    />
  );
};
