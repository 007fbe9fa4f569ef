/**
 * Every operation and stop of the ABB drives profile against scripted status words.
 * The idea: control words are those of the manual's bit table. Refuses to look into the profile.
 */
import { describe, expect, it } from "vitest";
import { conveyor, hex, tableOf, Walk, type Words } from "./operation-walk.js";

/** b9 remote. */
const status = (word: number, speed = 0, reference = 0): Words => ({
  0: 0,
  1: reference,
  3: 0x0200 | word,
  4: speed & 0xffff,
});
const running = 0x0007;

describe("abb/drives-profile", () => {
  it("enable: reference 0, ready, then run", () => {
    const walk = Walk.of(conveyor(), "enable", {}, status(0));
    expect(walk.lines()).toEqual(["level:0600010000"]);
    walk.wrote().read(status(0)).read(status(0));
    expect(walk.lines()).toEqual(["level:0600000476"]);
    expect(walk.wrote().read(status(1)).lines()).toEqual(["level:060000047f"]);
    expect(walk.wrote().read(status(running)).verdict?.verdict).toBe("done");
  });

  it("velocity: run word, then the reference as the trigger; done at set-point and speed", () => {
    const walk = Walk.of(
      conveyor("guarded"),
      "velocity",
      { velocity: -50 },
      status(running | 0x100),
    );
    expect(walk.lines()).toEqual(["level:060000047f"]);
    // −50 % is −10000.
    expect(walk.wrote().lines()).toEqual(["trigger:060001d8f0"]);
    // At set-point is still set from standing: neither accepted nor done.
    walk
      .wrote()
      .read(status(running | 0x100))
      .tick();
    expect(walk.read(status(running, -100)).lines()[0]).toBe("accepted");
    walk
      .read(status(running, -9000))
      .tick()
      .read(status(running | 0x100, -10000));
    expect(walk.lines()).toEqual(['done:{"velocity":-50}']);
  });

  it("velocity without a watchdog needs a reason", () => {
    const points = tableOf(conveyor(), status(running));
    const begun = conveyor().begin({ verb: "velocity", args: { velocity: 5 }, nowMs: 0, points });
    expect(begun).toMatchObject({ verdict: { code: "NOT_SUPPORTED" } });
    expect(conveyor().verbs.has("velocity")).toBe(false);
    expect(conveyor("guarded").verbs.has("velocity")).toBe(true);
    expect(conveyor().watchdog.kind).toBe("unknown");
  });

  it("under local control nothing is sent", () => {
    const points = tableOf(conveyor(), { ...status(0), 3: 0 });
    const begun = conveyor().begin({ verb: "enable", args: {}, nowMs: 0, points });
    expect(begun).toMatchObject({ verdict: { verdict: "refused", code: "DEVICE_LOCAL" } });
  });

  it("disable waits for standstill and takes the reference away", () => {
    const walk = Walk.of(conveyor(), "disable", {}, status(running, 5000, 5000));
    expect(walk.lines()).toEqual(["level:0600000476"]);
    walk.wrote().read(status(1, 3000)).tick().read(status(1)).tick().read(status(1));
    expect(walk.lines()).toEqual(["level:0600010000"]);
    expect(walk.wrote().verdict?.verdict).toBe("done");
  });

  it("resetFault: an edge of b7 with reference 0", () => {
    const walk = Walk.of(conveyor(), "resetFault", {}, status(8)).read(status(8));
    walk.settle();
    expect(walk.read(status(0)).lines()).toEqual(["level:0600000476"]);
    expect(walk.frames).toEqual([
      "level:0600010000",
      "level:0600000476",
      "level:06000004f6",
      "level:0600000476",
    ]);
    expect(walk.wrote().verdict?.verdict).toBe("done");
  });

  it.each([
    ["controlled", "060000047e"],
    ["fast", "060000047b"],
    ["coast", "060000047d"],
    ["disable", "0600000476"],
  ] as const)("%s: %s, speed 0 seen twice, reference taken away", (stopClass, frame) => {
    expect(conveyor().stops[stopClass]?.blind.map(hex)).toEqual([frame]);
    const walk = Walk.stop(conveyor(), stopClass);
    expect(walk.lines()).toEqual([`level:${frame}`]);
    walk.wrote().read(status(1, 9000)).tick().read(status(1, 0)).tick();
    expect(walk.read(status(1, 0)).lines()).toEqual(["level:0600010000"]);
    expect(walk.wrote().verdict?.verdict).toBe("done");
  });

  it("has no position", () => {
    const view = conveyor().view(tableOf(conveyor(), status(running, 20000)));
    expect(view.position).toMatchObject({ ok: false, reason: "not-in-profile" });
    expect(view.velocity).toMatchObject({ ok: true, value: 100 });
    expect(conveyor().verbs.has("moveTo")).toBe(false);
    expect(conveyor().verbs.has("home")).toBe(false);
  });
});
