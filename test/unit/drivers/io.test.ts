/**
 * I/O modules: outputs that are set, against raw replies, then on simulated modules.
 *
 * The idea: bytes of coils are written by hand; what a module must never get (0x5500, the coil of
 * all relays) is looked for in everything that went out. It refuses to look into the profiles.
 */
import { describe, expect, it } from "vitest";
import { compileDevice } from "#drivers/compile.js";
import type { DeviceModel, OperationState, PointTable } from "#drivers/device-model.js";
import { ProfileWalk } from "../../fixtures/profile-walks.js";
import { hex, profileOf } from "./operation-walk.js";

const modules = [
  { id: "moxa/e1214", outputs: 6 },
  { id: "waveshare/relay", outputs: 8 },
  { id: "beckhoff/bk-coupler", outputs: 8 },
  { id: "generic/io", outputs: 8 },
];
const done = { verdict: "done" };

function moduleOf(id: string): DeviceModel {
  return compileDevice(profileOf(id), { device: "relays", unit: 1, constants: {} });
}

/** The reply of a module whose coils (or inputs, or words) stand at these bits. */
function replyTo(pdu: Uint8Array, bits: number): Uint8Array {
  const fc = pdu[0] ?? 0;
  return fc <= 2 ? Uint8Array.of(fc, 1, bits) : Uint8Array.of(fc, 2, 0, bits & 0x3f);
}

function tableFrom(model: DeviceModel, bits: number): PointTable {
  const table = new Map();
  for (const request of model.pollFast) {
    const values = model.decode(request, replyTo(request.pdu, bits));
    if (typeof values === "string") throw new TypeError(values);
    for (const [name, value] of values) table.set(name, { ok: true, value, atMs: 1 });
  }
  return table;
}

/** Plays a set by hand: every write is answered with `outcome`, every read with `bits`. */
function play(
  model: DeviceModel,
  args: Record<string, number>,
  script: { outcome: "acked" | "unknown"; bits: number },
) {
  const points = tableFrom(model, 0);
  const begun = model.begin({ verb: "set", args, nowMs: 0, points });
  if (!begun.ok) return { verdict: begun.verdict, frames: [] };
  let state: OperationState = begun.state;
  let nowMs = 0;
  let input: Parameters<DeviceModel["next"]>[1] = { kind: "tick", nowMs };
  const frames: string[] = [];
  for (let turn = 0; turn < 1000; turn++) {
    const step = model.next(state, input);
    if (step === undefined) throw new TypeError("stuck");
    state = step.state;
    const effect = step.effects.at(-1);
    if (effect?.kind === "end") return { verdict: effect.verdict, frames };
    nowMs += 5;
    if (effect?.kind === "write") {
      frames.push(`${effect.role}:${hex(effect.pdu)}`);
      input = { kind: "wrote", nowMs, outcome: script.outcome };
    } else if (effect?.kind === "read") {
      const values = new Map<string, number>();
      for (const request of effect.requests) {
        const decoded = model.decode(request, replyTo(request.pdu, script.bits));
        if (typeof decoded === "string") throw new TypeError(decoded);
        for (const [name, value] of decoded) values.set(name, value);
      }
      input = { kind: "read", nowMs, sentAtMs: nowMs - 1, values };
    } else {
      nowMs = effect?.kind === "wake" ? Math.max(nowMs, effect.atMs) : nowMs;
      input = { kind: "tick", nowMs };
    }
  }
  throw new TypeError("no end");
}

