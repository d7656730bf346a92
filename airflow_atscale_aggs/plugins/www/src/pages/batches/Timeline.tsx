import { Box, HStack, Text } from "@chakra-ui/react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type SyntheticEvent, useMemo, useRef, useState } from "react";

import { useNarrow } from "src/hooks/useNarrow";
import { useTimezone } from "src/hooks/useTimezone";
import { useWidth } from "src/hooks/useWidth";
import { formatSeconds } from "src/utils/numbers";
import { formatTime } from "src/utils/times";

import { type BatchDetail, OUTCOME_LOOKS, OUTCOMES, outcomeOf } from "./batches";
import { timedSteps, type TimedStep, timeScale } from "./timeline";
import { Arrow } from "./timeline/Arrow";
import { StepTip } from "./timeline/StepTip";
import { ROW_HEIGHT, TIMELINE_CSS } from "./timeline/timeline_css";
import { stepLines, TimelineRow } from "./timeline/TimelineRow";
import { useNow } from "./useNow";

type Props = {
  batch: BatchDetail;
  /** Opens a step, by the id of its instance. */
  onOpen: (instanceId: string) => void;
};

type Pointed = { index: number; anchor: DOMRect };

const MOVES: Record<string, (at: number, last: number) => number> = {
  ArrowDown: (at) => at + 1,
  ArrowUp: (at) => at - 1,
  Home: () => 0,
  End: (_, last) => last,
};

/** How wide a tick's text is in pixels. */
const textWidthOf = (tickSeconds: number): number => (tickSeconds < 1 ? 84 : 56);

const MOST_TICKS = 8;

/** A tick's text is centred, unless it would leave the track, which is so many pixels wide, at one of its ends. */
const shiftOf = (place: number, tickSeconds: number, width: number): string | undefined => {
  const edge = (100 * textWidthOf(tickSeconds)) / 2 / Math.max(width, 1);
  return place < edge ? undefined : place > 100 - edge ? "translateX(-100%)" : "translateX(-50%)";
};

const clockOf = (tickSeconds: number): string =>
  tickSeconds < 1 ? "HH:mm:ss.SSS" : tickSeconds < 60 ? "HH:mm:ss" : "HH:mm";

const scaleOf = (batch: BatchDetail, rows: readonly TimedStep[], now: number, width: number) => {
  const spans = rows.flatMap(({ span }) => (span === undefined ? [] : [span]));
  const isRunning = batch.status === "in_progress";
  const begun = Date.parse(batch.created_at);
  const ended = batch.finished_at === null ? now : Date.parse(batch.finished_at);
  const starts = spans.map((span) => span.from);
  const ends = spans.map((span) => span.to);
  const from = Math.min(...starts, isRunning || spans.length === 0 ? begun : Infinity);
  const to = Math.max(...ends, isRunning ? now : -Infinity, spans.length === 0 ? ended : -Infinity);
  // Some air at the right, so that the last bar and its arrow are seen to end.
  const all = { from, to: to + (to - from) * 0.02 };
  // A text at an end is not centred, and takes half of its width more from its neighbour.
  const scaleFor = (tickSeconds: number) => {
    const room = Math.floor(width / (textWidthOf(tickSeconds) * 1.6));
    return timeScale(spans, all, Math.max(2, Math.min(room, MOST_TICKS)));
  };
  const scale = scaleFor(1);
  return scale.tickSeconds < 1 ? scaleFor(scale.tickSeconds) : scale;
};

const Legend = ({ batch }: { batch: BatchDetail }) => {
  const shown = OUTCOMES.filter((outcome) => batch.steps.some((step) => outcomeOf(step.status) === outcome));
  return (
    <HStack color="fg.muted" flexWrap="wrap" fontSize="xs" gap={4} mb={2}>
      {shown.map((outcome) => (
        <HStack gap={1} key={outcome}>
          <Box
            bg={outcome === "waiting" ? "transparent" : "colorPalette.solid"}
            borderColor="colorPalette.solid"
            borderRadius="sm"
            borderStyle={outcome === "waiting" ? "dashed" : "solid"}
            borderWidth={1}
            boxSize={3}
            colorPalette={OUTCOME_LOOKS[outcome].palette}
          />
          {outcome === "waiting" && batch.status === "in_progress"
            ? "Expected"
            : OUTCOME_LOOKS[outcome].label}
        </HStack>
      ))}
      <Text>An arrow leads from an aggregate to what was built from it.</Text>
    </HStack>
  );
};

/**
 * When each aggregate of a batch was built, in build order, and from what: a bar each, with an arrow from its source.
 *
 * While the batch runs, bars grow, and those that wait are drawn where they will probably be.
 */
