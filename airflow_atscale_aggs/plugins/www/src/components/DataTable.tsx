import { Box, HStack, Spinner, Text } from "@chakra-ui/react";
import { type ColumnDef, getCoreRowModel, useReactTable } from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type ReactNode, useEffect, useMemo, useRef, useState } from "react";

import { useNarrow } from "src/hooks/useNarrow";
import { useStored } from "src/hooks/useStored";
import { formatCount, plural } from "src/utils/numbers";

import { ErrorState } from "./ErrorState";
import { LoadingState } from "./LoadingState";
import { ColumnChooser } from "./table/ColumnChooser";
import { HeaderRow } from "./table/HeaderRow";
import { SelectBox } from "./table/SelectBox";

/** A column of a {@link DataTable}. */
export type Column<Row> = {
  id: string;
  label: string;
  cell: (row: Row) => ReactNode;
  /** The API's word for sorting by it; absent: one cannot. */
  sortBy?: string;
  /** A track of a CSS grid; `minmax(8rem, 1fr)` when absent. */
  width?: string;
  align?: "end";
  /** Whether one has to choose it to see it. */
  isExtra?: boolean;
  /** Whether it is shown in a narrow window too; the first column always is. */
  isNarrow?: boolean;
  /** Whether in a narrow window it takes the lines below the others of its row: what would be cut beside them. */
  isOwnLine?: boolean;
};

/** What rows are sorted by, in the words of the API. */
export type Sort = { by: string; isDescending: boolean };

export type DataTableProps<Row> = {
  /** What the rows are, in the plural: `definitions`. */
  name: string;
  columns: Column<Row>[];
  rows: Row[];
  rowId: (row: Row) => string;
  /** Opens a row: by a click, or Enter. */
  onOpen?: (row: Row) => void;
  /** The row that is open. */
  openId?: string;
  sort?: Sort;
  onSort?: (sort: Sort) => void;
  /** How many rows there are, where that is known. */
  total?: number | null;
  hasMore?: boolean;
  isLoadingMore?: boolean;
  onLoadMore?: () => void;
  isLoading?: boolean;
  error?: unknown;
  onRetry?: () => void;
  /** What stands there without rows; designed for each table. */
  empty: ReactNode;
  /** Ids of the rows that are ticked; absent: one cannot tick. */
  selected?: ReadonlySet<string>;
  onSelect?: (ids: ReadonlySet<string>) => void;
  /** Search, filters, buttons: above the table. */
  toolbar?: ReactNode;
  maxHeight?: string;
  /** Whether one may choose columns; not where each answer has columns of its own. */
  hasColumnChooser?: boolean;
};

const ROW_HEIGHT = 40;
const OWN_LINES = 3;
const OWN_LINES_HEIGHT = 64;
const STEPS: Record<string, (at: number, last: number) => number> = {
  ArrowDown: (at) => at + 1,
  ArrowUp: (at) => at - 1,
  PageDown: (at) => at + 12,
  PageUp: (at) => at - 12,
  Home: () => 0,
  End: (_, last) => last,
};

