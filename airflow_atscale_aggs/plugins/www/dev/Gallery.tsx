/** All shared components in all their states, on rows that are made up: `npm run dev`, then `/gallery`. */
import { Button, Heading, HStack, Input, SimpleGrid, Stack } from "@chakra-ui/react";
import { QueryClientProvider } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";

import { queryClient } from "src/api/client";
import { ProblemError, toProblem } from "src/api/problems";
import { CommandLineHint } from "src/components/CommandLineHint";
import { ConfirmDialog } from "src/components/ConfirmDialog";
import { type Column, DataTable, type Sort } from "src/components/DataTable";
import { EmptyState } from "src/components/EmptyState";
import { ErrorState } from "src/components/ErrorState";
import { LoadingState } from "src/components/LoadingState";
import { SideDrawer } from "src/components/SideDrawer";
import { SqlBlock } from "src/components/sql/SqlBlock";
import { SqlEditor } from "src/components/sql/SqlEditor";
import { StatTile } from "src/components/StatTile";
import { StatusBadge } from "src/components/StatusBadge";
import { STATUSES } from "src/components/statuses";
import { TimeText } from "src/components/TimeText";
import { sayDone, sayProblem, Toaster } from "src/components/toaster";
import { useAddressParam } from "src/hooks/useAddress";
import { formatBytes, formatCount, formatRows, formatSeconds, formatShare } from "src/utils/numbers";

const SQL = `SELECT "Sold Calendar Year", sum("Store Ext Sales Price") AS sales FROM retail.retail
WHERE "Store State" = 'TN' AND "Quantity" > 10 -- only large ones
GROUP BY 1 ORDER BY 2 DESC LIMIT 100`;

type Row = { id: string; status: string; rows: number; bytes: number; seconds: number; at: string };

const STATUS_WORDS = ["active", "building", "failed", "pending", "staged", "inactive", "unavailable"];
const ALL: Row[] = Array.from({ length: 10_000 }, (_, at) => ({
  id: `sales_by_year_and_state_${at}`,
  status: STATUS_WORDS[at % STATUS_WORDS.length] ?? "active",
  rows: (at * 7919) % 5_000_000,
  bytes: (at * 104_729) % 5e9,
  seconds: ((at * 31) % 4000) / 7,
  at: new Date(Date.UTC(2026, 10, 28, 9, 0, -at * 97)).toISOString(),
}));

const COLUMNS: Column<Row>[] = [
  { id: "name", label: "Name", width: "minmax(14rem, 2fr)", cell: (row) => row.id, sortBy: "name" },
  { id: "status", label: "Status", cell: (row) => <StatusBadge status={row.status} />, isNarrow: true },
  { id: "rows", label: "Rows", cell: (row) => formatCount(row.rows), sortBy: "rows", align: "end" },
  { id: "size", label: "Size", cell: (row) => formatBytes(row.bytes), align: "end" },
  { id: "seconds", label: "Last build", cell: (row) => formatSeconds(row.seconds), align: "end" },
  {
    id: "at",
    label: "Built",
    width: "minmax(11rem, 1fr)",
    cell: (row) => <TimeText value={row.at} />,
    isExtra: true,
  },
];

const Part = ({ title, children }: { title: string; children: ReactNode }) => (
  <Stack as="section" gap={3}>
    <Heading as="h2" size="md">
      {title}
    </Heading>
    {children}
  </Stack>
);

const problem = new ProblemError(
  toProblem({
    title: "Unprocessable Content",
    detail: "The request is malformed. body.build_type: it is `full` or `incremental`.",
    status: 422,
    errors: [{ where: "body.build_type", why: "it is `full` or `incremental`" }],
  }),
);

