/**
 * Interlocks as permits, both sides: the driver that evaluates and the driver that moves.
 *
 * The idea: the real app on a scripted device; the other side of the permit is the test. It
 * refuses real time.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { DeviceModel } from "#drivers/device-model.js";
import type { InterlockConfig } from "#kernel/config/cell.js";
import { Rig } from "../../fixtures/driver/rig.js";
import { scriptedModel } from "../../fixtures/driver/scripted-model.js";

const zUp: InterlockConfig = {
  name: "z-up",
  moves: ["x"],
  evaluator: "z",
  require: {
    text: "z.position >= 50 mm",
    terms: [{ device: "z", field: "position", op: ">=", value: 50 }],
  },
  margin: 80,
};
const xClear: InterlockConfig = {
  name: "x-clear",
  moves: ["y"],
  evaluator: "x",
  require: {
    text: "x.position <= 100 mm",
    terms: [{ device: "x", field: "position", op: "<=", value: 100 }],
  },
  margin: 80,
};

let rig: Rig;
let saying: ReturnType<typeof setInterval> | undefined;
let n = 0;
beforeEach(() => {
  vi.useFakeTimers();
  n = 0;
});
afterEach(async () => {
  clearInterval(saying);
  await rig.end();
  vi.useRealTimers();
});

function permit(ok: boolean, number: number): Promise<void> {
  const text = ok ? "z.position >= 50 mm" : "z.position is 40, not >= 50";
  const payload = { v: 1 as const, ts: 0, bootId: "z1", n: number, ok, text };
  return rig.now.stop.deliver("permit", { name: "z-up" }, payload);
}

function say(ok: boolean): void {
  clearInterval(saying);
  const once = () => {
    n += 1;
    void permit(ok, n);
  };
  once();
  saying = setInterval(once, 50);
}

/** Said to hold, and at its pace. */
async function permitted(): Promise<void> {
  say(true);
  await rig.advance(60);
}

async function moving(): Promise<string> {
  await permitted();
  const lease = await rig.lease();
  const id = rig.command("moveTo", { position: 700, velocity: 200 }, { lease });
  await rig.advance(300);
  expect(rig.device.moving).toBe(true);
  return id;
}

describe("permit, the driver that moves", () => {
  beforeEach(async () => {
    rig = new Rig({ interlocks: [zUp] });
    await rig.ready();
  });

  it.each([
    ["was never seen", () => {}, /no permit has been seen/],
    ["is false", () => say(false), /z.position is 40/],
    [
      "is older than 200 ms by the own clock",
      () => {
        say(true);
        clearInterval(saying);
      },
      /permit is \d+ ms old/,
    ],
  ])("a move is refused INTERLOCKED, naming it, when its permit %s", async (_, prepare, text) => {
    prepare();
    await rig.advance(300);
    const lease = await rig.lease();
    const id = rig.command("moveTo", { position: 100, velocity: 200 }, { lease });
    await rig.advance(50);
    expect(rig.last(id)?.verdict).toMatchObject({ verdict: "refused", code: "INTERLOCKED" });
    expect(rig.last(id)?.error?.message).toMatch(/interlock z-up/);
    expect(rig.last(id)?.error?.message).toMatch(text);
    expect(rig.writes()).toEqual([]);
  });

  it("interleaving 12: z's driver is dead, x moving: stopped when its permit is 200 ms old", async () => {
    const id = await moving();
    clearInterval(saying);
    const silentMs = performance.now();
    await rig.advance(600);
    const stop = rig.frames.find((frame) => frame.lane === "stop");
    expect((stop?.atMs ?? 0) - silentMs).toBeGreaterThan(140);
    expect((stop?.atMs ?? 0) - silentMs).toBeLessThan(260);
    expect(rig.last(id)).toMatchObject({
      verdict: { verdict: "faulted", code: "INTERLOCKED", detail: { target: 700 } },
    });
    expect(rig.events("axis.lease.ended")).toMatchObject([
      { reason: expect.stringMatching(/^interlock z-up: its permit is \d+ ms old$/) },
    ]);
    expect(rig.state()?.latched).toEqual([]);
  });

  it("a permit that goes false between low edge and trigger: refused, nothing moved", async () => {
    await permitted();
    const lease = await rig.lease();
    const id = rig.command("moveTo", { position: 700, velocity: 200 }, { lease });
    rig.now.field.onFrame = (frame) => {
      rig.frames.push(frame);
      if (frame.hex === "0600210000") say(false);
    };
    await rig.advance(300);
    expect(rig.device.edges).toBe(0);
    expect(rig.last(id)?.verdict).toMatchObject({ verdict: "refused", code: "INTERLOCKED" });
  });

  it("a permit that goes false stops a running move", async () => {
    const id = await moving();
    say(false);
    await rig.advance(300);
    expect(rig.device.moving).toBe(false);
    expect(rig.last(id)?.verdict).toMatchObject({ verdict: "faulted", code: "INTERLOCKED" });
  });

  it("a permit that goes false stops a velocity that goes on after its command", async () => {
    await permitted();
    const lease = await rig.lease();
    const id = rig.command("velocity", { velocity: 50 }, { lease });
    await rig.advance(300);
    expect([rig.last(id)?.status, rig.device.moving]).toEqual(["succeeded", true]);
    say(false);
    await rig.advance(300);
    expect(rig.device.moving).toBe(false);
  });

  it("a permit that was overtaken by a newer one does not count", async () => {
    say(true);
    await rig.advance(120);
    clearInterval(saying);
    await permit(false, 100);
    await permit(true, 99);
    const lease = await rig.lease();
    const id = rig.command("moveTo", { position: 100, velocity: 200 }, { lease });
    await rig.advance(50);
    expect(rig.last(id)?.verdict).toMatchObject({ code: "INTERLOCKED" });
  });

  it("a stall of 300 ms with permits in the socket: the move is stopped before they are taken", async () => {
    const id = await moving();
    clearInterval(saying);
    rig.stall(300);
    n += 1;
    await permit(true, n);
    expect(rig.writes().at(-1)).toBe("stop 0600220001");
    await rig.advance(300);
    expect(rig.last(id)?.verdict).toMatchObject({ verdict: "faulted", code: "INTERLOCKED" });
  });

  it("a backlog after a silence starts nothing; the next ones at their pace do", async () => {
    await permitted();
    clearInterval(saying);
    const lease = await rig.lease();
    rig.stall(300);
    for (let i = 0; i < 6; i += 1) await permit(true, 50 + i);
    await rig.beat();
    const early = rig.command("moveTo", { position: 100, velocity: 200 }, { lease });
    await rig.advance(10);
    expect(rig.last(early)?.verdict).toMatchObject({ code: "INTERLOCKED" });
    n = 60;
    await permitted();
    const id = rig.command("moveTo", { position: 100, velocity: 200 }, { lease });
    await rig.advance(50);
    expect(rig.last(id)?.status).toBe("running");
  });

  it("enable needs no permit", async () => {
    const lease = await rig.lease();
    const id = rig.command("enable", {}, { lease });
    await rig.advance(50);
    expect(rig.last(id)?.status).toBe("succeeded");
  });
});

