/**
 * Every operation of the DH AG-95 profile against scripted words, and its golden frames.
 * The idea: registers as in the maker's short manuals (0x0200 to 0x0202). Refuses to look into the
 * profile.
 */
import { describe, expect, it } from "vitest";
import { compileDevice } from "#drivers/compile.js";
import { crc16 } from "#drivers/crc.js";
import { readRequest, writeSingle } from "#drivers/pdu.js";
import { hex, profileOf, tableOf, Walk, type Words } from "./operation-walk.js";

const model = (openAt = 1000) =>
  compileDevice(profileOf("dh/ag-95"), {
    device: "g",
    unit: 1,
    constants: { openAt, stroke: 95 },
    acceptNoStop: "test of the operations",
  });
interface State {
  init?: number;
  grip?: number;
  at?: number;
  force?: number;
  target?: number;
}
const words = ({ init = 1, grip = 1, at = 1000, force = 50, target = 1000 }: State): Words => ({
  257: force,
  259: target,
  512: init,
  513: grip,
  514: at,
});

describe("dh/ag-95: golden frames of the maker", () => {
  const framed = (pdu: Uint8Array) => {
    const body = Uint8Array.of(1, ...pdu);
    const sum = crc16(body);
    return hex(Uint8Array.of(...body, sum & 0xff, sum >> 8));
  };
  it.each([
    ["010302000001" + "85b2", readRequest(3, 0x0200, 1)],
    ["010302010001" + "d472", readRequest(3, 0x0201, 1)],
    ["0106010301f47821", writeSingle(0x0103, 500)],
    ["0106010000a5484d", writeSingle(0x0100, 0xa5)],
  ])("%s", (golden, pdu) => {
    expect(framed(pdu)).toBe(golden);
  });
  it("position 500 of 1000 is what a move to the half of the stroke writes, either way", () => {
    for (const openAt of [0, 1000]) {
      const walk = Walk.of(model(openAt), "moveTo", { width: 47.5 }, words({})).wrote();
      walk.read(words({ force: 50 }));
      expect(walk.lines()).toEqual(["trigger:0601" + "0301f4"]);
    }
  });
});

describe("dh/ag-95: initialization", () => {
  it("writes 1 once, accepts 2 (initializing), and is done at 1 with the fingers at rest", () => {
    const walk = Walk.of(model(), "enable", {}, words({ init: 0 })).read(words({ init: 0 }));
    expect(walk.lines()).toEqual(["trigger:0601000001"]);
    expect(
      walk
        .wrote()
        .read(words({ init: 0 }))
        .lines(),
    ).toEqual(["wake:20"]);
    walk.tick().read(words({ init: 2, grip: 0 }));
    expect(walk.lines()[0]).toBe("accepted");
    walk
      .read(words({ init: 1, grip: 0 }))
      .tick()
      .read(words({}))
      .tick()
      .read(words({}));
    expect(walk.verdict?.verdict).toBe("done");
  });
  it("an initialized gripper is left alone", () => {
    const walk = Walk.of(model(), "enable", {}, words({})).read(words({}));
    expect(walk.verdict?.verdict).toBe("done");
    expect(walk.frames).toEqual([]);
  });
});

/** Up to the acknowledged trigger. */
function going(verb: "grip" | "release" | "moveTo", args: Record<string, number>, from: State) {
  const walk = Walk.of(model(), verb, { force: 80, ...args }, words(from)).wrote();
  expect(walk.read(words({ ...from, force: 80 })).lines()[0]).toMatch(/^trigger:060103/);
  expect(walk.frames[0]).toBe("level:0601010050");
  return walk.wrote();
}

describe("dh/ag-95: grip, release, moveTo", () => {
  it("grip: caught is the success", () => {
    const walk = going("grip", {}, { at: 1000 });
    walk.read(words({ target: 0, grip: 1 }));
    expect(walk.lines()[0]).toBe("accepted");
    // The state of before stands for some reads.
    walk
      .read(words({ target: 0, grip: 1 }))
      .tick()
      .read(words({ target: 0, grip: 0, at: 600 }));
    for (let i = 0; i < 3; i++) walk.tick().read(words({ target: 0, grip: 2, at: 400 }));
    expect(walk.lines()).toEqual(['done:{"position":38,"gripped":true}']);
  });
  it.each([
    ["reached without an object", 1],
    ["dropped", 3],
  ] as const)("grip: %s is NO_PART", (_, grip) => {
    const walk = going("grip", {}, {}).read(words({ target: 0, grip: 0 }));
    walk.poll(words({ target: 0, grip, at: 0 }));
    expect(walk.verdict).toMatchObject({ verdict: "faulted", code: "NO_PART" });
  });
  it.each(["release", "moveTo"] as const)("%s: caught that stays is OBSTRUCTED", (verb) => {
    const args: Record<string, number> = verb === "moveTo" ? { width: 95 } : {};
    const walk = going(verb, args, { grip: 2, at: 400 });
    walk.read(words({ target: 1000, grip: 2, at: 400 }));
    walk.poll(words({ target: 1000, grip: 2, at: 400 }));
    expect(walk.verdict).toMatchObject({ verdict: "faulted", code: "OBSTRUCTED" });
  });
  it("release: reached at the open end is done", () => {
    const walk = going("release", {}, { grip: 2, at: 400 });
    walk.read(words({ target: 1000, grip: 2, at: 400 }));
    walk.read(words({ target: 1000, grip: 0, at: 700 }));
    walk
      .tick()
      .read(words({ target: 1000 }))
      .tick()
      .read(words({ target: 1000 }));
    expect(walk.verdict).toMatchObject({ verdict: "done", result: { gripped: false } });
  });
  it("MO-01: reached with the old target is not acceptance", () => {
    const walk = going("moveTo", { width: 10 }, {});
    expect(walk.read(words({ target: 1000, grip: 1 })).lines()).toEqual(["wake:20"]);
  });
  it("a force that does not read back sends no target", () => {
    const walk = Walk.of(model(), "grip", { force: 80 }, words({})).wrote();
    walk.poll(words({ force: 50 }));
    expect(walk.verdict).toMatchObject({ code: "READ_BACK_DIFFERS" });
    expect(walk.frames).toEqual(["level:0601010050"]);
  });
  it("forces outside 20 to 100 percent are refused", () => {
    const points = tableOf(model(), words({}));
    for (const force of [19, 101]) {
      const begun = model().begin({ verb: "grip", args: { force }, nowMs: 0, points });
      expect(begun).toMatchObject({ ok: false, verdict: { code: "LIMIT_EXCEEDED" } });
    }
  });
});

describe("dh/ag-95: what nobody may guess", () => {
  it("without openAt it is not compiled, for the sources contradict each other", () => {
    const bare = { device: "g", unit: 1, constants: {} };
    expect(() => compileDevice(profileOf("dh/ag-95"), bare)).toThrow(/openAt/);
  });
  it("a lost initialization is a reboot; undocumented states refuse the identity", () => {
    const at = (state: State) => tableOf(model(), words(state));
    expect(model().rebooted(at({}), at({ init: 0 }))).toBe(true);
    expect(model().rebooted(at({}), at({ grip: 0 }))).toBe(false);
    expect(model().identityMatches(at({})).ok).toBe(true);
    expect(model().identityMatches(at({ init: 7 })).ok).toBe(false);
  });
});
