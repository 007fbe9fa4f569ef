/**
 * Every operation and stop of the IAI profile against scripted words, and the maker's frames.
 * The idea: bits as in the manual's tables of 0x9005 and 0x9007, coils by number. Refuses to look
 * into the profile.
 */
import { describe, expect, it } from "vitest";
import { compileDevice } from "#drivers/compile.js";
import { crc16 } from "#drivers/crc.js";
import { writeMultiple, writeSingle } from "#drivers/pdu.js";
import { axis, hex, profileOf, tableOf, Walk, type Words } from "./operation-walk.js";

const model = () =>
  compileDevice(profileOf("iai/robo-cylinder"), { device: "a", unit: 1, axis, constants: {} });

const ready = 0x2000;
const servo = 0x1000;
const major = 0x0400;
const paused = 0x0020;
const homed = 0x0010;
const complete = 0x0008;
const moving = 0x0020;
const modbus = 0x0100;
const on = ready | servo | homed;

/** Position in mm is 0.01 mm on the wire, high word first. */
const words = (status: number, mm = 0, flags = 0, more: Words = {}): Words => {
  const raw = Math.round(mm * 100);
  return {
    36864: (raw >>> 16) & 0xffff,
    36865: raw & 0xffff,
    36869: status,
    36871: modbus | flags,
    ...more,
  };
};
const resetPulse = ["level:0504070000", "level:050407ff00", "level:0504070000"];

describe("iai/robo-cylinder: golden frames of the manual", () => {
  const framed = (pdu: Uint8Array) => {
    const body = Uint8Array.of(1, ...pdu);
    const sum = crc16(body);
    return hex(Uint8Array.of(...body, sum & 0xff, sum >> 8));
  };
  it("p.135: home return is 01 05 04 0B 00 00 BD 38, then 01 05 04 0B FF 00 FC C8", () => {
    const walk = Walk.of(model(), "home", {}, words(ready | servo));
    walk.read(words(ready | servo)).settle();
    const sent = walk.frames.map((line) =>
      framed(Uint8Array.from(Buffer.from(line.split(":")[1] ?? "", "hex"))),
    );
    expect(sent).toEqual(["0105040b0000bd38", "0105040bff00fcc8"]);
  });
  it("p.176: push current and flags lie where the move block writes them", () => {
    expect(framed(writeMultiple(0x9907, [0x7f, 6]))).toBe("01109907000204" + "007f0006c5c5");
  });
  it("p.159: the register road of the same commands", () => {
    expect(framed(writeSingle(0x0d03, 1))).toBe("01060d030001baa6");
    expect(framed(writeSingle(0x0d00, 0x1000))).toBe("01060d00100086a6");
    expect(framed(writeSingle(0x0d00, 0x1008))).toBe("01060d0010088760");
  });
});

describe("iai/robo-cylinder: enable, disable, reset, home", () => {
  it("enable: the rest thrown away, the pause let go, servo on, each coil in its turn", () => {
    const walk = Walk.of(model(), "enable", {}, words(ready)).read(words(ready));
    walk.read(words(ready)).settle();
    expect(walk.frames).toEqual([...resetPulse, "level:05040a0000", "level:050403ff00"]);
    walk
      .read(words(ready))
      .tick()
      .read(words(ready | servo));
    expect(walk.verdict?.verdict).toBe("done");
  });
  it("the reset takes the servo back first; edges are held for 20 ms on both sides", () => {
    const walk = Walk.of(model(), "resetFault", {}, words(ready | major)).read(
      words(ready | major),
    );
    expect(walk.lines()).toEqual(["level:0504030000"]);
    expect(walk.wrote().wrote().lines()).toEqual(["wake:20"]);
    expect(walk.tick().wrote().lines()).toEqual(["wake:20"]);
    walk.tick().wrote().read(words(ready));
    expect(walk.frames).toEqual(["level:0504030000", ...resetPulse]);
    expect(walk.verdict?.verdict).toBe("done");
  });
  it("an enabled axis that is not paused gets nothing written", () => {
    const walk = Walk.of(model(), "enable", {}, words(on)).read(words(on));
    expect(walk.verdict?.verdict).toBe("done");
    expect(walk.frames).toEqual([]);
  });
  it("disable is coil 0x0403 off", () => {
    const walk = Walk.of(model(), "disable", {}, words(on));
    expect(walk.lines()).toEqual(["level:0504030000"]);
    expect(walk.wrote().read(words(ready)).verdict?.verdict).toBe("done");
  });
  it("home: the old reference is not acceptance; the coil falls again", () => {
    const walk = Walk.of(model(), "home", {}, words(on)).read(words(on)).settle();
    expect(walk.wrote().read(words(on)).lines()).toEqual(["wake:20"]);
    walk.tick().read(words(ready | servo, 3, moving));
    expect(walk.lines()[0]).toBe("accepted");
    walk.settle();
    expect(walk.frames.at(-1)).toBe("level:05040b0000");
    walk.read(words(on)).tick().read(words(on)).tick().read(words(on));
    expect(walk.verdict?.verdict).toBe("done");
  });
});

