/**
 * Operations of the profiles against simulated devices, exchange by exchange in virtual time.
 *
 * The idea: the simulators' behaviours are written from the register facts and know nothing of our
 * steps, so both have to agree on what a device does. Interleaving 24 is judged for every profile:
 * stopped, reset, enabled, ten seconds: not moved. Refuses wall time.
 */
import { describe, expect, it } from "vitest";
import { compileDevice } from "#drivers/compile.js";
import type {
  AxisSetup,
  DeviceModel,
  DeviceSetup,
  OperationEffect,
  OperationInput,
  OperationState,
  PointTable,
  ReadRequest,
  StopClass,
  Verb,
  Verdict,
} from "#drivers/device-model.js";
import { matchReply } from "#drivers/pdu.js";
import { makeSimDevice, type SimDevice, type SimulateValue } from "#simulators/device.js";
import { axis, hex, profileOf } from "./operation-walk.js";

/** One exchange on the wire. */
const exchangeMs = 2;

class Rig {
  nowMs = 0;
  readonly writes: string[] = [];
  private constructor(
    readonly model: DeviceModel,
    readonly sim: SimDevice,
  ) {}

  static of(id: string, setup: Omit<DeviceSetup, "device" | "unit">, simulate = {}): Rig {
    const profile = profileOf(id);
    const full = { device: "d", unit: 1, ...setup };
    const simulated: Record<string, SimulateValue> = simulate;
    const sim = makeSimDevice({ id: "d", profile, setup: full, simulate: simulated });
    return new Rig(compileDevice(profile, full), sim);
  }

  pass(forMs: number): void {
    for (let left = forMs; left > 0; left--) {
      this.nowMs++;
      this.sim.advance(this.nowMs);
    }
  }

  exchange(pdu: Uint8Array): Uint8Array | undefined {
    this.pass(exchangeMs);
    const reply = this.sim.handle(pdu, this.nowMs);
    if (pdu[0] !== 3) this.writes.push(hex(pdu));
    return reply;
  }

  table(requests: readonly ReadRequest[] = this.model.pollFull): PointTable {
    const table = new Map();
    for (const request of requests) {
      const reply = this.exchange(request.pdu);
      const values = reply === undefined ? "timeout" : this.model.decode(request, reply);
      if (typeof values === "string") throw new TypeError(`${request.points}: ${values}`);
      for (const [name, value] of values) table.set(name, { ok: true, value, atMs: this.nowMs });
    }
    return table;
  }

  view() {
    return this.model.view(this.table());
  }

  run(verb: Verb, args: Record<string, number> = {}, halfway?: () => void): Verdict {
    const begun = this.model.begin({ verb, args, nowMs: this.nowMs, points: this.table() });
    return begun.ok ? this.play(begun.state, halfway) : begun.verdict;
  }

  stop(stopClass: StopClass, known: boolean): Verdict {
    const state = this.model.beginStop(stopClass, this.nowMs, known ? this.table() : undefined);
    if (state === undefined) throw new TypeError(`no ${stopClass}`);
    return this.play(state);
  }

  /** `cut` is called once after acceptance; when it returns, the run is left alone. */
  private play(start: OperationState, cut?: () => void): Verdict {
    let state = start;
    let input: OperationInput = { kind: "tick", nowMs: this.nowMs };
    for (let turn = 0; turn < 20_000; turn++) {
      const step = this.model.next(state, input);
      if (step === undefined) throw new TypeError("the run is stuck");
      state = step.state;
      if (cut !== undefined && step.effects.some((effect) => effect.kind === "accepted")) {
        cut();
        return { verdict: "unknown", code: "CUT", text: "left alone" };
      }
      const effect = step.effects.at(-1);
      if (effect?.kind === "end") return effect.verdict;
      input = this.carryOut(effect);
    }
    throw new TypeError("the run has no end");
  }

  private carryOut(effect: OperationEffect | undefined): OperationInput {
    if (effect?.kind === "write") {
      const reply = this.exchange(effect.pdu);
      const { nowMs } = this;
      if (reply === undefined) return { kind: "wrote", nowMs, outcome: "unknown" };
      const matched = matchReply(effect.pdu, reply);
      if (matched.kind === "ack") return { kind: "wrote", nowMs, outcome: "acked" };
      const exception = matched.kind === "exception" ? matched.code : 0;
      return { kind: "wrote", nowMs, outcome: "exception", exception };
    }
    if (effect?.kind === "read") {
      const sentAtMs = this.nowMs + 0.5;
      const values = new Map<string, number>();
      for (const request of effect.requests) {
        const reply = this.exchange(request.pdu);
        const decoded = reply === undefined ? "timeout" : this.model.decode(request, reply);
        if (typeof decoded === "string") {
          return { kind: "readFailed", nowMs: this.nowMs, reason: decoded };
        }
        for (const [name, value] of decoded) values.set(name, value);
      }
      return { kind: "read", nowMs: this.nowMs, sentAtMs, values };
    }
    if (effect?.kind !== "wake") throw new TypeError("no effect");
    this.pass(Math.max(1, Math.ceil(effect.atMs - this.nowMs)));
    return { kind: "tick", nowMs: this.nowMs };
  }
}

