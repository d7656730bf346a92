import { describe, expect, it } from "vitest";

import { stepsOfUse, treemap } from "./treemap";

const layout = (sizes: number[], width = 600, height = 400) => treemap(sizes, (size) => size, width, height);

describe("a treemap", () => {
  it("fills the rectangle with areas in proportion", () => {
    // The example of the paper: 6 by 4, areas 6, 6, 4, 3, 2, 2, 1.
    const cells = layout([6, 6, 4, 3, 2, 2, 1], 6, 4);

    cells.forEach(({ item, width, height }) => {
      expect(width * height).toBeCloseTo(item);
    });
    expect(cells.slice(0, 2)).toEqual([
      { item: 6, x: 0, y: 0, width: 3, height: 2 },
      { item: 6, x: 0, y: 2, width: 3, height: 2 },
    ]);
    expect(
      cells.every(({ x, y, width, height }) => x >= 0 && y >= 0 && x + width <= 6.001 && y + height <= 4.001),
    ).toBe(true);
  });

  it("lays no cell over another", () => {
    const cells = layout(Array.from({ length: 50 }, (_, index) => 10 ** (6 - index / 10)));

    for (const [index, one] of cells.entries()) {
      for (const other of cells.slice(index + 1)) {
        const wide = Math.min(one.x + one.width, other.x + other.width) - Math.max(one.x, other.x);
        const high = Math.min(one.y + one.height, other.y + other.height) - Math.max(one.y, other.y);
        expect(wide > 1e-6 && high > 1e-6).toBe(false);
      }
    }
  });

  it("gives no cell to what has no size, and none at all without room", () => {
    expect(layout([5, 0, -1])).toHaveLength(1);
    expect(layout([0, 0])).toEqual([]);
    expect(layout([])).toEqual([]);
    expect(layout([5], 0)).toEqual([]);
  });
});

describe("how often something is used", () => {
  it("is told in orders of magnitude, never apart from the rest", () => {
    expect(stepsOfUse([0, 1, 10, 900, 10_000])).toEqual([0, 1, 2, 3, 4]);
    expect(stepsOfUse([0, 0])).toEqual([0, 0]);
    expect(stepsOfUse([3])).toEqual([4]);
    expect(stepsOfUse([])).toEqual([]);
  });
});