describe("permit, the driver whose axis moves on after a verdict that is not done", () => {
  it("stops it when the permit goes false", async () => {
    const real = scriptedModel();
    const verdict = { verdict: "faulted", code: "NOT_DONE_IN_TIME", text: "too slow" } as const;
    const next: DeviceModel["next"] = (state, input) => {
      const over = state.verb === "moveTo" && state.triggered && input.kind === "wrote";
      return over ? { state, effects: [{ kind: "end", verdict }] } : real.next(state, input);
    };
    rig = new Rig({ interlocks: [zUp], model: { next } });
    await rig.ready();
    await permitted();
    const lease = await rig.lease();
    const id = rig.command("moveTo", { position: 700, velocity: 200 }, { lease });
    await rig.advance(40);
    expect([rig.last(id)?.status, rig.device.moving]).toEqual(["failed", true]);
    say(false);
    await rig.advance(300);
    expect(rig.device.moving).toBe(false);
    expect(rig.events("axis.lease.ended")).toMatchObject([
      { reason: expect.stringMatching(/^interlock z-up: z\.position is 40/) },
    ]);
  });
});

describe("permit, the driver that evaluates", () => {
  beforeEach(async () => {
    rig = new Rig({ interlocks: [xClear] });
    await rig.ready();
  });

  it("is said every 50 ms with a growing number", async () => {
    const before = rig.now.stop.of("permit").length;
    await rig.advance(1000);
    const said = rig.now.stop.of("permit").slice(before);
    expect(said.length).toBeGreaterThanOrEqual(15);
    expect(said.length).toBeLessThanOrEqual(25);
    expect(said.every(({ ok }) => ok)).toBe(true);
    const numbers = said.map((permit) => permit.n);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  });

  it("is said on change, with the value that does not hold", async () => {
    const lease = await rig.lease();
    rig.command("moveTo", { position: 120, velocity: 200 }, { lease });
    await rig.advance(1500);
    expect(rig.now.stop.of("permit").at(-1)).toMatchObject({
      ok: false,
      text: "x.position is 120, not <= 100",
    });
  });

  it("nobody has leased the axis, and it is pushed: said within a fast poll, not an idle one", async () => {
    const waits: number[] = [];
    for (const position of [150, 50, 151, 51, 152, 52]) {
      await rig.advance(313);
      const { length } = rig.now.stop.of("permit");
      const changedMs = performance.now();
      rig.device.position = position;
      const ok = position <= 100;
      const changed = () =>
        rig.now.stop
          .of("permit")
          .slice(length)
          .some((said) => said.ok === ok);
      while (!changed() && performance.now() - changedMs < 1000) await rig.advance(1);
      waits.push(performance.now() - changedMs);
    }
    // The poll itself, and the tick that says it.
    expect(Math.max(...waits)).toBeLessThan(50);
  });

  it("a device that answers no more: no permit by what was read before", async () => {
    rig.now.field.silent = true;
    const lostMs = performance.now();
    const holds = () => rig.now.stop.of("permit").at(-1)?.ok === true;
    while (holds() && performance.now() - lostMs < 2000) await rig.advance(5);
    // 20 ms of the poll and the 200 ms that a permit may be old, as the check reckons.
    expect(performance.now() - lostMs).toBeLessThan(20 + 200 + 60);
  });

  it("is false when the device does not answer", async () => {
    rig.now.field.silent = true;
    await rig.advance(1500);
    expect(rig.now.stop.of("permit").at(-1)).toMatchObject({ ok: false });
  });
});
