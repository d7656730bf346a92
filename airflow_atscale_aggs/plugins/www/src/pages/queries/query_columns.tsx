import { Code } from "@chakra-ui/react";

import type { Column } from "src/components/DataTable";
import { StatusBadge } from "src/components/StatusBadge";
import { TimeText } from "src/components/TimeText";
import { formatCompact, formatCount, formatSeconds, plural, UNKNOWN } from "src/utils/numbers";

import type { Query } from "./documents";
import { oneLine, sourcesText } from "./queries";

const Rows = ({ value, what }: { value: number | null; what: [one: string, many: string] }) => (
  <span title={value === null ? undefined : plural(value, ...what)}>{formatCompact(value)}</span>
);

/** The columns of the Queries tab. */
export const COLUMNS: Column<Query>[] = [
  {
    id: "asked_at",
    label: "Asked",
    width: "minmax(7rem, 9.5rem)",
    cell: (row) => <TimeText isRelative value={row.asked_at} />,
  },
  {
    id: "outcome",
    label: "Outcome",
    width: "minmax(6.75rem, 7.5rem)",
    cell: (row) => <StatusBadge status={row.outcome} />,
    isNarrow: true,
  },
  {
    id: "sql",
    label: "SQL",
    width: "minmax(11rem, 3fr)",
    cell: (row) => {
      const line = oneLine(row.sql);
      return (
        <Code bg="transparent" display="inline" fontSize="xs" px={0} title={line}>
          {line}
        </Code>
      );
    },
    isNarrow: true,
    isOwnLine: true,
  },
  {
    id: "sources",
    label: "Answered from",
    width: "minmax(10rem, 1.4fr)",
    cell: (row) => {
      const text = sourcesText(row.sources);
      return <span title={text}>{text === "" ? UNKNOWN : text}</span>;
    },
  },
  {
    id: "rows",
    label: "Rows",
    width: "5rem",
    cell: (row) => <Rows value={row.rows} what={["row of the answer", "rows of the answer"]} />,
    align: "end",
  },
  {
    id: "seconds",
    label: "Took",
    width: "minmax(4.75rem, 5.5rem)",
    cell: (row) => formatSeconds(row.seconds),
    align: "end",
    isNarrow: true,
  },
  {
    id: "rows_saved",
    label: "Rows saved",
    width: "7rem",
    cell: (row) => <Rows value={row.rows_saved} what={["row was not read", "rows were not read"]} />,
    align: "end",
  },
  {
    id: "seconds_saved",
    label: "Time saved",
    width: "7rem",
    cell: (row) => formatSeconds(row.seconds_saved),
    align: "end",
  },
  {
    id: "user",
    label: "Who",
    width: "7rem",
    cell: (row) => <span title={row.user}>{row.user === "" ? UNKNOWN : row.user}</span>,
  },
  {
    id: "weight",
    label: "Stands for",
    width: "6.5rem",
    cell: (row) => (
      <span title="Queries of the log are a sample where many are asked.">{formatCount(row.weight)}</span>
    ),
    align: "end",
    isExtra: true,
  },
];
