/**
 * Every operation and stop of the Festo profile against scripted words.
 * The idea: bytes as in the maker's tables of CCON, CPOS, SCON and SPOS, put together here. Refuses
 * to look into the profile.
 */
import { describe, expect, it } from "vitest";
import { compileDevice } from "#drivers/compile.js";
import { axis, hex, profileOf, tableOf, Walk, type Words } from "./operation-walk.js";

const model = () =>
  compileDevice(profileOf("festo/cmmo-st"), {
    device: "f",
    unit: 1,
    axis,
    constants: { positionUnits: 1000, speedBase: 400 },
  });

interface Status {
  enabled?: number;
  open?: number;
  fault?: number;
  other?: number;
  ack?: number;
  mc?: number;
  mov?: number;
  ref?: number;
  mm?: number;
}
const words = (status: Status = {}): Words => {
  const { enabled = 1, open = 1, fault = 0, other = 0 } = status;
  const { ack = 0, mc = 1, mov = 0, ref = 1, mm = 0 } = status;
  const scon = enabled | (open << 1) | (fault << 3) | (1 << 4) | (other << 5) | (1 << 6);
  const spos = 1 | (ack << 1) | (mc << 2) | (mov << 4) | (ref << 7);
  const raw = Math.round(mm * 1000);
  return { 0: (scon << 8) | spos, 2: (raw >>> 16) & 0xffff, 3: raw & 0xffff };
};
const off: Status = { enabled: 0, open: 0 };
/** Function 23: read 4 from 0, write 4 from 0, then the eight bytes. */
const image = (ccon: string, cpos: string, rest = "000000000000") =>
  `17000000040000000408${ccon}${cpos}${rest}`;

describe("festo/cmmo-st: enable, disable, reset, home", () => {
  it("enable: enable, stop and direct mode in one image, START = 0", () => {
    const walk = Walk.of(model(), "enable", {}, words(off)).read(words(off));
    expect(walk.lines()).toEqual([`level:${image("43", "01")}`]);
    walk.wrote().read(words(off)).tick().read(words());
    expect(walk.verdict?.verdict).toBe("done");
  });
  it("enable of a controller that a stop has left under power clears before it lets go", () => {
    const stopped = words({ open: 0, mc: 0 });
    const walk = Walk.of(model(), "enable", {}, stopped).read(stopped).read(stopped).settle();
    expect(walk.frames).toEqual([
      `level:${image("41", "40")}`,
      `level:${image("41", "00")}`,
      `level:${image("43", "01")}`,
    ]);
  });
  it("disable: enable = 0, stop = 0, seen to be off", () => {
    const walk = Walk.of(model(), "disable", {}, words());
    expect(walk.lines()).toEqual([`level:${image("40", "00")}`]);
    expect(walk.wrote().read(words(off)).verdict?.verdict).toBe("done");
  });
  it("MO-03: a second reset makes a second edge of CCON b3", () => {
    for (let round = 0; round < 2; round++) {
      const faulty = words({ ...off, fault: 1 });
      const walk = Walk.of(model(), "resetFault", {}, faulty).read(faulty).settle();
      expect(walk.frames.map((line) => line.slice(-16, -14))).toEqual(["40", "48"]);
      walk.read(words(off)).settle();
      expect(walk.frames.at(-1)).toBe(`level:${image("40", "00")}`);
      expect(walk.verdict?.verdict).toBe("done");
    }
  });
  it("home: HOM at its edge, low again after the acknowledge, done at REF and MC", () => {
    const walk = Walk.of(model(), "home", {}, words()).wrote().read(words()).settle();
    expect(walk.lines()).toEqual([`trigger:${image("43", "05")}`]);
    expect(walk.wrote().read(words()).lines()).toEqual(["wake:20"]);
    walk.tick().read(words({ ack: 1, ref: 0, mc: 0 }));
    expect(walk.lines()).toEqual(["accepted", `level:${image("43", "01")}`]);
    walk
      .wrote()
      .read(words({ ref: 0, mc: 0, mov: 1 }))
      .tick();
    walk.read(words()).tick().read(words());
    expect(walk.verdict?.verdict).toBe("done");
  });
});

/** Up to the trigger. */
const begun = (status: Status = {}) => {
  const walk = Walk.of(model(), "moveTo", { position: 50, velocity: 100 }, words(status));
  return walk.wrote().read(words(status)).settle();
};
// 100 of 400 mm/s is 25 percent = 0x19; 50000 = 0x0000C350.
const data = "00190000c350";

