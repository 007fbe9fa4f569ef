/**
 * The frame of an axis: every state × every input, then the situations that it is there for.
 *
 * The idea: the states are the combinations of what it can hold (a reading or none, a count or
 * none, a commanded place, a lost reference, something stored); each cell of the table says what
 * changes. It refuses tables with holes.
 */
import { describe, expect, it } from "vitest";
import {
  type FrameFacts,
  type FrameInput,
  type FrameState,
  frameAtStart,
  nearest,
  nextFrame,
  toCounter,
  unwrapped,
  within,
} from "../../../services/driver/axis-frame.machine.js";

/** A rotary axis of 10 counts per unit on a 16-bit counter: 6553.6 units around. */
const facts: FrameFacts = {
  span: 6553.6,
  endless: true,
  velocityMax: 100,
  tolerance: 1,
  driftMax: 90,
};
const linear: FrameFacts = { ...facts, endless: false };
const base: FrameState = {
  wraps: 0,
  last: { position: 100, atMs: 1000 },
  commanded: undefined,
  lost: undefined,
  stored: undefined,
};

const states: { readonly [name: string]: FrameState } = {
  unheard: frameAtStart(undefined),
  "unheard, stored unwrapped": frameAtStart({ wraps: 0, position: 100 }),
  "unheard, stored wrapped": frameAtStart({ wraps: 2, position: 100 }),
  "unheard, stored lost": frameAtStart({ wraps: 0, position: 100, lost: "before" }),
  heard: base,
  "heard, commanded": { ...base, commanded: 100.04 },
  "heard, wrapped": { ...base, wraps: 1 },
  "heard, lost": { ...base, lost: "before" },
};

const inputs: { readonly [name: string]: FrameInput } = {
  "read near": { kind: "read", position: 101, atMs: 1020, homed: true, homing: false },
  "read far": { kind: "read", position: 900, atMs: 1020, homed: true, homing: false },
  "read over the edge": { kind: "read", position: -3270, atMs: 1020, homed: true, homing: false },
  "read, not homed": { kind: "read", position: 101, atMs: 1020, homed: false, homing: false },
  "read far, homing": {
    kind: "read",
    position: 900,
    atMs: 1020,
    homed: true,
    homing: true,
  },
  arrived: { kind: "arrived", at: 100.04 },
  unsettled: { kind: "unsettled" },
  homed: { kind: "homed" },
  gap: { kind: "gap" },
  positionLost: { kind: "positionLost", why: "alarm 7" },
};

/** state → input → what changes, in words; "-": nothing. */
const table: { readonly [state: string]: { readonly [input: string]: string } } = {
  unheard: {
    "read near": "last",
    "read far": "last",
    "read over the edge": "last",
    "read, not homed": "last",
    "read far, homing": "last",
    arrived: "commanded",
    unsettled: "-",
    homed: "",
    gap: "-",
    positionLost: "lost!",
  },
  "unheard, stored unwrapped": {
    "read near": "last stored",
    "read far": "last stored",
    "read over the edge": "last stored",
    "read, not homed": "last stored",
    "read far, homing": "last stored",
    arrived: "commanded",
    unsettled: "-",
    homed: "",
    gap: "-",
    positionLost: "lost!",
  },
  "unheard, stored wrapped": {
    "read near": "wraps last stored",
    "read far": "last lost! stored",
    "read over the edge": "last lost! stored",
    "read, not homed": "last stored",
    "read far, homing": "last lost! stored",
    arrived: "commanded",
    unsettled: "-",
    homed: "",
    gap: "-",
    positionLost: "lost!",
  },
  "unheard, stored lost": {
    "read near": "last stored",
    "read far": "last stored",
    "read over the edge": "last stored",
    "read, not homed": "last stored",
    "read far, homing": "last stored",
    arrived: "commanded",
    unsettled: "-",
    homed: "lost",
    gap: "-",
    positionLost: "-",
  },
  heard: {
    "read near": "last",
    "read far": "last lost!",
    "read over the edge": "last lost!",
    "read, not homed": "last",
    "read far, homing": "last",
    arrived: "commanded",
    unsettled: "-",
    homed: "",
    gap: "last stored",
    positionLost: "lost!",
  },
  "heard, commanded": {
    "read near": "last",
    "read far": "last commanded lost!",
    "read over the edge": "last commanded lost!",
    "read, not homed": "last",
    "read far, homing": "last",
    arrived: "-",
    unsettled: "commanded",
    homed: "commanded",
    gap: "last commanded stored",
    positionLost: "commanded lost!",
  },
  "heard, wrapped": {
    "read near": "last",
    "read far": "last lost!",
    "read over the edge": "last lost!",
    "read, not homed": "last",
    "read far, homing": "last",
    arrived: "commanded",
    unsettled: "-",
    homed: "wraps",
    gap: "last stored",
    positionLost: "lost!",
  },
  "heard, lost": {
    "read near": "last",
    "read far": "last",
    "read over the edge": "wraps last",
    "read, not homed": "last",
    "read far, homing": "last",
    arrived: "commanded",
    unsettled: "-",
    homed: "lost",
    gap: "last stored",
    positionLost: "-",
  },
};

