/**
 * Simulated inverters at their registers: what words, speeds and times a master sees.
 *
 * The idea: addresses and bits are written by hand from the manuals; the belt is judged by the
 * device's own view. It refuses sockets.
 */
import { describe, expect, it } from "vitest";
import { loadProfile } from "#drivers/profile-loader.js";
import { makeSimDevice } from "#simulators/device.js";
import { Bench, linearAxis } from "../../fixtures/simulators/profiles.js";

const axis = { ...linearAxis, velocityMax: 100, accelerationMax: 200 };

function bench(id: string, simulate = {}): Bench {
  const loaded = loadProfile(id);
  if (!loaded.ok) throw new TypeError(`${id} does not load`);
  return new Bench({ id: "belt", profile: loaded.value, setup: { unit: 1, axis }, simulate });
}
const speed = ({ device }: Bench) => device.view().velocity;

describe("Siemens V20", () => {
  it("0x047E, 0x047F, then 0x2000: ramps to 50 % in 250 ms; ZSW 0x37 and at set-point", () => {
    const one = bench("siemens/v20");
    one.write(99, 0x047e);
    expect(one.word(109) & 0x4f).toBe(0x01);
    one.write(99, 0x047f);
    one.write(100, 0x2000);
    one.pass(100);
    expect(speed(one)).toBeCloseTo(20, 0);
    one.pass(200);
    expect([one.word(110), one.word(109) & 0x10f]).toEqual([0x2000, 0x107]);
  });
  it("without b10 the word is not looked at", () => {
    const one = bench("siemens/v20");
    one.write(99, 0x007f);
    one.write(100, 0x2000);
    one.pass(1000);
    expect(speed(one)).toBe(0);
  });
  it.each([
    ["OFF1 ramps at 200 %/s", 0x047e, 200],
    ["OFF3 three times as fast", 0x047b, 600],
    ["OFF2 coasts", 0x047d, 300],
  ])("%s", (_what, word, rate) => {
    const one = bench("siemens/v20");
    one.write(99, 0x047e);
    one.write(99, 0x047f);
    one.write(100, 0x3333);
    one.pass(1000);
    one.write(99, word);
    one.pass(100);
    expect(speed(one)).toBeCloseTo(80 - rate / 10, 0);
  });
});

describe("Danfoss", () => {
  it("a reference of 0xE000 is −50 %, and b8 comes when it is reached", () => {
    const one = bench("danfoss/fc51");
    one.write(50_009, 0xe000);
    one.write(49_999, 0x047c);
    one.pass(100);
    expect(one.word(50_199) & 0x900).toBe(0x800);
    one.pass(400);
    expect([speed(one), one.word(50_209), one.word(50_199) & 0x900]).toEqual([-50, 0xe000, 0x900]);
  });
  it("a control word is the only sign of life: reads do not feed its watchdog", () => {
    const one = bench("danfoss/fc202", { watchdogMs: 500 });
    one.write(49_999, 0x047c);
    for (let i = 0; i < 10; i++) {
      one.pass(100);
      one.word(50_199);
    }
    expect(one.word(50_199) & 8).toBe(8);
  });
});

describe("Altivar", () => {
  it("6, 7, 15 and 750 rpm; 2 stops quickly and ends in 0x50", () => {
    const one = bench("schneider/atv12");
    for (const word of [6, 7, 15]) one.write(8501, word);
    one.write(8602, 750);
    one.pass(1000);
    expect([one.word(8604), one.word(3201)]).toEqual([750, 0x637]);
    one.write(8501, 2);
    one.pass(50);
    expect(one.word(3201) & 0xff).toBe(0x17);
    one.pass(500);
    expect([one.word(8604), one.word(3201) & 0xff]).toEqual([0, 0x50]);
  });
  it("15 straight after power-up does nothing: 6 has to come first", () => {
    const one = bench("schneider/atv320");
    one.write(8602, 750);
    one.write(8501, 15);
    one.pass(1000);
    expect([one.word(8604), one.word(3201) & 0xff]).toEqual([0, 0x50]);
  });
});

describe("commands at 0x2000", () => {
  it("values: 1 and 5000 run at 25 Hz of 50; 6 ramps, 5 coasts", () => {
    const one = bench("generic/vfd-0x2000");
    one.write(0x1000, 5000);
    one.write(0x2000, 1);
    one.pass(1000);
    expect([one.word(0x1001), one.word(0x3000)]).toEqual([2500, 1]);
    one.write(0x2000, 6);
    one.pass(100);
    expect(speed(one)).toBeCloseTo(30, 0);
    one.pass(1000);
    expect(one.word(0x3000)).toBe(3);
  });
  it("bits: 0x12 at frequency 0 is standby, 0x01 stops, 0x2002 resets", () => {
    const one = bench("generic/vfd-0x2000-bits");
    one.write(0x2000, 0x12);
    expect(one.word(0x2101) & 3).toBe(2);
    one.write(0x2001, 2500);
    one.pass(1000);
    expect([one.word(0x2103), one.word(0x2101) & 3]).toEqual([2500, 3]);
    one.device.setFault("trip", 3, one.nowMs);
    one.pass(1000);
    one.write(0x2000, 0x12);
    one.pass(500);
    expect([one.word(0x2100), speed(one)]).toEqual([3, 0]);
    one.write(0x2002, 2);
    expect(one.word(0x2100)).toBe(0);
  });
});

it("a reboot forgets the commands and leaves the belt to run out", () => {
  for (const id of ["siemens/g120", "danfoss/fc51", "schneider/atv312", "generic/vfd-0x2000"]) {
    const loaded = loadProfile(id);
    if (!loaded.ok) throw new TypeError(id);
    const device = makeSimDevice({ id: "b", profile: loaded.value, setup: { unit: 1, axis } });
    device.advance(1);
    device.setFault("reboot", undefined, 10);
    device.advance(500);
    expect([id, device.moving]).toEqual([id, false]);
  }
});
