/**
 * A stop under an id that has stopped this axis before.
 *
 * The idea: a sender with one fixed id is answered without a frame only while nothing of ours may
 * move; judged by the last write at the device. It refuses real time.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Rig } from "../../fixtures/driver/rig.js";

const stopFrame = "stop 0600220001";
const trigger = "command 0600210001";

let rig: Rig;
beforeEach(() => {
  vi.useFakeTimers();
  rig = new Rig();
});
afterEach(async () => {
  await rig.end();
  vi.useRealTimers();
});

describe("a stop under a confirmed id", () => {
  it("stops a motion whose trigger has just gone out, while readings still say still", async () => {
    await rig.ready();
    await rig.cellStop("HMI");
    await rig.advance(300);
    rig.command("reset", { stops: ["HMI"] });
    await rig.advance(2500);
    const lease = await rig.lease();
    rig.now.field.onFrame = (frame) => {
      rig.frames.push(frame);
      if (`${frame.lane} ${frame.hex}` === trigger) rig.now.door.order("stop", { id: "HMI" });
    };
    rig.command("moveTo", { position: 700, velocity: 200 }, { lease });
    await rig.advance(400);
    expect(rig.writes()).toContain(trigger);
    expect([rig.writes().at(-1), rig.device.moving]).toEqual([stopFrame, false]);
    expect(rig.state()?.lease).toBeUndefined();
  });

  it("sends nothing again while the axis stands and nothing was begun", async () => {
    await rig.ready();
    await rig.cellStop("HMI");
    await rig.advance(300);
    await rig.cellStop("HMI");
    await rig.advance(300);
    expect(rig.writes().filter((write) => write === stopFrame)).toHaveLength(1);
    expect(rig.acks("HMI").at(-1)).toBe("confirmed");
  });

  it.each([
    ["without a latch", false],
    ["with a latch", true],
  ])("ends a command that is being stored, and its lease: %s", async (_, latch) => {
    await rig.ready();
    await rig.cellStop("HMI");
    await rig.advance(300);
    rig.command("reset", { stops: ["HMI"] });
    await rig.advance(2500);
    const lease = await rig.lease();
    rig.now.store.slowMs = 300;
    const id = rig.command("moveTo", { position: 700, velocity: 200 }, { lease });
    await rig.advance(20);
    await rig.now.stop.deliver("axisStop", { axis: "x", verb: "stop" }, { id: "HMI", latch });
    await rig.advance(1500);
    expect(rig.writes()).not.toContain(trigger);
    expect(rig.last(id)?.error?.code).toBe("SUPERSEDED");
    expect(rig.state()?.lease).toBeUndefined();
    expect(rig.state()?.latched).toEqual(latch ? ["HMI"] : []);
  });

  it("ends a lease that was lent since, when it latches anew", async () => {
    await rig.ready();
    await rig.cellStop("HMI");
    await rig.advance(300);
    rig.command("reset", { stops: ["HMI"] });
    await rig.advance(2500);
    await rig.lease();
    await rig.cellStop("HMI");
    await rig.advance(300);
    expect(rig.events("axis.lease.ended").at(-1)).toMatchObject({ reason: "stop" });
    expect(rig.acks("HMI").at(-1)).toBe("confirmed");
  });
});
