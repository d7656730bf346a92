import { Box, chakra } from "@chakra-ui/react";
import type { ReactNode } from "react";
import { LuArrowDown, LuArrowUp, LuArrowUpDown } from "react-icons/lu";

import type { Column, Sort } from "src/components/DataTable";

type Props<Row> = {
  columns: Column<Row>[];
  template: string;
  height: number;
  sort?: Sort;
  onSort?: (sort: Sort) => void;
  /** The box that ticks all rows. */
  select?: ReactNode;
};

const direction = (column: { sortBy?: string }, sort?: Sort) => {
  if (column.sortBy === undefined || sort?.by !== column.sortBy) {
    return undefined;
  }
  return sort.isDescending ? "descending" : "ascending";
};

/** The names of the columns; a click on one sorts by it, another one the other way. */
export const HeaderRow = <Row,>({ columns, template, height, sort, onSort, select }: Props<Row>) => (
  <Box
    alignItems="center"
    aria-rowindex={1}
    bg="bg.muted"
    borderBottomWidth={1}
    display="grid"
    gridTemplateColumns={template}
    height={`${height}px`}
    role="row"
  >
    {select === undefined ? null : (
      <Box display="flex" justifyContent="center" role="columnheader">
        {select}
      </Box>
    )}
    {columns.map((column) => {
      const sorted = direction(column, sort);
      const Icon = sorted === "ascending" ? LuArrowUp : sorted === "descending" ? LuArrowDown : LuArrowUpDown;
      const isSortable = column.sortBy !== undefined && onSort !== undefined;
      return (
        <Box
          aria-sort={isSortable ? (sorted ?? "none") : undefined}
          fontSize="sm"
          fontWeight="semibold"
          key={column.id}
          overflow="hidden"
          px={3}
          role="columnheader"
          textAlign={column.align}
          whiteSpace="nowrap"
        >
          {isSortable ? (
            <chakra.button
              _focusVisible={{ outline: "2px solid", outlineColor: "brand.focusRing" }}
              _hover={{ color: "fg" }}
              alignItems="center"
              color={sorted === undefined ? "fg.muted" : "fg"}
              cursor="pointer"
              display="inline-flex"
              fontWeight="semibold"
              gap={1}
              onClick={() => {
                onSort({ by: column.sortBy ?? "", isDescending: sorted === "ascending" });
              }}
              type="button"
            >
              {column.label}
              <Icon aria-hidden opacity={sorted === undefined ? 0.45 : 1} />
            </chakra.button>
          ) : (
            <Box as="span" color="fg.muted">
              {column.label}
            </Box>
          )}
        </Box>
      );
    })}
  </Box>
);
