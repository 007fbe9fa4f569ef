/**
 * Every operation and stop of the Robotiq profile against scripted bytes.
 * The idea: words are put together here from the register table (gACT, gGTO, gSTA, gOBJ). Refuses
 * to look into the profile.
 */
import { describe, expect, it } from "vitest";
import { gripper, hex, tableOf, Walk, type Words } from "./operation-walk.js";

interface Bytes {
  act?: number;
  go?: number;
  sta?: number;
  obj?: number;
  fault?: number;
  echo?: number;
  at?: number;
}
const words = ({
  act = 1,
  go = 0,
  sta = 3,
  obj = 3,
  fault = 0,
  echo = 0,
  at = 0,
}: Bytes): Words => ({
  2000: ((obj << 6) | (sta << 4) | (go << 3) | act) << 8,
  2001: (fault << 8) | echo,
  2002: at << 8,
});
const off: Bytes = { act: 0, sta: 0, obj: 0 };
const block = (registers: string) => `1003e8000306${registers}`;

describe("robotiq/2f: activation", () => {
  it("enable: rACT low, seen low, high, active", () => {
    const walk = Walk.of(gripper(), "enable", {}, words(off));
    expect(walk.read(words(off)).lines()).toEqual([`level:${block("000000000000")}`]);
    expect(walk.wrote().read(words(off)).lines()).toEqual([`trigger:${block("010000000000")}`]);
    expect(walk.state.triggered).toBe(true);
    walk.wrote().read(words({ act: 1, sta: 1, obj: 0 }));
    expect(walk.lines()[0]).toBe("accepted");
    walk
      .read(words({ sta: 1 }))
      .tick()
      .read(words({}))
      .tick()
      .read(words({}));
    expect(walk.verdict).toMatchObject({ verdict: "done" });
  });

  it("enable of an active gripper writes nothing, for activation moves the full stroke", () => {
    const walk = Walk.of(gripper(), "enable", {}, words({})).read(words({}));
    expect(walk.verdict?.verdict).toBe("done");
    expect(walk.frames).toEqual([]);
  });

  it("disable and resetFault", () => {
    const walk = Walk.of(gripper(), "disable", {}, words({}));
    expect(walk.lines()).toEqual([`level:${block("000000000000")}`]);
    expect(walk.wrote().read(words(off)).verdict?.verdict).toBe("done");
    const reset = Walk.of(gripper(), "resetFault", {}, words({ fault: 14 }));
    reset
      .read(words({ fault: 14 }))
      .wrote()
      .read(words(off))
      .wrote();
    reset
      .read(words({ sta: 1 }))
      .read(words({}))
      .tick()
      .read(words({}));
    expect(reset.verdict?.verdict).toBe("done");
  });
});

/** Up to the trigger's acknowledgement. */
function going(verb: "grip" | "release" | "moveTo", args: Record<string, number>, at: Bytes): Walk {
  const walk = Walk.of(gripper(), verb, args, words(at));
  return walk
    .wrote()
    .read(words({ ...at, go: 0 }))
    .settle()
    .wrote();
}

