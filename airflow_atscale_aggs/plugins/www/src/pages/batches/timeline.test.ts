import { describe, expect, it } from "vitest";

import { stepOf } from "./batch_examples";
import { timedSteps, timeScale } from "./timeline";

const T0 = Date.parse("2026-11-29T10:00:00Z");
const at = (seconds: number) => T0 + seconds * 1000;
const span = (from: number, to: number) => ({ from: at(from), to: at(to) });

describe("a scale of time", () => {
  it("goes from 0 to 100, with ticks at round times", () => {
    const scale = timeScale([span(0, 50), span(50, 100)], span(0, 100), 6);

    expect(scale.place(at(0))).toBe(0);
    expect(scale.place(at(25))).toBe(25);
    expect(scale.place(at(100))).toBe(100);
    expect(scale.place(at(1000))).toBe(100);
    expect(scale.tickSeconds).toBe(30);
    expect(scale.ticks.map(({ place }) => place)).toEqual([0, 30, 60, 90]);
    expect(scale.breaks).toEqual([]);
  });

  it("draws a long pause narrow, and says how long it was", () => {
    const scale = timeScale([span(0, 30), span(7200, 7230)], span(0, 7230));

    expect(scale.breaks).toEqual([{ from: 48, to: 52, seconds: 7170 }]);
    expect(scale.place(at(30))).toBe(48);
    expect(scale.place(at(7200))).toBe(52);
    expect(scale.place(at(7215))).toBe(76);
    expect(scale.place(at(3600))).toBe(48);
  });

  it("draws to scale what is no long pause beside the work around it", () => {
    expect(timeScale([span(0, 300), span(500, 600)], span(0, 600)).breaks).toEqual([]);
    expect(timeScale([span(0, 5), span(50, 55)], span(0, 55)).breaks).toEqual([]);
  });

  it("breaks only at the longest pauses, so that there is room for the bars", () => {
    const spans = Array.from({ length: 40 }, (_, index) =>
      span(index * 7200, index * 7200 + 10 + (index === 7 ? -5 : 0)),
    );
    const scale = timeScale(spans, span(0, 40 * 7200));

    expect(scale.breaks.length).toBeLessThanOrEqual(6);
    expect(scale.place(at(40 * 7200))).toBeCloseTo(100);
    expect(spans.every(({ from, to }) => scale.place(from) <= scale.place(to))).toBe(true);
  });

  it("holds a batch that took no time at all", () => {
    const scale = timeScale([], span(0, 0));

    expect(scale.place(at(0))).toBe(0);
    expect(scale.ticks.every(({ place }) => Number.isFinite(place))).toBe(true);
  });
});

describe("steps on the timeline", () => {
  it("stand in build order, below what they were built from", () => {
    const rows = timedSteps(
      [
        stepOf({ aggregate: "by_year", position: 2, source: "by_month" }),
        stepOf({ aggregate: "by_day", position: 0 }),
        stepOf({ aggregate: "by_month", position: 1, source: null, planned_source: "by_day" }),
        stepOf({ aggregate: "by_month", fact: "web_sales", position: 3, source: "web_sales" }),
      ],
      at(100),
      false,
    );

    expect(rows.map((row) => [row.step.aggregate, row.source, row.depth])).toEqual([
      ["by_day", undefined, 0],
      ["by_month", 0, 1],
      ["by_year", 1, 2],
      ["by_month", undefined, 0],
    ]);
  });

  it("grow while they are built, and are expected after what is being built", () => {
    const waiting = { status: "queued", started_at: null, finished_at: null, seconds: null, source: null };
    const steps = [
      stepOf({ aggregate: "a", status: "building", finished_at: null, usual_seconds: 10 }),
      stepOf({ aggregate: "b", position: 1, ...waiting, usual_seconds: 5 }),
      stepOf({ aggregate: "c", position: 2, ...waiting, usual_seconds: null }),
      stepOf({ aggregate: "d", position: 3, ...waiting, usual_seconds: 2 }),
    ];

    const [a, b, c, d] = timedSteps(steps, at(4), true);
    expect(a?.span).toEqual(span(0, 4));
    expect([b?.span, b?.isExpected]).toEqual([span(10, 15), true]);
    expect([c?.span, c?.isExpected]).toEqual([undefined, false]);
    expect(d?.span).toEqual(span(15, 17));
    expect(timedSteps(steps, at(4), false)[1]?.span).toBeUndefined();
    // The batch is said to end later than usual times alone tell: what lies between the builds is drawn between them.
    const later = timedSteps(steps, at(4), true, at(30));
    expect([later[1]?.span, later[3]?.span]).toEqual([span(16, 21), span(26, 28)]);
    expect(timedSteps(steps, at(4), true, at(6))[1]?.span).toEqual(span(10, 15));
  });
});
