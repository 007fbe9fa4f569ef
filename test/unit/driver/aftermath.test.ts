/**
 * The quiet after a stop order: what waits, in what order, and for how long at most.
 * The idea: virtual time. It refuses to look at a driver.
 */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Aftermath, quietEveryMs, quietMs } from "../../../services/driver/aftermath.js";

let told: string[];
let aftermath: Aftermath;
const tell = (what: string) => aftermath.later(() => told.push(what));

beforeEach(() => {
  vi.useFakeTimers();
  told = [];
  aftermath = new Aftermath();
});
afterEach(() => {
  vi.useRealTimers();
});

test("quiet: without an order everything is told at once, and no read waits", () => {
  tell("one");
  expect(told).toEqual(["one"]);
  expect(aftermath.over()).toBe(undefined);
});

test("quiet: after an order things are told in their order when it ends, then reads go on", async () => {
  aftermath.begin();
  tell("one");
  tell("two");
  void aftermath.over()?.then(() => told.push("read"));
  await vi.advanceTimersByTimeAsync(quietMs - 1);
  expect(told).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(told).toEqual(["one", "two", "read"]);
  tell("three");
  expect(told.at(-1)).toBe("three");
});

test("quiet: a flood of orders does not prolong it, nor begin it again before its time", async () => {
  let quiet = 0;
  for (let ms = 0; ms < 2 * quietEveryMs; ms += 1) {
    aftermath.begin();
    if (aftermath.quiet) quiet += 1;
    await vi.advanceTimersByTimeAsync(1);
  }
  expect(quiet).toBe(2 * quietMs);
});

test("quiet: more than 255 things to tell end it", () => {
  aftermath.begin();
  for (let i = 0; i < 255; i += 1) tell(String(i));
  expect(told).toEqual([]);
  tell("last");
  expect(told.length).toBe(256);
  expect(aftermath.quiet).toBe(false);
});