/** Up to the acknowledged block. */
const begun = (from = on) => {
  const walk = Walk.of(model(), "moveTo", { position: 50, velocity: 100 }, words(from));
  return walk.read(words(from));
};

describe("iai/robo-cylinder: moves", () => {
  it("is one frame of nine registers from 0x9900, position first", () => {
    const walk = begun();
    // 5000, band 0.01 mm = 1, 10000, 2000 mm/s² = 0.20 G, no push, no flags.
    const block = "00001388" + "00000001" + "00002710" + "0014" + "0000" + "0000";
    expect(walk.lines()).toEqual([`trigger:109900000912${block}`]);
    walk.wrote().read(words(on | complete));
    // MO-01: complete from before is not acceptance.
    expect(walk.lines()).toEqual(["wake:20"]);
    walk.tick().read(words(on, 10, moving));
    expect(walk.lines()[0]).toBe("accepted");
    walk.read(words(on | complete, 10, moving)).tick();
    expect(walk.read(words(on | complete, 50)).verdict).toMatchObject({
      verdict: "done",
      result: { position: 50 },
    });
  });
  it("a pause that a stop has left is emptied and let go first", () => {
    const walk = begun(on | paused).settle();
    expect(walk.frames).toEqual([...resetPulse, "level:05040a0000"]);
    walk.read(words(on)).tick().read(words(on));
    expect(walk.lines()[0]).toMatch(/^trigger:1099/);
  });
  it("a pause on the way is STOPPED_SHORT at once, with both places", () => {
    const walk = begun()
      .wrote()
      .read(words(on, 10, moving))
      .read(words(on | paused, 20));
    const detail = { target: 50, position: 20 };
    expect(walk.verdict).toMatchObject({ verdict: "faulted", code: "STOPPED_SHORT", detail });
  });
  it("moveBy counts from the place that was read, without the incremental flag", () => {
    const walk = Walk.of(model(), "moveBy", { distance: -5, velocity: 10 }, words(on, 40));
    walk.read(words(on, 40)).read(words(on, 40));
    // 3500 = 0x0DAC
    expect(walk.lines()[0]).toMatch(/^trigger:10990000091200000dac[0-9a-f]+00000000$/);
    walk
      .wrote()
      .read(words(on, 39, moving))
      .read(words(on | complete, 35));
    expect(walk.verdict?.verdict).toBe("done");
  });
  it("a major alarm ends it with the alarm code", () => {
    const walk = begun()
      .wrote()
      .read(words(ready | major));
    walk.read(words(ready | major, 0, 0, { 36866: 0xe0 }));
    expect(walk.verdict).toMatchObject({ code: "DRIVE_FAULT", detail: { faultCode: 0xe0 } });
  });
  it("an acceleration below 0.01 G is refused, not rounded to none", () => {
    const points = tableOf(model(), words(on));
    const args = { position: 1, velocity: 1, acceleration: 50 };
    const refused = model().begin({ verb: "moveTo", args, nowMs: 0, points });
    expect(refused).toMatchObject({ ok: false, verdict: { code: "LIMIT_EXCEEDED" } });
  });
  it("with the switch on PIO nothing is begun", () => {
    const points = tableOf(model(), { ...words(on), 36871: 0 });
    const args = { position: 1, velocity: 1 };
    const refused = model().begin({ verb: "moveTo", args, nowMs: 0, points });
    expect(refused).toMatchObject({ ok: false, verdict: { code: "DEVICE_LOCAL" } });
  });
});

describe("iai/robo-cylinder: stops", () => {
  it("the blind frames are pause on and servo off: neither raises the power state", () => {
    const { stops } = model();
    expect(stops.controlled?.blind.map(hex)).toEqual(["05040aff00"]);
    expect(stops.controlled?.remainder).toBe("kept");
    expect(stops.disable?.blind.map(hex)).toEqual(["0504030000"]);
    expect(stops.fast).toBeUndefined();
  });
  it("controlled: pause, seen still, then the pulse that throws the rest away; paused it stays", () => {
    const walk = Walk.stop(model(), "controlled")
      .wrote()
      .read(words(on | paused, 20, moving));
    expect(walk.lines()).toEqual(["wake:20"]);
    walk
      .tick()
      .read(words(on | paused, 21))
      .tick()
      .read(words(on | paused, 21));
    walk.read(words(on | paused, 21)).settle();
    expect(walk.frames).toEqual(["level:05040aff00", ...resetPulse]);
    walk
      .read(words(on | paused, 21))
      .tick()
      .read(words(on | paused, 21));
    expect(walk.verdict).toMatchObject({ verdict: "done", result: { position: 21 } });
  });
  it("controlled in an alarm resets nothing", () => {
    const at = words(ready | major | paused);
    const walk = Walk.stop(model(), "controlled").wrote().read(at).tick().read(at).read(at);
    expect(walk.verdict?.verdict).toBe("done");
    expect(walk.frames).toEqual(["level:05040aff00"]);
  });
  it("disable waits for both: still and off", () => {
    const walk = Walk.stop(model(), "disable")
      .wrote()
      .read(words(on, 0, moving))
      .tick();
    walk.read(words(ready)).tick().read(words(ready));
    expect(walk.verdict?.verdict).toBe("done");
  });
});