describe("festo/cmmo-st: moves", () => {
  it("START, ACK, START = 0, ACK = 0, then MC at the place: four images, one trigger", () => {
    const walk = begun();
    expect(walk.frames).toEqual([
      `level:${image("43", "01", data)}`,
      `trigger:${image("43", "03", data)}`,
    ]);
    // MO-01: MC of before is neither acceptance nor done.
    expect(walk.wrote().read(words()).lines()).toEqual(["wake:20"]);
    walk.tick().read(words({ ack: 1, mc: 0 }));
    expect(walk.lines()).toEqual(["accepted", `level:${image("43", "01", data)}`]);
    walk
      .wrote()
      .read(words({ ack: 1, mc: 0, mov: 1 }))
      .tick()
      .read(words({ mc: 0, mov: 1 }));
    walk
      .read(words({ mc: 0, mov: 1, mm: 20 }))
      .tick()
      .read(words({ mm: 50 }));
    expect(walk.verdict).toMatchObject({ verdict: "done", result: { position: 50 } });
    expect(walk.frames.filter((line) => line.startsWith("trigger"))).toHaveLength(1);
  });
  it("an acknowledge that still stands holds the START back", () => {
    const walk = Walk.of(model(), "moveTo", { position: 50, velocity: 100 }, words()).wrote();
    walk.poll(words({ ack: 1 }));
    expect(walk.verdict).toMatchObject({ code: "NOT_ACCEPTED" });
    expect(walk.frames.some((line) => line.startsWith("trigger"))).toBe(false);
  });
  it("a controller that closes on the way (STOP) is STOPPED_SHORT with both places", () => {
    const walk = begun()
      .wrote()
      .read(words({ ack: 1, mc: 0 }))
      .wrote()
      .read(words({ mc: 0 }));
    walk.read(words({ open: 0, mc: 0, mm: 20 }));
    const detail = { target: 50, position: 20 };
    expect(walk.verdict).toMatchObject({ verdict: "faulted", code: "STOPPED_SHORT", detail });
  });
  it("moveBy is an absolute set-point from the place that was read", () => {
    const from = words({ mm: 40 });
    const walk = Walk.of(model(), "moveBy", { distance: -5, velocity: 100 }, from);
    walk.read(from).wrote().read(from).settle();
    // 35000 = 0x000088B8; CDIR stays 0.
    expect(walk.lines()).toEqual([`trigger:${image("43", "03", "0019000088b8")}`]);
  });
  it("a speed below one percent is refused, not rounded to none", () => {
    const points = tableOf(model(), words());
    const args = { position: 1, velocity: 3 };
    const refused = model().begin({ verb: "moveTo", args, nowMs: 0, points });
    expect(refused).toMatchObject({ ok: false, verdict: { code: "LIMIT_EXCEEDED" } });
  });
  it("another master in control: nothing is begun", () => {
    const points = tableOf(model(), words({ other: 1 }));
    const args = { position: 1, velocity: 100 };
    const refused = model().begin({ verb: "moveTo", args, nowMs: 0, points });
    expect(refused).toMatchObject({ ok: false, verdict: { code: "DEVICE_LOCAL" } });
  });
  it("every poll is a read with function 03: no poll can repeat an image", () => {
    const { pollFast, pollSlow, pollFull } = model();
    const all = [...pollFast, ...pollSlow, ...pollFull].map((one) => hex(one.pdu));
    expect(new Set(all)).toEqual(new Set(["0300000004"]));
  });
});

describe("festo/cmmo-st: stops", () => {
  it("only power off is blind: an image with enable = 1 would switch a controller on", () => {
    const { stops } = model();
    expect(stops.controlled?.blind).toEqual([]);
    expect(stops.controlled?.remainder).toBe("kept");
    expect(stops.disable?.blind.map(hex)).toEqual([image("00", "00")]);
  });
  it("controlled, known to be enabled: STOP = 0 goes first, then CLEAR at its edge", () => {
    const walk = Walk.stop(model(), "controlled", words({ mov: 1, mc: 0 }));
    expect(walk.lines()).toEqual([`level:${image("41", "00")}`]);
    const closed = words({ open: 0, mm: 20 });
    walk
      .wrote()
      .read(words({ mov: 1 }))
      .wrote()
      .read(words({ open: 0, mov: 1 }))
      .tick();
    walk.read(closed).tick().read(closed).settle();
    expect(walk.frames.map((line) => line.slice(-16, -12))).toEqual([
      "4100",
      "4100",
      "4140",
      "4100",
    ]);
    walk.read(closed).tick().read(closed);
    expect(walk.verdict).toMatchObject({ verdict: "done", result: { position: 20 } });
  });
  it("controlled, not known: reads first, and a controller that is off gets nothing", () => {
    const walk = Walk.stop(model(), "controlled");
    expect(walk.lines()[0]).toMatch(/^read/);
    walk.read(words(off));
    expect(walk.verdict?.verdict).toBe("done");
    expect(walk.frames).toEqual([]);
  });
  it("disable waits for both: still and off", () => {
    const walk = Walk.stop(model(), "disable")
      .wrote()
      .read(words({ mov: 1 }))
      .tick();
    walk.read(words(off)).tick().read(words(off));
    expect(walk.verdict?.verdict).toBe("done");
  });
});
