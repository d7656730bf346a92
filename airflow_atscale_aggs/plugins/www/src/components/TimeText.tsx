import { useTimezone } from "src/hooks/useTimezone";
import { UNKNOWN } from "src/utils/numbers";
import { formatAgo, formatTime } from "src/utils/times";

type Props = {
  /** ISO 8601; null when there is none. */
  value: string | null | undefined;
  /** `5 minutes ago`, with the time itself when one points at it. */
  isRelative?: boolean;
  /** What stands there when there is no time. */
  otherwise?: string;
};

/** A time in the user's zone, as Airflow shows it. */
export const TimeText = ({ value, isRelative = false, otherwise = UNKNOWN }: Props) => {
  const zone = useTimezone();
  if (value == null) {
    return <span>{otherwise}</span>;
  }
  const local = formatTime(value, zone);
  const title = isRelative ? `${local} (${zone})` : `${formatTime(value, "UTC")} UTC`;
  return (
    <time dateTime={value} title={title} style={{ whiteSpace: "nowrap" }}>
      {isRelative ? formatAgo(value) : local}
    </time>
  );
};
