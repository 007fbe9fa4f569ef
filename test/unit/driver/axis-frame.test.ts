/**
 * The frame at work between a command in user units and the counts of a drive.
 *
 * The idea: a drive that goes exactly where it is sent, in whole counts, shows whether rounding
 * adds up and whether a place is the same place after a wrap. It refuses clocks.
 */
import { describe, expect, it } from "vitest";
import { compileDevice } from "../../../drivers/compile.js";
import type { AxisSetup, DeviceView } from "../../../drivers/device-model.js";
import { loadProfile } from "../../../drivers/profile-loader.js";
import type { Reading } from "../../../drivers/reading.js";
import { AxisFrame } from "../../../services/driver/axis-frame.js";
import type { StoredFrame } from "../../../services/driver/axis-frame.machine.js";
import { Readings } from "../../../services/driver/readings.js";

const mechanics: AxisSetup = {
  kind: "linear",
  unit: "mm",
  countsPerRev: 131_072,
  gear: { motor: 7, output: 3 },
  perRev: 5,
  travel: { min: -1000, max: 1000 },
  velocityMax: 1e9,
  accelerationMax: 1000,
  tolerance: 0.01,
  whenOff: "stays",
};
const countsPerMm = (131_072 * 7) / 3 / 5;
const turntable: AxisSetup = {
  ...mechanics,
  kind: "rotary",
  unit: "deg",
  countsPerRev: 3600,
  gear: { motor: 1, output: 1 },
  perRev: 360,
};
const { travel: _ends, ...endless } = turntable;

function modelOf(axis: AxisSetup) {
  const profile = loadProfile("kinco/fd5p");
  if (!profile.ok) throw new Error("the profile does not load");
  const constants = { encoderResolution: axis.countsPerRev };
  const known = Object.keys(profile.value.constants);
  const given = Object.fromEntries(Object.entries(constants).filter(([k]) => known.includes(k)));
  return compileDevice(profile.value, { device: "x", unit: 1, axis, constants: given });
}

function good<T>(value: T, atMs: number): Reading<T> {
  return { ok: true, value, atMs };
}

/** The drive: whole counts, and what the driver sees of them. */
class Drive {
  readonly frame: AxisFrame;
  readonly lost: string[] = [];
  readonly saved: StoredFrame[] = [];
  readonly #perCount: number;
  readonly #view: DeviceView;
  counts = 0;
  atMs = 1000;

  constructor(axis: AxisSetup, perCount: number, stored?: StoredFrame) {
    const model = modelOf(axis);
    this.#perCount = perCount;
    this.#view = model.view(new Map());
    this.frame = new AxisFrame(model, {
      onReferenceLost: (why) => this.lost.push(why),
      save: (one) => this.saved.push(one),
    });
    this.frame.restore(stored);
  }

