/**
 * Danfoss FC 51 and FC 202 against scripted status words, then on the simulated drive.
 *
 * The idea: words are those of the FC profile's bit table, bytes are written by hand. It refuses
 * to look into the profile.
 */
import { describe, expect, it } from "vitest";
import { inverterModel, inverterStory } from "./inverter-story.js";
import { hex, Walk, type Words } from "./operation-walk.js";

const ready = 0x0203;
const running = 0x0a03;
const atReference = 0x0b03;
const trip = 0x0209;
const status = (word: number, speed = 0, reference = 0): Words => ({
  49999: 0,
  50009: reference & 0xffff,
  50199: word,
  50209: speed & 0xffff,
  16899: 0,
  16900: word === trip ? 0x4000 : 0,
});

describe.each(["danfoss/fc51", "danfoss/fc202"])("%s, scripted", (id) => {
  const drive = () => inverterModel(id);

  it("enable: reference 0, 0x043C, 0x047C, and again when it runs", () => {
    const walk = Walk.of(drive(), "enable", {}, status(0x0201));
    expect(walk.lines()).toEqual(["level:06c3590000"]);
    walk.wrote().read(status(0x0201)).read(status(0x0201));
    expect(walk.lines()).toEqual(["level:06c34f043c"]);
    expect(walk.wrote().read(status(ready)).lines()).toEqual(["level:06c34f047c"]);
    expect(walk.wrote().read(status(running)).lines()).toEqual(["level:06c34f047c"]);
    walk.wrote().read(status(running)).tick();
    expect(walk.read(status(running)).verdict?.verdict).toBe("done");
  });

  it("velocity 50 %: 0x2000 as the trigger; at reference from before is not done", () => {
    const walk = Walk.of(drive(), "velocity", { velocity: 50 }, status(atReference));
    expect(walk.lines()).toEqual(["level:06c34f047c"]);
    expect(walk.wrote().lines()).toEqual(["trigger:06c3592000"]);
    walk.wrote().read(status(atReference)).tick();
    expect(walk.read(status(atReference, 0, 8192)).lines()[0]).toBe("accepted");
    walk.read(status(running, 7000, 8192)).tick();
    expect(walk.read(status(atReference, 8192, 8192)).lines()).toEqual(['done:{"velocity":50}']);
  });

  it("velocity −25 %: two's complement", () => {
    const walk = Walk.of(drive(), "velocity", { velocity: -25 }, status(running));
    expect(walk.wrote().lines()).toEqual(["trigger:06c359f000"]);
  });

  it.each([
    ["controlled", "06c34f043c"],
    ["fast", "06c34f042c"],
    ["coast", "06c34f0434"],
    ["disable", "06c34f0434"],
  ] as const)("%s: %s, speed 0 seen twice, reference taken away", (stopClass, frame) => {
    expect(drive().stops[stopClass]?.blind.map(hex)).toEqual([frame]);
    const walk = Walk.stop(drive(), stopClass);
    walk.wrote().read(status(running, 9000)).tick().read(status(ready)).tick();
    expect(walk.read(status(ready)).lines()).toEqual(["level:06c3590000"]);
    expect(walk.wrote().verdict?.verdict).toBe("done");
  });

  it("no blind word has the start bit, and each has b10, without which it would not count", () => {
    for (const stop of Object.values(drive().stops)) {
      for (const pdu of stop?.blind ?? []) {
        expect([(pdu[4] ?? 0) & 0x40, (pdu[3] ?? 0) & 0x04]).toEqual([0, 4]);
      }
    }
  });

  it("resetFault: an edge of b7 with reference 0, the alarm word in the result", () => {
    const walk = Walk.of(drive(), "resetFault", {}, status(trip)).read(status(trip));
    walk.settle();
    walk.read(status(ready));
    expect(walk.wrote().lines()).toEqual(['done:{"alarmWord":0}']);
    expect(walk.frames).toEqual([
      "level:06c3590000",
      "level:06c34f043c",
      "level:06c34f04bc",
      "level:06c34f043c",
    ]);
  });

  it("a trip on the way names the alarm word, high word first", () => {
    const walk = Walk.of(drive(), "velocity", { velocity: 50 }, status(running)).wrote().wrote();
    walk
      .read(status(running, 0, 8192))
      .read(status(trip))
      .read(status(trip));
    expect(walk.verdict).toMatchObject({ code: "DRIVE_FAULT", detail: { faultCode: 0x4000 } });
  });

  it("under local control nothing is sent", () => {
    const points = new Map(
      [...Object.entries({ statusword: 0x0003, actual: 0 })].map(([name, value]) => {
        return [name, { ok: true, value, atMs: 0 }] as const;
      }),
    );
    const begun = drive().begin({ verb: "enable", args: {}, nowMs: 0, points });
    expect(begun).toMatchObject({ verdict: { verdict: "refused", code: "DEVICE_LOCAL" } });
  });
});

it("FC 51 reads one value a frame and says 5 ms of silence; FC 202 does neither", () => {
  const fast = (id: string) => inverterModel(id).pollFast.map(({ pdu }) => hex(pdu));
  expect(fast("danfoss/fc51")).toEqual(["03c4170001", "03c4210001"]);
  expect(fast("danfoss/fc202")).toEqual(["03c4170001", "03c4210001"]);
});

describe("danfoss, simulated", () => {
  const stops = ["controlled", "fast", "coast", "disable"] as const;
  inverterStory("danfoss/fc51", { reverse: true, stops });
  inverterStory("danfoss/fc202", { reverse: true, stops });
});
