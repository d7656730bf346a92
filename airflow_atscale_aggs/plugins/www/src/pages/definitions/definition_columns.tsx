import { HStack, Stack, Text } from "@chakra-ui/react";

import type { Column } from "src/components/DataTable";
import { StatusBadge } from "src/components/StatusBadge";
import { TimeText } from "src/components/TimeText";
import { formatCompact, formatSeconds, plural, UNKNOWN } from "src/utils/numbers";

import { Chips } from "./Chips";
import type { Definition } from "./documents";
import { originLook } from "./origins";
import { ScoreBar } from "./ScoreBar";

const Name = ({ name, label }: Definition) => (
  <Stack gap={0} lineHeight="1.2">
    <Text fontWeight="medium" overflow="hidden" textOverflow="ellipsis" title={name}>
      {name}
    </Text>
    {label === "" || label === name ? null : (
      <Text color="fg.muted" fontSize="xs" overflow="hidden" textOverflow="ellipsis" title={label}>
        {label}
      </Text>
    )}
  </Stack>
);

const Type = ({ origin }: Definition) => {
  const look = originLook(origin);
  return (
    <HStack gap={1.5} title={look.meaning}>
      <look.icon aria-hidden style={{ flexShrink: 0 }} />
      {look.label}
    </HStack>
  );
};

const LastBuild = ({ built_at, seconds }: Definition) =>
  built_at === null ? (
    <Text as="span" color="fg.muted">
      never
    </Text>
  ) : (
    <Stack gap={0} lineHeight="1.2">
      <TimeText isRelative value={built_at} />
      <Text as="span" color="fg.muted" fontSize="xs">
        {seconds === null ? "" : `took ${formatSeconds(seconds)}`}
      </Text>
    </Stack>
  );

/** The columns of the Definitions tab. */
export const COLUMNS: Column<Definition>[] = [
  {
    id: "name",
    label: "Name",
    width: "minmax(11.5rem, 2fr)",
    cell: (row) => <Name {...row} />,
    sortBy: "name",
  },
  {
    id: "model",
    label: "Model",
    width: "minmax(9rem, 1fr)",
    cell: (row) => `${row.catalog}.${row.model}`,
    isExtra: true,
  },
  { id: "type", label: "Type", width: "6.75rem", cell: (row) => <Type {...row} /> },
  {
    id: "status",
    label: "Status",
    width: "7.5rem",
    cell: (row) => <StatusBadge status={row.status} />,
    sortBy: "status",
    isNarrow: true,
  },
  {
    id: "state",
    label: "State",
    width: "7rem",
    cell: (row) => <StatusBadge status={row.state} />,
    isExtra: true,
  },
  {
    id: "uses",
    label: "Uses",
    width: "5.5rem",
    cell: (row) => <span title={plural(row.uses, "query", "queries")}>{formatCompact(row.uses)}</span>,
    sortBy: "uses",
    align: "end",
  },
  {
    id: "last_used_at",
    label: "Last use",
    width: "7.75rem",
    cell: (row) => <TimeText isRelative otherwise="never" value={row.last_used_at} />,
    sortBy: "last_used_at",
  },
  {
    id: "rows",
    label: "Rows",
    width: "5.5rem",
    cell: (row) => (
      <span title={row.rows === null ? undefined : plural(row.rows, "row")}>{formatCompact(row.rows)}</span>
    ),
    sortBy: "rows",
    align: "end",
  },
  {
    id: "built_at",
    label: "Last build",
    width: "7.75rem",
    cell: (row) => <LastBuild {...row} />,
    sortBy: "built_at",
  },
  {
    id: "seconds",
    label: "Duration",
    width: "7rem",
    cell: (row) => formatSeconds(row.seconds),
    sortBy: "seconds",
    align: "end",
    isExtra: true,
  },
  {
    id: "score",
    label: "Score",
    width: "7rem",
    cell: (row) => <ScoreBar value={row.score} width="2.5rem" />,
    sortBy: "score",
    align: "end",
  },
  {
    id: "attributes",
    label: "Attributes",
    width: "minmax(12rem, 1.6fr)",
    cell: (row) => (row.attributes.length === 0 ? "none: the grand total" : <Chips names={row.attributes} />),
  },
  {
    id: "metrics",
    label: "Metrics",
    width: "minmax(9.5rem, 1.2fr)",
    cell: (row) => (row.metrics.length === 0 ? "none: members only" : <Chips most={1} names={row.metrics} />),
  },
  {
    id: "reason",
    label: "Why it exists",
    width: "minmax(16rem, 2fr)",
    cell: (row) => <span title={row.reason}>{row.reason === "" ? UNKNOWN : row.reason}</span>,
    isExtra: true,
  },
  {
    id: "created_at",
    label: "Defined",
    width: "8.5rem",
    cell: (row) => <TimeText isRelative value={row.created_at} />,
    sortBy: "created_at",
    isExtra: true,
  },
];
