/** Times in the zone that the user chose in Airflow, in Airflow's own format. */
import dayjs from "dayjs";
import relativeTime from "dayjs/plugin/relativeTime";
import timezone from "dayjs/plugin/timezone";
import utc from "dayjs/plugin/utc";

dayjs.extend(utc);
dayjs.extend(timezone);
dayjs.extend(relativeTime);

const FORMAT = "YYYY-MM-DD HH:mm:ss";

/**
 * A time such as `2026-11-28 09:30:00`.
 *
 * @param value an ISO 8601 time; one that names no zone is in UTC.
 * @param zone an IANA time zone; an unknown one is read as UTC.
 */
export const formatTime = (value: string, zone: string, format = FORMAT): string => {
  const time = dayjs.utc(value);
  try {
    return time.tz(zone).format(format);
  } catch {
    return `${time.format(format)} UTC`;
  }
};

/** How long ago, or until when: `5 minutes ago`, `in 2 hours`. */
export const formatAgo = (value: string, now?: string): string => dayjs.utc(value).from(dayjs.utc(now));