const linear: AxisSetup = { ...axis, countsPerRev: 65_536, tolerance: 0.05 };
const servo = (simulate = {}) =>
  Rig.of("kinco/fd5p", { axis: linear, constants: {}, acceptNoWatchdog: "test" }, simulate);
const fingers = (simulate = {}) => Rig.of("robotiq/2f", { constants: {} }, simulate);
const { travel: _travel, ...endless } = { ...axis, unit: "percent" as const, velocityMax: 100 };
const belt = () => {
  const setup = { axis: endless, constants: {}, acceptNoWatchdog: "test" };
  return Rig.of("abb/drives-profile", setup);
};

const done = { verdict: "done" };

describe("kinco/fd5p, simulated", () => {
  function homed(): Rig {
    const rig = servo();
    expect(rig.run("enable")).toMatchObject(done);
    expect(rig.run("home")).toMatchObject(done);
    return rig;
  }

  it("enable, home, move there and back, move by, disable", () => {
    const rig = homed();
    expect(rig.run("moveTo", { position: 120, velocity: 300 })).toMatchObject(done);
    expect(rig.run("moveTo", { position: 120, velocity: 300 })).toMatchObject(done);
    expect(rig.run("moveBy", { distance: -20, velocity: 300 })).toMatchObject(done);
    const view = rig.view();
    expect(view.position.ok && Math.abs(view.position.value - 100)).toBeLessThan(0.05);
    expect(rig.run("disable")).toMatchObject(done);
    expect(rig.view().enabled).toMatchObject({ value: false });
    expect(rig.run("moveTo", { position: 1, velocity: 1 })).toMatchObject({ code: "NOT_ENABLED" });
  });

  it("moveBy after a move that was blocked counts from the axis, not from the old target", () => {
    const rig = homed();
    rig.sim.setFault("stuck", undefined, rig.nowMs);
    const short = { verdict: "faulted", code: "STOPPED_SHORT" };
    expect(rig.run("moveTo", { position: 300, velocity: 300 })).toMatchObject(short);
    expect(rig.run("moveBy", { distance: 10, velocity: 300 })).toMatchObject(short);
    const before = rig.view().position;
    rig.sim.clearFaults();
    rig.pass(5000);
    rig.table();
    const after = rig.view().position;
    if (!before.ok || !after.ok) throw new TypeError("no position");
    expect(Math.abs(after.value - before.value - 10)).toBeLessThan(0.1);
  });

  it.each([
    ["controlled", true],
    ["controlled", false],
    ["fast", false],
    ["coast", false],
    ["disable", false],
  ] as const)(
    "interleaving 24: %s (known=%s), then enable: not moved for ten seconds",
    (c, known) => {
      const rig = homed();
      rig.run("moveTo", { position: 700, velocity: 200 }, () => rig.pass(800));
      expect(rig.stop(c, known)).toMatchObject(done);
      const before = rig.view().position;
      expect(rig.run("enable")).toMatchObject(done);
      rig.pass(10_000);
      const after = rig.view().position;
      if (!before.ok || !after.ok) throw new TypeError("no position");
      expect(Math.abs(after.value - before.value)).toBeLessThan(0.1);
      expect(after.value).toBeLessThan(650);
      expect(rig.run("moveTo", { position: 5, velocity: 500 })).toMatchObject(done);
    },
  );

  it("interleaving 24 in speed mode: stopped, enabled, not moved", () => {
    const rig = homed();
    expect(rig.run("velocity", { velocity: 50 })).toMatchObject(done);
    expect(rig.stop("controlled", true)).toMatchObject(done);
    const before = rig.view().position;
    expect(rig.run("enable")).toMatchObject(done);
    rig.pass(10_000);
    expect(rig.view().position).toMatchObject({ value: before.ok ? before.value : "none" });
  });

  it.each([true, false])("a stop of a disabled drive does not enable it (known=%s)", (known) => {
    const rig = homed();
    expect(rig.run("disable")).toMatchObject(done);
    expect(rig.stop("controlled", known)).toMatchObject(done);
    expect(rig.view().enabled).toMatchObject({ value: false });
  });

  it("a stuck axis is stopped short or late, never done", () => {
    const rig = homed();
    rig.sim.setFault("stuck", undefined, rig.nowMs);
    const verdict = rig.run("moveTo", { position: 50, velocity: 100 });
    expect(verdict.verdict).toBe("faulted");
  });

  it("a trip on the way is a drive fault, and resetFault clears it", () => {
    const rig = homed();
    rig.run("moveTo", { position: 700, velocity: 100 }, () => rig.pass(100));
    rig.sim.setFault("trip", 5, rig.nowMs);
    rig.pass(500);
    expect(rig.view().fault).toMatchObject({ value: true });
    expect(rig.run("moveTo", { position: 1, velocity: 1 })).toMatchObject({ code: "DRIVE_FAULT" });
    rig.sim.clearFaults();
    expect(rig.run("resetFault")).toMatchObject(done);
    expect(rig.view().fault).toMatchObject({ value: false });
  });
});

