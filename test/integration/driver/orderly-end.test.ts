/**
 * The last word of a driver that ends in order, to the guardian that stays behind.
 *
 * The idea: the bus judges a closed lane by the newest pulse, so that pulse must be true whatever
 * the phase of the clock. It refuses real time.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Rig } from "../../fixtures/driver/rig.js";

let rig: Rig;
beforeEach(() => {
  vi.useFakeTimers();
  rig = new Rig();
});
afterEach(async () => {
  await rig.end();
  vi.useRealTimers();
});

describe("an orderly end without a disk", () => {
  it("a moving axis is brought to rest, whatever the store refuses", async () => {
    await rig.ready();
    const lease = await rig.lease();
    rig.command("moveTo", { position: 700, velocity: 100 }, { lease });
    for (let ms = 0; ms < 2000 && !rig.device.moving; ms += 5) await rig.advance(5);
    expect(rig.device.moving).toBe(true);
    rig.now.store.full = true;
    let ended = false;
    void rig.now.app.stop("it cannot go on").then(() => {
      ended = true;
    });
    for (let ms = 0; ms < 8000 && !ended; ms += 50) await rig.advance(50);
    expect([ended, rig.device.moving]).toEqual([true, false]);
    expect(rig.frames.some(({ lane, write }) => lane === "stop" && write)).toBe(true);
  });
});

describe("the last pulses of an orderly end", () => {
  it.each([0, 20, 40, 60, 80])("say still as soon as it is idle (phase %i ms)", async (phaseMs) => {
    await rig.ready();
    await rig.advance(phaseMs);
    const lease = await rig.lease();
    const id = rig.command("moveTo", { position: 60, velocity: 200 }, { lease });
    for (let ms = 0; ms < 2000 && rig.last(id)?.status !== "succeeded"; ms += 5) {
      await rig.advance(5);
    }
    expect(rig.last(id)?.status).toBe("succeeded");
    rig.command("release-lease", {}, { lease });
    const idle = () => rig.now.app.isIdle?.() === true;
    for (let ms = 0; ms < 1000 && !idle(); ms += 5) await rig.advance(5);
    expect(idle()).toBe(true);
    void rig.now.app.stop("an upgrade");
    await rig.advance(100);
    // A write of ours may be newer than the first of them, for all that the bus knows.
    expect(rig.now.field.pulses.slice(-2).map(({ still }) => still)).toEqual([true, true]);
  });

  it("do not say still while a stop is owed, although nothing moves", async () => {
    await rig.ready();
    rig.now.field.onFrame = (frame) => {
      rig.frames.push(frame);
      rig.now.field.silent = frame.lane === "stop";
    };
    await rig.cellStop("S1");
    void rig.now.app.stop("an upgrade");
    await rig.advance(6000);
    expect(rig.now.field.pulses.at(-1)?.still).toBe(false);
  });
});