  look(facts: Partial<DeviceView> = {}): DeviceView {
    this.atMs += 20;
    const position = good(this.counts * this.#perCount, this.atMs);
    const bare = { ...this.#view, homed: good(true, this.atMs), position, ...facts };
    this.frame.observe(bare);
    return this.frame.see(bare);
  }

  /** One command, carried out exactly, rounded once to whole counts. */
  obey(verb: string, args: { readonly [name: string]: number }): void {
    const planned = this.frame.plan(verb, args, this.look().position);
    expect(planned.verb).toBe("moveTo");
    this.frame.unsettled(verb);
    this.counts = Math.round((planned.args.position ?? Number.NaN) / this.#perCount);
    this.look();
    this.frame.ended(verb, { verdict: "done", result: {} }, planned.place);
  }
}

describe("MO-16: gear 7:3, pitch 5 mm, 131072 counts", () => {
  it("1000 × +0.1 mm and 1000 × −0.1 mm end on the count where they began", () => {
    const drive = new Drive(mechanics, 1 / countsPerMm);
    for (let i = 0; i < 1000; i += 1) drive.obey("moveBy", { distance: 0.1 });
    expect(drive.counts).toBe(Math.round(100 * countsPerMm));
    for (let i = 0; i < 1000; i += 1) drive.obey("moveBy", { distance: -0.1 });
    expect(Math.abs(drive.counts)).toBe(0);
  });

  it("moves smaller than a count (0.000001 mm) do not vanish: 100,000 of them are 0.1 mm", () => {
    const drive = new Drive(mechanics, 1 / countsPerMm);
    for (let i = 0; i < 100_000; i += 1) drive.obey("moveBy", { distance: 0.000_001 });
    expect(drive.counts).toBe(Math.round(0.1 * countsPerMm));
  });

  it("an axis that was pushed away counts from where it is", () => {
    const drive = new Drive(mechanics, 1 / countsPerMm);
    drive.obey("moveBy", { distance: 10 });
    drive.counts += Math.round(5 * countsPerMm);
    drive.obey("moveBy", { distance: 1 });
    expect(drive.counts / countsPerMm).toBeCloseTo(16, 3);
  });

  it("after a stop it counts from where it is, not from where it was to be", () => {
    const drive = new Drive(mechanics, 1 / countsPerMm);
    drive.obey("moveBy", { distance: 0.000_9 });
    drive.frame.unsettled("stop");
    drive.counts = 0;
    const planned = drive.frame.plan("moveBy", { distance: 1 }, drive.look().position);
    expect(planned.place).toBe(1);
  });
});

describe("MO-13: an endless axis on a 32-bit counter", () => {
  const edge = 2 ** 31;

  it("runs on over 2^31 and back, and its modulo place with it", () => {
    const drive = new Drive({ ...endless, modulo: 360 }, 0.1);
    drive.counts = edge - 2;
    const before = drive.look().position;
    drive.counts = -edge + 2;
    const after = drive.look();
    expect(before.ok && after.position.ok && after.position.value - before.value).toBeCloseTo(0.4);
    const shown = drive.frame.shown(after).position;
    expect(shown.ok && shown.value).toBeCloseTo(((edge + 2) * 0.1) % 360, 4);
    const planned = drive.frame.plan("moveBy", { distance: 1 }, after.position);
    expect(Math.round((planned.args.position ?? 0) * 10)).toBe(-edge + 12);
    expect(drive.lost).toEqual([]);
  });

  it("a modulo axis takes the short way: from 350° to 10° it turns 20° forward", () => {
    const drive = new Drive({ ...endless, modulo: 360 }, 0.1);
    drive.counts = 3500;
    drive.obey("moveTo", { position: 10 });
    expect(drive.counts).toBe(3700);
  });

  it("a wrapped count is kept at standstill and goes on after a restart", () => {
    const drive = new Drive(endless, 0.1);
    drive.counts = edge - 2;
    drive.look();
    drive.counts = -edge + 2;
    drive.look();
    drive.frame.keep();
    drive.frame.keep();
    expect(drive.saved).toEqual([{ wraps: 1, position: expect.closeTo((-edge + 2) * 0.1, 3) }]);
    const again = new Drive(endless, 0.1, drive.saved[0]);
    again.counts = -edge + 3;
    const { position } = again.look();
    expect(position.ok && position.value).toBeCloseTo((edge + 3) * 0.1, 3);
  });

  it("powered off across the count and turned by half a turn: homing is asked for", () => {
    const drive = new Drive(endless, 0.1, { wraps: 1, position: (-edge + 2) * 0.1 });
    drive.counts = -edge + 2 + 1800;
    expect(drive.look().homed).toMatchObject({ ok: true, value: false });
    expect(drive.lost).toEqual([expect.stringContaining("while nobody watched")]);
    drive.frame.keep();
    expect(drive.saved).toHaveLength(1);
    drive.frame.ended("home", { verdict: "done", result: {} }, undefined);
    expect(drive.look().homed).toMatchObject({ ok: true, value: true });
  });
});

describe("readings in the frame of an axis", () => {
  it("homed after a wrap: the last place is told in the new frame, before anything is read again", () => {
    const axis = { ...endless, modulo: 360 };
    const model = modelOf(axis);
    const frame = new AxisFrame(model, { onReferenceLost: () => {}, save: () => {} });
    const readings = new Readings(model, 0, frame);
    const edge = 2 ** 31 * 0.1;
    const see = (position: number, atMs: number) => {
      readings.take(new Map([["actualPosition", position]]), atMs);
      const seen = readings.view.position;
      return seen.ok ? seen.value : undefined;
    };
    see(edge - 1, 10);
    expect(see(1 - edge, 30)).toBeCloseTo(edge + 1, 3);
    frame.unsettled("home");
    see(0, 50);
    frame.ended("home", { verdict: "done", result: {} }, undefined);
    expect(readings.view.position).toMatchObject({ ok: true, value: 0 });
    const planned = frame.plan("moveTo", { position: 20 }, readings.view.position);
    expect(planned.args.position).toBe(20);
  });
});

describe("a reference that counts no longer", () => {
  it("a homing may set the counter anew; the same jump otherwise costs the reference", () => {
    const drive = new Drive({ ...mechanics, velocityMax: 100 }, 1 / countsPerMm);
    drive.look();
    drive.frame.unsettled("home");
    drive.counts = Math.round(500 * countsPerMm);
    drive.look();
    drive.frame.ended("home", { verdict: "done", result: {} }, undefined);
    expect(drive.lost).toEqual([]);
    drive.counts = 0;
    expect(drive.look().homed).toMatchObject({ value: false });
    expect(drive.lost).toEqual([expect.stringContaining("jumped from 500 to 0")]);
  });
});
