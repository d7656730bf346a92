/** A squarified treemap: areas in proportion, as near to squares as they get (Bruls, Huizing, van Wijk, 2000). */

export type Cell<Item> = { item: Item; x: number; y: number; width: number; height: number };

type Sized<Item> = { item: Item; area: number };

/** The worst ratio of sides in a row of areas along a side. */
const worst = (areas: readonly number[], side: number): number => {
  const sum = areas.reduce((total, area) => total + area, 0);
  const thickness = sum / side;
  return Math.max(
    ...areas.map((area) => Math.max(area / thickness / thickness, (thickness * thickness) / area)),
  );
};

/**
 * Lay items out in a rectangle, the largest at the top left.
 *
 * @param sizeOf how large an item is beside the others; what is not above zero gets no cell.
 * @param width of the rectangle, in the unit in which the cells are told.
 */
export const treemap = <Item>(
  items: readonly Item[],
  sizeOf: (item: Item) => number,
  width: number,
  height: number,
): Cell<Item>[] => {
  if (width <= 0 || height <= 0) {
    return [];
  }
  const total = items.reduce((sum, item) => sum + Math.max(0, sizeOf(item)), 0);
  const rest: Sized<Item>[] = items
    .filter((item) => sizeOf(item) > 0)
    .map((item) => ({ item, area: (sizeOf(item) / total) * width * height }))
    .sort((one, other) => other.area - one.area);
  const cells: Cell<Item>[] = [];
  let room = { x: 0, y: 0, width, height };
  while (rest.length > 0) {
    const side = Math.min(room.width, room.height);
    const row: Sized<Item>[] = [];
    // A row grows as long as its cells become more like squares by it.
    for (let next = rest[0]; next !== undefined; next = rest[0]) {
      const areas = row.map(({ area }) => area);
      if (row.length > 0 && worst([...areas, next.area], side) > worst(areas, side)) {
        break;
      }
      row.push(next);
      rest.shift();
    }
    room = place(row, room, cells);
  }
  return cells;
};

/** Put a row along the shorter side of what is free; returns what is free then. */
const place = <Item>(
  row: readonly Sized<Item>[],
  room: { x: number; y: number; width: number; height: number },
  cells: Cell<Item>[],
) => {
  const sum = row.reduce((total, { area }) => total + area, 0);
  const isUpright = room.width >= room.height;
  const thickness = sum / (isUpright ? room.height : room.width);
  let along = isUpright ? room.y : room.x;
  for (const { item, area } of row) {
    const length = area / thickness;
    cells.push(
      isUpright
        ? { item, x: room.x, y: along, width: thickness, height: length }
        : { item, x: along, y: room.y, width: length, height: thickness },
    );
    along += length;
  }
  return isUpright
    ? { ...room, x: room.x + thickness, width: room.width - thickness }
    : { ...room, y: room.y + thickness, height: room.height - thickness };
};

/** How often something is used beside the others: 0 never, then four steps. */
export type UseStep = 0 | 1 | 2 | 3 | 4;

/** The step of each number of uses, on a scale of orders of magnitude up to the largest. */
export const stepsOfUse = (uses: readonly number[]): UseStep[] => {
  const most = Math.log1p(Math.max(0, ...uses));
  return uses.map((count) =>
    count <= 0 ? 0 : (Math.min(4, Math.max(1, Math.ceil((Math.log1p(count) / most) * 4))) as UseStep),
  );
};