const keys = ["wraps", "last", "commanded", "lost", "stored"] as const;

function changes(state: FrameState, input: FrameInput): string {
  const step = nextFrame(state, input, facts);
  if (step === undefined) return "-";
  const told = step.effects.length > 0;
  return keys
    .filter((key) => JSON.stringify(state[key]) !== JSON.stringify(step.state[key]))
    .map((key) => (key === "lost" && told ? "lost!" : key))
    .join(" ");
}

describe("the table of the axis frame", () => {
  let cells = 0;
  for (const [name, state] of Object.entries(states)) {
    for (const [word, input] of Object.entries(inputs)) {
      cells += 1;
      it(`${name} × ${word}`, () => {
        expect(changes(state, input)).toBe(table[name]?.[word]);
      });
    }
  }
  it("has no holes", () => {
    expect(cells).toBe(Object.keys(states).length * Object.keys(inputs).length);
    expect(cells).toBe(80);
  });
});

/** Feeds positions, 20 ms apart; the state after them. */
function fed(positions: readonly number[], how: FrameFacts, from = frameAtStart(undefined)) {
  let state = from;
  for (const [i, position] of positions.entries()) {
    const atMs = 1000 + 20 * i;
    state =
      nextFrame(state, { kind: "read", position, atMs, homed: true, homing: false }, how)?.state ??
      state;
  }
  return state;
}

describe("MO-13: the counter wraps", () => {
  it("a 16-bit counter goes on over its edge, forwards and back (3 wraps)", () => {
    const half = 3276.8;
    const over = [half - 1, -half + 1];
    const up = fed([...over, 0, half - 1, -half + 1], { ...facts, velocityMax: 1e6 });
    expect(up.wraps).toBe(2);
    expect(unwrapped(up, -half + 1, facts)).toBeCloseTo(2 * 6553.6 - half + 1, 6);
    const back = fed([half - 1], { ...facts, velocityMax: 1e6 }, up);
    expect(back.wraps).toBe(1);
    expect(back.lost).toBeUndefined();
  });

  it("2^31 on a drive of 4 counts a unit: 4 counts forward are 1 unit forward", () => {
    const wide = { ...facts, span: 2 ** 30, tolerance: 0.5 };
    const state = fed([2 ** 29 - 0.25, -(2 ** 29) + 0.75], wide);
    expect(state.wraps).toBe(1);
    expect(unwrapped(state, -(2 ** 29) + 0.75, wide)).toBe(2 ** 29 + 0.75);
    expect(toCounter(state, 2 ** 29 + 10.75, wide)).toBe(-(2 ** 29) + 10.75);
  });

  it("a linear axis does not wrap: the same jump costs it its reference, once", () => {
    const step = nextFrame(
      { ...base, last: { position: 3276, atMs: 1000 } },
      { kind: "read", position: -3276, atMs: 1020, homed: true, homing: false },
      linear,
    );
    expect(step?.state.wraps).toBe(0);
    expect(step?.effects).toEqual([
      { kind: "referenceLost", why: expect.stringContaining("jumped from 3276 to -3276") },
    ]);
  });
});

describe("places of a modulo axis", () => {
  it.each([
    [370, 10],
    [-10, 350],
    [360, 0],
    [-1e-16, 0],
    [0, 0],
  ])("%d deg is told as %d", (place, told) => expect(within(place, 360)).toBeCloseTo(told, 9));

  it.each([
    { from: 350, to: 10, place: 370 },
    { from: 10, to: 350, place: -10 },
    { from: 725, to: 0, place: 720 },
    { from: 0, to: 180, place: 180 },
    { from: -725, to: 355, place: -725 },
  ])("from $from to $to goes to $place", ({ from, to, place }) => {
    expect(nearest(to, from, 360)).toBe(place);
  });
});
