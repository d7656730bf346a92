import { expect, it } from "vitest";

import { fitting } from "./Chips";

it.each([
  [["Article", "Sold Day", "Store"], 2, 2],
  [["Home State of the customer", "Sold Month"], 2, 1],
  [["Birth Country", "Preferred", "Sold Year"], 2, 1],
  [["Day"], 2, 1],
  [[], 2, 0],
])("of the names %j, at most %i, %i have room", (names, most, shown) => {
  expect(fitting(names, most, 24)).toBe(shown);
});