describe("robotiq/2f, simulated", () => {
  it("activate, grip a part, grip again, release, move", () => {
    const rig = fingers();
    expect(rig.run("enable")).toMatchObject(done);
    expect(rig.run("grip", { force: 40 })).toMatchObject({ ...done, result: { gripped: true } });
    expect(rig.view().gripped).toMatchObject({ value: true });
    expect(rig.run("grip", { force: 40 })).toMatchObject({ ...done, result: { gripped: true } });
    expect(rig.run("release")).toMatchObject({ ...done, result: { gripped: false } });
    expect(rig.run("moveTo", { width: 60 })).toMatchObject(done);
    expect(rig.run("moveTo", { width: 60 })).toMatchObject(done);
  });
  it("no part is NO_PART; a part in the way of a free move is OBSTRUCTED", () => {
    const empty = fingers({ part: false });
    expect(empty.run("enable")).toMatchObject(done);
    expect(empty.run("grip")).toMatchObject({ verdict: "faulted", code: "NO_PART" });
    const full = fingers();
    expect(full.run("enable")).toMatchObject(done);
    expect(full.run("moveTo", { width: 10 })).toMatchObject({ code: "OBSTRUCTED" });
  });
  it("interleaving 24: stopped on the way, then enable: not moved, and nothing let go", () => {
    const rig = fingers();
    rig.run("enable");
    rig.run("grip", { speed: 0 }, () => rig.pass(100));
    expect(rig.stop("controlled", false)).toMatchObject(done);
    const before = rig.view().position;
    expect(rig.run("enable")).toMatchObject(done);
    for (let i = 0; i < 20; i++) {
      rig.pass(500);
      rig.table();
    }
    expect(rig.view().position).toMatchObject({ value: before.ok ? before.value : "none" });
  });
  it("a stop of a gripper that was never activated moves nothing", () => {
    const rig = fingers();
    expect(rig.stop("controlled", false)).toMatchObject(done);
    expect(rig.writes).toEqual([]);
    expect(rig.sim.moving).toBe(false);
  });
});

describe("abb/drives-profile, simulated", () => {
  it("enable, run, another speed, stop, disable", () => {
    const rig = belt();
    expect(rig.run("enable")).toMatchObject(done);
    expect(rig.run("velocity", { velocity: 40 })).toMatchObject(done);
    expect(rig.run("velocity", { velocity: -20 })).toMatchObject(done);
    expect(rig.stop("controlled", false)).toMatchObject(done);
    expect(rig.run("disable")).toMatchObject(done);
  });
  it.each(["controlled", "fast", "coast", "disable"] as const)(
    "interleaving 24: %s, then enable: the belt stands for ten seconds",
    (stopClass) => {
      const rig = belt();
      rig.run("enable");
      rig.run("velocity", { velocity: 40 });
      expect(rig.stop(stopClass, false)).toMatchObject(done);
      expect(rig.run("enable")).toMatchObject(done);
      rig.pass(10_000);
      expect(rig.view().velocity).toMatchObject({ value: 0 });
    },
  );
  it("a trip is reset by its edge", () => {
    const rig = belt();
    rig.run("enable");
    rig.sim.setFault("trip", 3, rig.nowMs);
    rig.pass(100);
    expect(rig.view().fault).toMatchObject({ value: true });
    rig.sim.clearFaults();
    expect(rig.run("resetFault")).toMatchObject(done);
    expect(rig.run("enable")).toMatchObject(done);
  });
});