const Table = () => {
  const [count, setCount] = useState(200);
  const [sort, setSort] = useState<Sort>({ by: "name", isDescending: false });
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [open, setOpen] = useAddressParam("definition");
  const rows = sort.isDescending ? ALL.toReversed() : ALL;
  return (
    <>
      <DataTable
        columns={COLUMNS}
        empty={null}
        hasMore={count < ALL.length}
        maxHeight="24rem"
        name="definitions"
        onLoadMore={() => {
          setCount((before) => before + 200);
        }}
        onOpen={(row) => {
          setOpen(row.id);
        }}
        onSelect={setSelected}
        onSort={setSort}
        openId={open}
        rowId={(row) => row.id}
        rows={rows.slice(0, count)}
        selected={selected}
        sort={sort}
        toolbar={<Input aria-label="Search" maxW="16rem" placeholder="Search definitions" size="sm" />}
        total={ALL.length}
      />
      <SideDrawer
        aside={<StatusBadge status="active" />}
        footer={<Button variant="outline">Block</Button>}
        param="definition"
        title={open}
      >
        {(id) => <SqlBlock label="SQL" sql={`${SQL} -- ${id}`} />}
      </SideDrawer>
    </>
  );
};

const Messages = () => {
  const [isOpen, setOpen] = useState(false);
  return (
    <HStack flexWrap="wrap">
      <Button
        colorPalette="danger"
        onClick={() => {
          setOpen(true);
        }}
        variant="outline"
      >
        Delete one instance
      </Button>
      <Button
        onClick={() => {
          sayDone("Blocked 2 definitions", "They serve no query until somebody unblocks them.");
        }}
        variant="outline"
      >
        Toast
      </Button>
      <Button
        onClick={() => {
          sayProblem(problem);
        }}
        variant="outline"
      >
        Toast of a problem
      </Button>
      <ConfirmDialog
        confirmLabel="Delete"
        isDestructive
        isOpen={isOpen}
        onClose={() => {
          setOpen(false);
        }}
        onConfirm={() => Promise.reject(problem)}
        title="Delete one instance of sales_by_year?"
      >
        Its table is dropped from the warehouse. Queries are answered from the facts until the next batch
        builds it.
      </ConfirmDialog>
    </HStack>
  );
};

export const Gallery = () => {
  const [sql, setSql] = useState(SQL);
  return (
    <QueryClientProvider client={queryClient}>
      <Stack gap={8} height="100%" overflow="auto" p={4}>
        <Part title="Figures">
          <SimpleGrid columns={{ base: 1, sm: 2, lg: 4 }} gap={3}>
            <StatTile help="of 4,210 queries in 7 days" label="From aggregates" value={formatShare(0.87)} />
            <StatTile help="compared with the facts" label="Rows saved" value={formatRows(1.2e9)} />
            <StatTile label="Failed" palette="failed" value="2" />
            <StatTile isLoading label="Seconds saved" value="" />
          </SimpleGrid>
        </Part>
        <Part title="Statuses">
          <HStack flexWrap="wrap">
            {Object.keys(STATUSES).map((status) => (
              <StatusBadge key={status} status={status} />
            ))}
          </HStack>
        </Part>
        <Part title="Table of 10,000 rows, and a drawer">
          <Table />
        </Part>
        <Part title="Buttons that ask, toasts">
          <Messages />
        </Part>
        <Part title="SQL">
          <SqlBlock label="SQL" sql={SQL} />
          <SqlEditor
            label="Query"
            names={[{ name: "Sold Calendar Year", kind: "property", detail: "attribute" }]}
            onChange={setSql}
            onRun={() => {
              sayDone("Ran it");
            }}
            value={sql}
          />
        </Part>
        <Part title="Error, loading, empty">
          <ErrorState error={problem} onRetry={() => undefined} />
          <LoadingState label="Reading" lines={3} />
          <EmptyState title="No batch yet">
            A batch builds all aggregates of a model. Start one above.
          </EmptyState>
          <CommandLineHint
            command="atscale-aggs batches --model retail"
            title="Batches are not on this page"
          />
        </Part>
      </Stack>
      <Toaster />
    </QueryClientProvider>
  );
};