describe("robotiq/2f: grip, release, moveTo", () => {
  it("grip: rGTO low with the new request, held, high; contact is the success", () => {
    const walk = going("grip", { force: 100, speed: 20 }, {});
    // width 0 is 255, 20 % speed is 51, full force 255.
    expect(walk.frames).toEqual([
      `level:${block("010000ff33ff")}`,
      `trigger:${block("090000ff33ff")}`,
    ]);
    walk.read(words({ go: 1, obj: 0, echo: 255, at: 10 }));
    expect(walk.lines()[0]).toBe("accepted");
    walk.read(words({ go: 1, obj: 0, echo: 255, at: 90 })).tick();
    walk.read(words({ go: 1, obj: 2, echo: 255, at: 153 })).tick();
    walk.read(words({ go: 1, obj: 2, echo: 255, at: 153 }));
    expect(walk.lines()).toEqual(['done:{"position":34,"gripped":true}']);
  });

  it("grip that arrives without contact has no part", () => {
    const walk = going("grip", {}, {});
    walk
      .read(words({ go: 1, obj: 0, echo: 255 }))
      .poll(words({ go: 1, obj: 3, echo: 255, at: 255 }));
    expect(walk.verdict).toMatchObject({ verdict: "faulted", code: "NO_PART" });
  });

  it("release from a held part: the contact of before is no obstruction", () => {
    const held: Bytes = { obj: 2, echo: 255, at: 153 };
    const walk = going("release", {}, held);
    expect(walk.frames[1]).toBe(`trigger:${block("090000008080")}`);
    walk
      .read(words({ ...held, go: 1, echo: 0 }))
      .read(words({ ...held, go: 1, echo: 0 }))
      .tick();
    walk.read(words({ go: 1, obj: 0, echo: 0, at: 100 })).tick();
    walk.read(words({ go: 1, obj: 3, echo: 0, at: 3 })).tick();
    walk.read(words({ go: 1, obj: 3, echo: 0, at: 3 }));
    expect(walk.verdict).toMatchObject({
      verdict: "done",
      result: { position: 84, gripped: false },
    });
  });

  it.each(["release", "moveTo"] as const)("%s that meets something is obstructed", (verb) => {
    const walk = going(verb, verb === "moveTo" ? { width: 85 } : {}, { at: 255, echo: 255 });
    walk.read(words({ go: 1, obj: 0, echo: 0, at: 200 }));
    walk.poll(words({ go: 1, obj: 1, echo: 0, at: 150 }));
    expect(walk.verdict).toMatchObject({ verdict: "faulted", code: "OBSTRUCTED" });
  });

  it("MO-04: move to where it already is (34 mm) is done", () => {
    const here: Bytes = { echo: 153, at: 153 };
    const walk = going("moveTo", { width: 34 }, here);
    walk
      .read(words({ ...here, go: 1 }))
      .read(words({ ...here, go: 1 }))
      .tick();
    expect(walk.read(words({ ...here, go: 1 })).verdict?.verdict).toBe("done");
  });

  it("MO-01: an echo of the old request is not accepted", () => {
    const walk = going("moveTo", { width: 34 }, {});
    expect(walk.read(words({ go: 1, echo: 0 })).lines()).toEqual(["wake:20"]);
  });

  it("what it cannot do is refused with the reason", () => {
    const points = tableOf(gripper(), words({}));
    const begin = (verb: "home" | "velocity" | "grip", args: Record<string, number> = {}) =>
      gripper().begin({ verb, args, nowMs: 0, points });
    expect(begin("home")).toMatchObject({ verdict: { code: "NOT_SUPPORTED" } });
    expect(begin("velocity")).toMatchObject({ verdict: { code: "NOT_SUPPORTED" } });
    expect(begin("grip", { width: 86 })).toMatchObject({ verdict: { code: "LIMIT_EXCEEDED" } });
    expect(begin("grip", { force: 101 })).toMatchObject({ verdict: { code: "LIMIT_EXCEEDED" } });
  });
});

describe("robotiq/2f: stops", () => {
  it("controlled has no blind frame: 0x0100 would activate a reset gripper", () => {
    expect(gripper().stops.controlled?.blind).toEqual([]);
    expect(gripper().stops.disable?.blind.map(hex)).toEqual([block("000000000000")]);
    expect(gripper().stops.fast).toBeUndefined();
    expect(gripper().beginStop("fast", 0)).toBeUndefined();
  });

  it("controlled known to be active: rGTO = 0 at once", () => {
    const walk = Walk.stop(gripper(), "controlled", words({ go: 1, obj: 0 }));
    expect(walk.lines()).toEqual([`level:${block("010000000000")}`]);
    walk
      .wrote()
      .read(words({ obj: 0 }))
      .settle();
    walk
      .read(words({ obj: 0 }))
      .tick()
      .read(words({ obj: 0 }));
    expect(walk.verdict?.verdict).toBe("done");
  });

  it("controlled, not known: reads first, then rGTO = 0", () => {
    const walk = Walk.stop(gripper(), "controlled");
    expect(walk.lines()[0]).toMatch(/^read/);
    expect(walk.read(words({ go: 1, obj: 0 })).lines()).toEqual([`level:${block("010000000000")}`]);
  });

  it("controlled of a gripper that is reset writes nothing at all", () => {
    const walk = Walk.stop(gripper(), "controlled").read(words(off)).read(words(off));
    expect(walk.verdict?.verdict).toBe("done");
    expect(walk.frames).toEqual([]);
  });

  it("controlled of a gripper that activates takes the activation away", () => {
    const walk = Walk.stop(gripper(), "controlled")
      .read(words({ sta: 1 }))
      .read(words({ sta: 1 }));
    expect(walk.lines()).toEqual([`level:${block("000000000000")}`]);
    walk.wrote().read(words(off)).tick().read(words(off));
    expect(walk.verdict?.verdict).toBe("done");
  });

  it("its watchdog is fixed", () => {
    expect(gripper().watchdog).toMatchObject({ kind: "fixed", timeoutMs: 1000 });
  });
});
