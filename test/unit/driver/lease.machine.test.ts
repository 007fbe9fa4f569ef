/**
 * The lease machine, by its full table and by the rules of epochs.
 *
 * The idea: every state meets every input once; then the sequences that the protocol is about.
 * It refuses to look at runners: this is the machine alone.
 */
import { describe, expect, it } from "vitest";
import {
  type LeaseFacts,
  type LeaseInput,
  type LeaseState,
  leaseAtBoot,
  leaseHeeds,
  leaseLives,
  nextLease,
} from "../../../services/driver/lease.machine.js";
import { checkTable } from "./table.js";

const facts: LeaseFacts = {
  nowMs: 1000,
  leaseMs: 500,
  armMs: 900,
  latched: false,
  stopping: false,
  ready: true,
  mayMove: true,
};
const granting: LeaseState = {
  at: "granting",
  epoch: 7,
  holder: "coordinator",
  bootId: "b1",
  request: "r1",
};
const held: LeaseState = {
  at: "held",
  epoch: 7,
  holder: "coordinator",
  bootId: "b1",
  deadlineMs: 1400,
};
const holding: LeaseState = { ...held, hold: true };

function line(step: ReturnType<typeof nextLease>): string | undefined {
  if (step === undefined) return undefined;
  const { state, effects } = step;
  const deadline = state.at === "held" ? `@${state.deadlineMs}` : "";
  const what = effects.map((effect) => {
    if (effect.kind === "refused") return `refused ${effect.request} ${effect.code}`;
    if (effect.kind === "ended") return `ended ${effect.epoch} ${effect.reason}`;
    if (effect.kind === "granted") return `granted ${effect.request} ${effect.epoch}`;
    if (effect.kind === "persistEpoch") return `persist ${effect.epoch}`;
    return `stopAxis ${effect.reason}`;
  });
  return [`${state.at} ${state.epoch}${deadline}`, ...what].join("; ");
}

const inputs: { readonly [name: string]: LeaseInput } = {
  "request, same holder": {
    kind: "request",
    request: "r2",
    holder: "coordinator",
    bootId: "b2",
  },
  "request, other holder": { kind: "request", request: "r3", holder: "bench", bootId: "x" },
  "request, repeated": {
    kind: "request",
    request: "r1",
    holder: "coordinator",
    bootId: "b1",
  },
  persisted: { kind: "persisted", epoch: 7 },
  "persisted, other epoch": { kind: "persisted", epoch: 6 },
  persistFailed: { kind: "persistFailed", epoch: 7, code: "STORE_FULL" },
  beat: { kind: "beat", holder: "coordinator", bootId: "b1" },
  "beat of an older start": { kind: "beat", holder: "coordinator", bootId: "b0" },
  renew: { kind: "renew", epoch: 7, untilMs: 1200 },
  "renew of an older epoch": { kind: "renew", epoch: 6, untilMs: 9000 },
  tick: { kind: "tick" },
  release: { kind: "release", holder: "coordinator", epoch: 7 },
  "release of an older epoch": { kind: "release", holder: "coordinator", epoch: 6 },
  "holder offline": { kind: "offline", holder: "coordinator", bootId: "b1" },
  "late will of an older start": { kind: "offline", holder: "coordinator", bootId: "b0" },
  stop: { kind: "stop", reason: "stop" },
  "continuity lost": { kind: "continuityLost", reason: "three polls" },
  shutdown: { kind: "shutdown" },
};