/** The width that tracks of a grid need at least, in CSS: header and rows keep it together. */
export const leastWidth = (tracks: readonly string[]): string => {
  const least = tracks.map((track) => /^minmax\(([^,]+),/.exec(track)?.[1] ?? track);
  return `calc(${least.join(" + ")})`;
};

const toggled = (ids: ReadonlySet<string>, id: string): ReadonlySet<string> => {
  const next = new Set(ids);
  if (!next.delete(id)) {
    next.add(id);
  }
  return next;
};

/**
 * A table of however many rows: only those in sight are drawn, and more are read as one scrolls.
 *
 * Sorting and filtering are the server's. The columns that one chose are kept in the browser. Arrow keys, Page Up and
 * Down, Home and End move from row to row; Enter opens one, the space bar ticks it.
 */
export const DataTable = <Row,>(props: DataTableProps<Row>) => {
  const { name, columns, rows, rowId, onOpen, openId, selected, onSelect, toolbar, total } = props;
  const isNarrow = useNarrow();
  const [shown, setShown] = useStored<string[] | null>(`aggregates/columns/${name}`, null);
  const visibility = useMemo(
    () =>
      Object.fromEntries(
        columns.map((column, index) => [
          column.id,
          index === 0 ||
            ((shown?.includes(column.id) ?? column.isExtra !== true) &&
              (!isNarrow || column.isNarrow === true)),
        ]),
      ),
    [columns, shown, isNarrow],
  );
  const definitions = useMemo<ColumnDef<Row>[]>(
    () => columns.map((column) => ({ id: column.id, header: column.label, meta: column })),
    [columns],
  );
  const table = useReactTable({
    columns: definitions,
    data: rows,
    getCoreRowModel: getCoreRowModel(),
    getRowId: rowId,
    manualSorting: true,
    state: { columnVisibility: visibility },
  });
  const visible = table.getVisibleLeafColumns().map((column) => column.columnDef.meta as Column<Row>);
  const inLine = isNarrow ? visible.filter((column) => column.isOwnLine !== true) : visible;
  const below = isNarrow ? visible.filter((column) => column.isOwnLine === true) : [];
  const rowHeight = ROW_HEIGHT + below.length * OWN_LINES_HEIGHT;
  const canSelect = selected !== undefined && onSelect !== undefined;
  const tracks = [
    ...(canSelect ? ["2.5rem"] : []),
    ...inLine.map((column) => column.width ?? "minmax(8rem, 1fr)"),
  ];
  const template = tracks.join(" ");

  const scroller = useRef<HTMLDivElement>(null);
  const virtualizer = useVirtualizer({
    count: rows.length,
    estimateSize: () => rowHeight,
    getScrollElement: () => scroller.current,
    overscan: 8,
    // React 19 warns of rows that are drawn while it draws.
    useFlushSync: false,
    // The header stays at the top and covers what scrolls under it.
    scrollPaddingStart: ROW_HEIGHT,
  });
  useEffect(() => {
    virtualizer.measure();
  }, [virtualizer, rowHeight]);
  const items = virtualizer.getVirtualItems();
  const [active, setActive] = useState(0);
  const tabStop = items.some((item) => item.index === active) ? active : (items[0]?.index ?? 0);

  const { hasMore = false, isLoadingMore = false, onLoadMore, error } = props;
  const last = items.at(-1)?.index ?? -1;
  const isFailed = error != null;
  useEffect(() => {
    if (hasMore && !isLoadingMore && !isFailed && last >= 0 && last >= rows.length - 20) {
      onLoadMore?.();
    }
  }, [hasMore, isLoadingMore, isFailed, last, rows.length, onLoadMore]);

  const goTo = (index: number) => {
    const to = Math.max(0, Math.min(rows.length - 1, index));
    setActive(to);
    virtualizer.scrollToIndex(to);
    // The row may have to be drawn first.
    requestAnimationFrame(() => {
      requestAnimationFrame(() => {
        scroller.current?.querySelector<HTMLElement>(`[data-index="${to}"]`)?.focus();
      });
    });
  };

  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    const at = (event.target as HTMLElement).dataset.index;
    const row = at === undefined ? undefined : rows[Number(at)];
    const step = STEPS[event.key];
    if (at === undefined || row === undefined || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    if (step !== undefined) {
      event.preventDefault();
      goTo(step(Number(at), rows.length - 1));
    } else if (event.key === "Enter" && onOpen !== undefined) {
      event.preventDefault();
      onOpen(row);
    } else if (event.key === " " && canSelect) {
      event.preventDefault();
      onSelect(toggled(selected, rowId(row)));
    }
  };

  const ids = rows.map(rowId);
  const ticked = canSelect ? ids.filter((id) => selected.has(id)).length : 0;
  const body = () => {
    if (isFailed && rows.length === 0) {
      return <ErrorState error={error} onRetry={props.onRetry} />;
    }
    if (props.isLoading === true) {
      return <LoadingState height={`${ROW_HEIGHT - 8}px`} label={`Reading ${name}`} lines={10} />;
    }
    if (rows.length === 0) {
      return props.empty;
    }
    return (
      <Box
        aria-colcount={visible.length + (canSelect ? 1 : 0)}
        aria-label={name}
        aria-multiselectable={canSelect || undefined}
        aria-rowcount={(total ?? (hasMore ? -2 : rows.length)) + 1}
        borderRadius="md"
        borderWidth={1}
        maxHeight={props.maxHeight ?? "max(20rem, calc(100dvh - 18rem))"}
        onKeyDown={onKeyDown}
        overflow="auto"
        ref={scroller}
        role="grid"
      >
        <Box minW={leastWidth(tracks)} position="sticky" role="rowgroup" top={0} zIndex={1}>
          <HeaderRow
            columns={inLine}
            height={ROW_HEIGHT}
            onSort={props.onSort}
            select={
              canSelect ? (
                <SelectBox
                  isPart={ticked > 0 && ticked < ids.length}
                  isTicked={ticked === ids.length}
                  label={`Choose all ${name} that are read`}
                  onChange={() => {
                    onSelect(ticked === ids.length ? new Set<string>() : new Set(ids));
                  }}
                />
              ) : undefined
            }
            sort={props.sort}
            template={template}
          />
        </Box>
        <Box
          height={`${virtualizer.getTotalSize()}px`}
          minW={leastWidth(tracks)}
          position="relative"
          role="rowgroup"
        >
          {items.map((item) => {
            const row = rows[item.index];
            if (row === undefined) {
              return null;
            }
            const id = rowId(row);
            return (
              <Box
                _focusVisible={{
                  outline: "2px solid",
                  outlineColor: "brand.focusRing",
                  outlineOffset: "-2px",
                }}
                _hover={{ bg: "bg.muted" }}
                alignItems="center"
                aria-rowindex={item.index + 2}
                aria-selected={canSelect ? selected.has(id) : openId === id}
                bg={openId === id ? "brand.subtle" : "bg"}
                borderBottomWidth={1}
                cursor={onOpen === undefined ? undefined : "pointer"}
                data-index={item.index}
                display="grid"
                fontSize="sm"
                gridTemplateColumns={template}
                gridTemplateRows={
                  below.length === 0 ? undefined : `${ROW_HEIGHT}px repeat(${below.length}, 1fr)`
                }
                height={`${rowHeight}px`}
                key={id}
                onClick={(event) => {
                  if ((event.target as Element).closest("a, button, input, label") === null) {
                    setActive(item.index);
                    onOpen?.(row);
                  }
                }}
                position="absolute"
                role="row"
                tabIndex={item.index === tabStop ? 0 : -1}
                top={0}
                transform={`translateY(${item.start}px)`}
                width="100%"
              >
                {canSelect ? (
                  <Box display="flex" justifyContent="center" role="gridcell">
                    <SelectBox
                      isTicked={selected.has(id)}
                      label={`Choose row ${formatCount(item.index + 1)}`}
                      onChange={() => {
                        onSelect(toggled(selected, id));
                      }}
                    />
                  </Box>
                ) : null}
                {inLine.map((column) => (
                  <Box
                    fontVariantNumeric={column.align === "end" ? "tabular-nums" : undefined}
                    key={column.id}
                    overflow="hidden"
                    px={3}
                    role="gridcell"
                    textAlign={column.align}
                    textOverflow="ellipsis"
                    whiteSpace="nowrap"
                  >
                    {column.cell(row)}
                  </Box>
                ))}
                {below.map((column) => (
                  <Box
                    alignSelf="start"
                    gridColumn="1 / -1"
                    key={column.id}
                    lineClamp={OWN_LINES}
                    overflowWrap="anywhere"
                    px={3}
                    role="gridcell"
                  >
                    {column.cell(row)}
                  </Box>
                ))}
              </Box>
            );
          })}
        </Box>
      </Box>
    );
  };

  return (
    <Box minW={0}>
      <HStack alignItems="flex-end" flexWrap="wrap" gap={2} justifyContent="space-between" mb={3}>
        <HStack alignItems="flex-end" flex={1} flexWrap="wrap" gap={2}>
          {toolbar}
        </HStack>
        {props.hasColumnChooser === false ? null : (
          <ColumnChooser columns={columns} name={name} onChange={setShown} shown={shown} />
        )}
      </HStack>
      {body()}
      {rows.length === 0 ? null : (
        <HStack color="fg.muted" fontSize="xs" mt={2}>
          <Text aria-live="polite">
            {plural(rows.length, "row")}
            {total == null || total <= rows.length ? "" : ` of ${plural(total, "row")}`}
            {ticked > 0 ? `, ${plural(ticked, "row")} chosen` : ""}
          </Text>
          {isLoadingMore ? <Spinner aria-label="Reading more" size="xs" /> : null}
        </HStack>
      )}
      {isFailed && rows.length > 0 ? <ErrorState error={error} onRetry={props.onRetry} /> : null}
    </Box>
  );
};