describe.each(modules)("$id, scripted", ({ id, outputs }) => {
  it("set 3 to 1 is one coil, 0xFF00, as a trigger; done when it reads so", () => {
    const on = play(moduleOf(id), { output: 3, value: 1 }, { outcome: "acked", bits: 0b100 });
    expect(on).toMatchObject({ frames: ["trigger:050002ff00"], verdict: done });
    const off = play(moduleOf(id), { output: 1, value: 0 }, { outcome: "acked", bits: 0b100 });
    expect(off).toMatchObject({ frames: ["trigger:0500000000"], verdict: done });
  });

  it("an output that does not follow is a fault after its time; it is written once", () => {
    const script = { outcome: "acked", bits: 0 } as const;
    const { verdict, frames } = play(moduleOf(id), { output: 2, value: 1 }, script);
    expect(verdict).toMatchObject({ code: "NOT_ACCEPTED" });
    expect(frames).toEqual(["trigger:050001ff00"]);
  });

  it("a write without a reply is settled by reading and never repeated", () => {
    const seen = play(moduleOf(id), { output: 2, value: 1 }, { outcome: "unknown", bits: 2 });
    expect(seen).toMatchObject({ frames: ["trigger:050001ff00"], verdict: done });
    const unseen = play(moduleOf(id), { output: 2, value: 1 }, { outcome: "unknown", bits: 0 });
    expect(unseen.frames).toHaveLength(1);
    expect(unseen.verdict.verdict).not.toBe("done");
  });

  it.each([
    { output: 0, value: 1, code: "LIMIT_EXCEEDED" },
    { output: outputs + 1, value: 1, code: "LIMIT_EXCEEDED" },
    { output: 1.5, value: 1, code: "LIMIT_EXCEEDED" },
    { output: 1, value: 2, code: "LIMIT_EXCEEDED" },
    { output: 1, value: 0.5, code: "LIMIT_EXCEEDED" },
    { output: 1, value: Number.NaN, code: "VALIDATION_FAILED" },
  ])("output $output, value $value is refused: $code", ({ output, value, code }) => {
    const { verdict, frames } = play(
      moduleOf(id),
      { output, value },
      { outcome: "acked", bits: 0 },
    );
    expect([verdict, frames]).toMatchObject([{ verdict: "refused", code }, []]);
  });

  it("has no stop classes: a stop leaves its outputs as they are", () => {
    expect(moduleOf(id).stops).toEqual({});
    expect([...moduleOf(id).verbs]).toEqual(["set"]);
  });
});

describe.each(modules)("$id, simulated", ({ id, outputs }) => {
  it("every output goes on and off, and no other one follows", () => {
    const walk = ProfileWalk.of(id);
    const shown = () => {
      const { values } = walk.sim.view();
      return Array.from({ length: outputs }, (_, i) => values[`output${i + 1}`] ?? 0).join("");
    };
    for (let output = 1; output <= outputs; output++) {
      expect(walk.run("set", { output, value: 1 })).toMatchObject(done);
      expect(shown()).toBe("1".repeat(output).padEnd(outputs, "0"));
    }
    expect(walk.run("set", { output: 2, value: 0 })).toMatchObject(done);
    expect(walk.run("set", { output: 2, value: 0 })).toMatchObject(done);
    expect(shown()).toBe(`10${"1".repeat(outputs - 2)}`);
    for (const frame of walk.writes) expect(frame).toMatch(/^0500(0[0-7])(ff00|0000)$/);
  });
});

it("inputs are read as the module shows them", () => {
  const simulate = { "register.input1": 1, "register.input4": 1 };
  for (const id of ["moxa/e1214", "beckhoff/bk-coupler", "generic/io"]) {
    const table = ProfileWalk.of(id, { simulate }).table();
    const value = (n: number) => table.get(`input${n}`);
    expect([value(1), value(2), value(4)]).toMatchObject([
      { value: 1 },
      { value: 0 },
      { value: 1 },
    ]);
  }
});

describe("beckhoff/bk-coupler", () => {
  it("MO-19: 1 s of silence takes the outputs away, and set then says so", () => {
    const walk = ProfileWalk.of("beckhoff/bk-coupler");
    expect(walk.model.judgeWatchdog?.(walk.table())).toMatchObject({
      state: "verified",
      timeoutMs: 1000,
    });
    expect(walk.run("set", { output: 1, value: 1 })).toMatchObject(done);
    walk.pass(900);
    walk.table();
    walk.pass(900);
    expect(walk.sim.view().values.output1).toBe(1);
    walk.pass(200);
    expect(walk.sim.view().values.output1).toBe(0);
    expect(walk.run("set", { output: 1, value: 1 }).verdict).not.toBe("done");
  });

  it("is not commissioned while only writes feed its watchdog", () => {
    const commissioned = (type: number) => {
      const walk = ProfileWalk.of("beckhoff/bk-coupler", {
        simulate: { "register.watchdogType": type },
      });
      return walk.model.commissioned?.(walk.table()).ok;
    };
    expect([commissioned(1), commissioned(0)]).toEqual([true, false]);
  });
});

it("0x5500 turns a relay of the simulated board over, and no set has ever sent it", () => {
  const walk = ProfileWalk.of("waveshare/relay");
  walk.sim.handle(Uint8Array.of(5, 0, 0, 0x55, 0), 10);
  expect(walk.sim.view().values.output1).toBe(1);
  walk.run("set", { output: 1, value: 1 });
  expect(walk.writes).toEqual(["050000ff00"]);
});