describe("lease machine, axis that may move", () => {
  checkTable("lease", {
    states: {
      none: leaseAtBoot(6),
      granting,
      held,
      "granting a hold": { ...granting, hold: true as const },
      "held by a hold": holding,
      "held, past its deadline": { ...held, deadlineMs: 1000 },
    },
    inputs,
    // What the machine does not heed, its runner never asks it: a cell would be lost.
    run: (state, input) => {
      const heeded = leaseHeeds(state, input, facts.nowMs);
      return heeded ? line(nextLease(state, input, facts)) : undefined;
    },
    cells: {
      none: {
        "request, same holder": "granting 7; persist 7",
        "request, other holder": "granting 7; persist 7",
        "request, repeated": "granting 7; persist 7",
        persisted: "-",
        "persisted, other epoch": "-",
        persistFailed: "-",
        beat: "-",
        "beat of an older start": "-",
        renew: "-",
        "renew of an older epoch": "-",
        tick: "-",
        release: "-",
        "release of an older epoch": "-",
        "holder offline": "-",
        "late will of an older start": "-",
        stop: "-",
        "continuity lost": "-",
        shutdown: "-",
      },
      granting: {
        "request, same holder": "granting 8; refused r1 SUPERSEDED; persist 8",
        "request, other holder": "granting 7; refused r3 LEASE_HELD",
        "request, repeated": "-",
        persisted: "held 7@1500; granted r1 7",
        "persisted, other epoch": "-",
        persistFailed: "none 7; refused r1 STORE_FULL",
        beat: "-",
        "beat of an older start": "-",
        renew: "-",
        "renew of an older epoch": "-",
        tick: "-",
        release: "none 7; refused r1 SUPERSEDED",
        "release of an older epoch": "-",
        "holder offline": "none 7; refused r1 SUPERSEDED",
        "late will of an older start": "-",
        stop: "none 7; refused r1 NOT_READY",
        "continuity lost": "none 7; refused r1 NOT_READY",
        shutdown: "none 7; refused r1 NOT_READY",
      },
      held: {
        "request, same holder":
          "none 7; stopAxis superseded; ended 7 superseded; refused r2 NOT_READY",
        "request, other holder": "held 7@1400; refused r3 LEASE_HELD",
        "request, repeated":
          "none 7; stopAxis superseded; ended 7 superseded; refused r1 NOT_READY",
        persisted: "-",
        "persisted, other epoch": "-",
        persistFailed: "-",
        beat: "held 7@1500",
        "beat of an older start": "-",
        renew: "-",
        "renew of an older epoch": "-",
        tick: "-",
        release: "none 7; stopAxis released; ended 7 released",
        "release of an older epoch": "-",
        "holder offline": "none 7; stopAxis holder-offline; ended 7 holder-offline",
        "late will of an older start": "-",
        stop: "none 7; ended 7 stop",
        "continuity lost": "none 7; stopAxis three polls; ended 7 three polls",
        shutdown: "none 7; stopAxis shutdown; ended 7 shutdown",
      },
      "granting a hold": {
        "request, same holder": "granting 8; refused r1 SUPERSEDED; persist 8",
        "request, other holder": "granting 7; refused r3 LEASE_HELD",
        "request, repeated": "-",
        persisted: "held 7@1900; granted r1 7",
        "persisted, other epoch": "-",
        persistFailed: "none 7; refused r1 STORE_FULL",
        beat: "-",
        "beat of an older start": "-",
        renew: "-",
        "renew of an older epoch": "-",
        tick: "-",
        release: "none 7; refused r1 SUPERSEDED",
        "release of an older epoch": "-",
        "holder offline": "none 7; refused r1 SUPERSEDED",
        "late will of an older start": "-",
        stop: "none 7; refused r1 NOT_READY",
        "continuity lost": "none 7; refused r1 NOT_READY",
        shutdown: "none 7; refused r1 NOT_READY",
      },
      "held by a hold": {
        "request, same holder":
          "none 7; stopAxis superseded; ended 7 superseded; refused r2 NOT_READY",
        "request, other holder": "held 7@1400; refused r3 LEASE_HELD",
        "request, repeated":
          "none 7; stopAxis superseded; ended 7 superseded; refused r1 NOT_READY",
        persisted: "-",
        "persisted, other epoch": "-",
        persistFailed: "-",
        beat: "-",
        "beat of an older start": "-",
        renew: "held 7@1200",
        "renew of an older epoch": "-",
        tick: "-",
        release: "none 7; stopAxis released; ended 7 released",
        "release of an older epoch": "-",
        "holder offline": "none 7; stopAxis holder-offline; ended 7 holder-offline",
        "late will of an older start": "-",
        stop: "none 7; ended 7 stop",
        "continuity lost": "none 7; stopAxis three polls; ended 7 three polls",
        shutdown: "none 7; stopAxis shutdown; ended 7 shutdown",
      },
      "held, past its deadline": {
        "request, same holder": "none 7; stopAxis lapsed; ended 7 lapsed; refused r2 NOT_READY",
        "request, other holder": "none 7; stopAxis lapsed; ended 7 lapsed; refused r3 NOT_READY",
        "request, repeated": "none 7; stopAxis lapsed; ended 7 lapsed; refused r1 NOT_READY",
        persisted: "none 7; stopAxis lapsed; ended 7 lapsed",
        "persisted, other epoch": "none 7; stopAxis lapsed; ended 7 lapsed",
        persistFailed: "none 7; stopAxis lapsed; ended 7 lapsed",
        beat: "none 7; stopAxis lapsed; ended 7 lapsed",
        "beat of an older start": "none 7; stopAxis lapsed; ended 7 lapsed",
        renew: "none 7; stopAxis lapsed; ended 7 lapsed",
        "renew of an older epoch": "none 7; stopAxis lapsed; ended 7 lapsed",
        tick: "none 7; stopAxis lapsed; ended 7 lapsed",
        release: "none 7; stopAxis lapsed; ended 7 lapsed",
        "release of an older epoch": "none 7; stopAxis lapsed; ended 7 lapsed",
        "holder offline": "none 7; stopAxis lapsed; ended 7 lapsed",
        "late will of an older start": "none 7; stopAxis lapsed; ended 7 lapsed",
        stop: "none 7; stopAxis lapsed; ended 7 lapsed",
        "continuity lost": "none 7; stopAxis lapsed; ended 7 lapsed",
        shutdown: "none 7; stopAxis lapsed; ended 7 lapsed",
      },
    },
  });
});