export const Timeline = ({ batch, onOpen }: Props) => {
  const zone = useTimezone();
  const isNarrow = useNarrow();
  const isRunning = batch.status === "in_progress";
  const now = useNow(isRunning);
  const end = batch.estimated_end_at === null ? undefined : Date.parse(batch.estimated_end_at);
  const rows = useMemo(
    () => timedSteps(batch.steps, now, isRunning, end),
    [batch.steps, now, isRunning, end],
  );
  const [track, width] = useWidth();
  const scale = useMemo(() => scaleOf(batch, rows, now, width), [batch, rows, now, width]);

  const scroller = useRef<HTMLDivElement>(null);
  const virtualizer = useVirtualizer({
    count: rows.length,
    estimateSize: () => ROW_HEIGHT,
    getScrollElement: () => scroller.current,
    overscan: 12,
    useFlushSync: false,
  });
  const items = virtualizer.getVirtualItems();
  const [active, setActive] = useState(0);
  const [pointed, setPointed] = useState<Pointed | undefined>();

  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    const move = MOVES[event.key];
    if (event.key === "Escape") {
      setPointed(undefined);
    }
    if (move !== undefined && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      const to = Math.max(0, Math.min(rows.length - 1, move(active, rows.length - 1)));
      setActive(to);
      virtualizer.scrollToIndex(to);
      // The row may have to be drawn first.
      requestAnimationFrame(() => {
        requestAnimationFrame(() => {
          scroller.current?.querySelector<HTMLElement>(`[data-index="${to}"]`)?.focus();
        });
      });
    }
  };
  const onPoint = (event: SyntheticEvent) => {
    const row = (event.target as Element).closest<HTMLElement>("[data-index]");
    const index = Number(row?.dataset.index ?? -1);
    if (row !== null && index !== pointed?.index) {
      const mark = row.querySelector(".bar") ?? row;
      setPointed({ index, anchor: mark.getBoundingClientRect() });
    }
  };
  const forget = () => {
    setPointed(undefined);
  };

  const first = items[0]?.index ?? 0;
  const last = items.at(-1)?.index ?? -1;
  const arrows = rows.flatMap((row, index) => {
    const source = row.source === undefined ? undefined : rows[row.source];
    const isSeen = index >= first && (row.source ?? index) <= last;
    if (source?.span === undefined || row.span === undefined || row.source === undefined || !isSeen) {
      return [];
    }
    return [
      {
        key: row.step.instance_id,
        fromRow: row.source,
        toRow: index,
        from: scale.place(Math.min(source.span.to, row.span.from)),
        to: scale.place(row.span.from),
        isPointed: pointed !== undefined && (pointed.index === index || pointed.index === row.source),
        isExpected: row.isExpected,
      },
    ];
  });
  const columns = `${isNarrow ? "42%" : "minmax(14rem, 24rem)"} minmax(0, 1fr)`;
  const tabStop = items.some((item) => item.index === active) ? active : first;
  const tip = pointed === undefined ? undefined : rows[pointed.index];
  const say = (time: number, format?: string) => formatTime(new Date(time).toISOString(), zone, format);

  return (
    <Box css={TIMELINE_CSS} style={{ "--columns": columns } as object}>
      <Legend batch={batch} />
      <Box
        borderRadius="md"
        borderWidth={1}
        maxHeight="min(34rem, calc(100dvh - 14rem))"
        onScroll={forget}
        overflowX="hidden"
        overflowY="auto"
        ref={scroller}
      >
        <Box
          bg="bg.subtle"
          borderBottomWidth={1}
          color="fg.muted"
          display="grid"
          fontSize="xs"
          gridTemplateColumns="var(--columns)"
          height="1.75rem"
          position="sticky"
          top={0}
          zIndex={3}
        >
          <Text fontWeight="semibold" px={3} py={1.5}>
            In build order
          </Text>
          <Box aria-hidden me={3} overflow="hidden" position="relative" ref={track}>
            {scale.ticks.map(({ time, place }) => (
              <span
                className="tick"
                key={time}
                style={{ left: `${place}%`, transform: shiftOf(place, scale.tickSeconds, width) }}
                title={say(time)}
              >
                {say(time, clockOf(scale.tickSeconds))}
              </span>
            ))}
          </Box>
        </Box>
        <Box
          aria-label="Timeline of the aggregates"
          height={`${virtualizer.getTotalSize()}px`}
          onBlur={forget}
          onFocus={onPoint}
          onKeyDown={onKeyDown}
          onMouseLeave={forget}
          onMouseOver={onPoint}
          position="relative"
          role="list"
        >
          <Box
            aria-hidden
            display="grid"
            gridTemplateColumns="var(--columns)"
            inset={0}
            pointerEvents="none"
            position="absolute"
          >
            <Box borderEndWidth={1} />
            <Box me={3} position="relative">
              {scale.ticks.map(({ time, place }) => (
                <div className="grid-line" key={time} style={{ left: `${place}%` }} />
              ))}
              {scale.breaks.map((pause) => (
                <div
                  className="pause"
                  key={pause.from}
                  style={{ left: `${pause.from}%`, width: `${pause.to - pause.from}%` }}
                >
                  {formatSeconds(pause.seconds)} without work
                </div>
              ))}
              {arrows.map(({ key, ...arrow }) => (
                <Arrow key={key} {...arrow} />
              ))}
              {isRunning ? <div className="now" style={{ left: `${scale.place(now)}%` }} /> : null}
            </Box>
          </Box>
          {items.map((item) => {
            const row = rows[item.index];
            return row === undefined ? null : (
              <TimelineRow
                canFocus={item.index === tabStop}
                index={item.index}
                key={row.step.instance_id}
                lines={stepLines(row, now, zone)}
                onOpen={() => {
                  setActive(item.index);
                  onOpen(row.step.instance_id);
                }}
                place={scale.place}
                row={row}
                top={item.start}
              />
            );
          })}
        </Box>
      </Box>
      {pointed === undefined || tip === undefined ? null : (
        <StepTip anchor={pointed.anchor} lines={stepLines(tip, now, zone)} title={tip.step.aggregate} />
      )}
    </Box>
  );
};
