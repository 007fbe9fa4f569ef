/**
 * The gate of moves that share an interlock: who goes, who waits, and for how long.
 *
 * The idea: three axes, an interlock that moves two of them by the reading of the third, and two
 * that look at each other; what leaves is written down. It refuses real time.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Profile } from "#drivers/profile.js";
import type { InterlockConfig } from "#kernel/config/cell.js";
import { StartGate } from "../../../services/coordinator/start-gate.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function interlock(name: string, moves: string[], evaluator: string): InterlockConfig {
  return { name, moves, evaluator, require: { text: name, terms: [] }, margin: 1 };
}
const zUp = interlock("z-up", ["x", "y"], "z");
const apart = [interlock("a-still", ["b"], "a"), interlock("b-still", ["a"], "b")];
const enable = { steps: [] };
const devices = ["x", "y", "z", "a", "b", "free"].map((id) => ({
  id,
  profile: { operations: { enable } } as unknown as Profile,
  pollFastMs: 20,
}));

function gate(...interlocks: InterlockConfig[]) {
  const left: string[] = [];
  const made = new StartGate({ interlocks, devices });
  const ask = (device: string, verb = "moveTo", id = device) =>
    made.enter({ id, device, verb }, () => left.push(id));
  return { gate: made, left, ask };
}

describe("who shares an interlock", () => {
  test.each([
    ["two that it moves", "x", "y", false],
    ["one that it moves, after the one that it reads", "z", "x", false],
    ["the one that it reads, after one that it moves", "x", "z", false],
    ["one of no interlock", "x", "free", true],
  ])("%s (%s, then %s): goes at once: %s", (_, first, second, goes) => {
    const { left, ask } = gate(zUp);
    ask(first);
    ask(second);
    expect(left).toEqual(goes ? [first, second] : [first]);
  });
});

test("the next one leaves when the one before runs (x, then y)", () => {
  const { gate: made, left, ask } = gate(zUp);
  ask("x");
  ask("y");
  expect(made.isHeld("y")).toBe(true);
  made.leave("x");
  expect(left).toEqual(["x", "y"]);
  expect(made.isHeld("y")).toBe(false);
});

test("where the permit is read off the one before, the next waits until it has been told (z, then x)", () => {
  const { gate: made, left, ask } = gate(zUp);
  ask("z");
  ask("x");
  made.leave("z");
  expect(left).toEqual(["z"]);
  // Said twice it waits no longer.
  vi.advanceTimersByTime(60);
  made.leave("z");
  vi.advanceTimersByTime(39);
  expect(left).toEqual(["z"]);
  vi.advanceTimersByTime(1);
  expect(left).toEqual(["z", "x"]);
});

test("two axes that look at each other are never let off by permits from before either moved", () => {
  const { gate: made, left, ask } = gate(...apart);
  ask("a");
  ask("b");
  made.leave("a");
  expect(left).toEqual(["a"]);
  vi.advanceTimersByTime(100);
  expect(left).toEqual(["a", "b"]);
});

test("the move has ended meanwhile: the next one leaves at once", () => {
  const { gate: made, left, ask } = gate(zUp);
  ask("z");
  ask("x");
  made.leave("z");
  made.sweep((id) => id !== "z");
  expect(left).toEqual(["z", "x"]);
});

test("who came first goes first: c would be free, and waits behind b, which waits for a", () => {
  const {
    gate: made,
    left,
    ask,
  } = gate(interlock("p", ["a", "b"], "x"), interlock("q", ["b", "free"], "y"));
  ask("a");
  ask("b");
  ask("free");
  expect(left).toEqual(["a"]);
  made.leave("a");
  expect(left).toEqual(["a", "b"]);
  made.leave("b");
  expect(left).toEqual(["a", "b", "free"]);
});

test("a command that nobody waits for any more neither leaves nor holds up others", () => {
  const { gate: made, left, ask } = gate(zUp);
  ask("x");
  ask("y", "moveTo", "gone");
  ask("z");
  made.sweep((id) => id === "z");
  expect(left).toEqual(["x", "z"]);
});

test.each([
  ["enable", true],
  ["moveTo", false],
  ["moveBy", false],
  ["velocity", false],
  ["jog", false],
  ["home", false],
  // Nothing is known of it, so it may move something.
  ["purge", false],
])("%s goes past a move that holds the gate: %s", (verb, goes) => {
  const { left, ask } = gate(zUp);
  ask("x");
  ask("y", verb);
  expect(left.includes("y")).toBe(goes);
});

test("closed: nothing leaves any more", () => {
  const { gate: made, left, ask } = gate(zUp);
  ask("z");
  ask("x");
  made.leave("z");
  made.close();
  vi.advanceTimersByTime(1000);
  expect(left).toEqual(["z"]);
});

describe("an axis in a person's hand", () => {
  test.each([
    ["the same axis", "x", "x", false],
    ["one that shares its interlock", "x", "y", false],
    ["the one that the interlock reads", "x", "z", false],
    ["one of no interlock", "x", "free", true],
  ])("%s (%s held, then %s) goes at once: %s", (_, held, next, goes) => {
    const { gate: made, left, ask } = gate(zUp);
    made.occupy("H1", held);
    ask(next);
    expect(left).toEqual(goes ? [next] : []);
    made.sweep(() => true);
    expect(left).toEqual(goes ? [next] : []);
    made.vacate("H1");
    expect(left).toEqual([next]);
  });
});
