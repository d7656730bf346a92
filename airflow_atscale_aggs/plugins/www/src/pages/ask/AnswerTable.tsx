import { Box, Button, HStack, Spacer, Text } from "@chakra-ui/react";
import { useMutation } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { LuDownload } from "react-icons/lu";

import { fetchClient } from "src/api/client";
import { type Column, DataTable, type Sort } from "src/components/DataTable";
import { EmptyState } from "src/components/EmptyState";
import { sayDone, sayProblem } from "src/components/toaster";
import type { Model } from "src/frame/models";
import { saveFile } from "src/utils/files";
import { plural } from "src/utils/numbers";

import { type AskOptions, askRequest, ROW_CHOICES } from "./ask_options";
import { csvOf, isNumeric, type Row, sortRows, textOf } from "./answer_values";
import type { Answer } from "./documents";

type Props = { model: Model; sql: string; options: AskOptions; answer: Answer };

type Numbered = { number: number; values: Row };

const MOST_ROWS = Math.max(...ROW_CHOICES);
const COLUMN_REM = 18;
const CSV = "text/csv;charset=utf-8";

const downloadAll = async (model: Model, sql: string, options: AskOptions) => {
  const { data, response } = await fetchClient.POST("/api/connections/{connection}/query", {
    params: { path: { connection: model.connection }, query: { format: "csv" } },
    body: askRequest(model, sql, { ...options, rows: MOST_ROWS }),
    parseAs: "blob",
  });
  saveFile(`${model.name}.csv`, data as Blob);
  return {
    rows: Number(response.headers.get("answer-rows") ?? 0),
    isCut: response.headers.get("answer-is-cut") === "true",
  };
};

const columnsOf = (answer: Answer): Column<Numbered>[] =>
  answer.columns.map((name, at) => ({
    // Two columns may have one name.
    id: `${at} ${name}`,
    label: name,
    sortBy: String(at),
    isNarrow: true,
    align: isNumeric(answer.rows, at) ? "end" : undefined,
    width: "minmax(8rem, 1fr)",
    cell: ({ values }) => {
      const text = textOf(values[at]);
      return text === null ? (
        <Text as="span" color="fg.subtle" fontStyle="italic">
          NULL
        </Text>
      ) : (
        <span title={text}>{text}</span>
      );
    },
  }));

/** The rows of an answer; sorted as one likes, and kept as a file. */
export const AnswerTable = ({ model, sql, options, answer }: Props) => {
  const [sort, setSort] = useState<Sort>();
  const columns = useMemo(() => columnsOf(answer), [answer]);
  const sorted = useMemo(
    () =>
      sort === undefined ? (answer.rows as Row[]) : sortRows(answer.rows, Number(sort.by), sort.isDescending),
    [answer, sort],
  );
  const rows = useMemo(() => sorted.map((values, number) => ({ number, values })), [sorted]);
  const downloaded = useMutation({
    mutationFn: () => downloadAll(model, sql, options),
    onSuccess: ({ rows: count, isCut }) => {
      sayDone(
        `Read ${plural(count, "row")} into ${model.name}.csv`,
        isCut ? "There are more; the API answers no more at once." : "These are all.",
      );
    },
    onError: sayProblem,
  });
  return (
    // A few columns do not stand far apart.
    <Box maxW={`max(40rem, ${answer.columns.length * COLUMN_REM}rem)`}>
      <DataTable
        columns={columns}
        empty={<EmptyState title="No row is like that">The query was answered, with no row.</EmptyState>}
        hasColumnChooser={false}
        maxHeight="max(16rem, 55vh)"
        name="rows of the answer"
        onSort={setSort}
        rowId={({ number }) => String(number)}
        rows={rows}
        sort={sort}
        toolbar={
          <HStack flexWrap="wrap" gap={2} width="100%">
            {answer.is_cut ? (
              <Text color="fg.muted" fontSize="sm">
                There are more rows{sort === undefined ? "" : ", and only these are sorted"}.
              </Text>
            ) : null}
            <Spacer />
            {answer.is_cut && answer.rows.length < MOST_ROWS ? (
              <Button
                loading={downloaded.isPending}
                onClick={() => {
                  downloaded.mutate();
                }}
                size="xs"
                title="Runs the query again"
                variant="outline"
              >
                <LuDownload aria-hidden /> CSV of up to {plural(MOST_ROWS, "row")}
              </Button>
            ) : null}
            <Button
              disabled={answer.rows.length === 0}
              onClick={() => {
                saveFile(`${model.name}.csv`, new Blob([csvOf(answer.columns, sorted)], { type: CSV }));
                sayDone(`Wrote ${plural(sorted.length, "row")} into ${model.name}.csv`);
              }}
              size="xs"
              variant="outline"
            >
              <LuDownload aria-hidden /> CSV
            </Button>
          </HStack>
        }
      />
    </Box>
  );
};