describe("lease machine, rules", () => {
  const request: LeaseInput = { kind: "request", request: "r", holder: "c", bootId: "b" };
  const still = { ...facts, mayMove: false };

  it.each([
    ["a stop is latched", { latched: true }, "none 6; refused r LATCHED"],
    ["a stop is in progress", { stopping: true }, "none 6; refused r NOT_READY"],
    ["the device was not read in full", { ready: false }, "none 6; refused r NOT_READY"],
  ])("no lease while %s", (_, change, expected) => {
    expect(line(nextLease(leaseAtBoot(6), request, { ...facts, ...change }))).toBe(expected);
  });

  it("the same holder at standstill gets epoch + 1, and its older epoch ends (boot id differs)", () => {
    const again = { ...request, holder: "coordinator", bootId: "b9" };
    expect(line(nextLease(held, again, still))).toBe("granting 8; ended 7 superseded; persist 8");
  });

  it("a still axis is not stopped when its lease ends", () => {
    const released = nextLease(held, { kind: "release", holder: "coordinator", epoch: 7 }, still);
    expect(line(released)).toBe("none 7; ended 7 released");
  });

  it("an ended epoch never lives again: stall, beats, restart, new grant", () => {
    let state: LeaseState = held;
    const play = (input: LeaseInput, nowMs: number) => {
      state = nextLease(state, input, { ...still, nowMs })?.state ?? state;
    };
    const beat: LeaseInput = { kind: "beat", holder: "coordinator", bootId: "b1" };
    play(beat, 3000);
    play(beat, 3001);
    expect(leaseLives(state, "coordinator", 7, 3002)).toBe(false);
    play({ ...request, holder: "coordinator", bootId: "b1" }, 3003);
    play({ kind: "persisted", epoch: 8 }, 3004);
    expect(leaseLives(state, "coordinator", 7, 3005)).toBe(false);
    expect(leaseLives(state, "coordinator", 8, 3005)).toBe(true);
    expect(leaseLives(leaseAtBoot(8), "coordinator", 8, 3006)).toBe(false);
  });

  it("a request for a hold is granted one, and any other is not", () => {
    const asked = nextLease(leaseAtBoot(6), { ...request, hold: true }, facts);
    const granted = asked && nextLease(asked.state, { kind: "persisted", epoch: 7 }, facts);
    expect(line(granted)).toContain("held 7@1900; granted");
    const plain = nextLease(leaseAtBoot(6), request, facts);
    const run = plain && nextLease(plain.state, { kind: "persisted", epoch: 7 }, facts);
    expect(line(run)).toContain("held 7@1500; granted");
  });

  it("a lease lives until its deadline and not at it", () => {
    expect(leaseLives(held, "coordinator", 7, 1399)).toBe(true);
    expect(leaseLives(held, "coordinator", 7, 1400)).toBe(false);
    expect(leaseLives(held, "other", 7, 1399)).toBe(false);
  });
});
