import { describe, expect, it } from "vitest";

import { formatAgo, formatTime } from "./times";

describe("times", () => {
  it("are shown in the user's zone, on both sides of daylight saving", () => {
    expect(formatTime("2026-03-29T00:30:00Z", "Europe/Berlin")).toBe("2026-03-29 01:30:00");
    expect(formatTime("2026-03-29T01:30:00Z", "Europe/Berlin")).toBe("2026-03-29 03:30:00");
    expect(formatTime("2026-11-28T23:30:00+00:00", "Asia/Kolkata")).toBe("2026-11-29 05:00:00");
  });

  it("are in UTC when they, or the user, name no zone that there is", () => {
    expect(formatTime("2026-11-28T09:30:00", "UTC")).toBe("2026-11-28 09:30:00");
    expect(formatTime("2026-11-28T09:30:00Z", "Middle/Earth")).toBe("2026-11-28 09:30:00 UTC");
  });

  it("are told as how long ago", () => {
    expect(formatAgo("2026-11-28T09:00:00Z", "2026-11-28T09:05:00Z")).toBe("5 minutes ago");
    expect(formatAgo("2026-11-28T11:00:00Z", "2026-11-28T09:00:00Z")).toBe("in 2 hours");
  });
});
