/**
 * The interpreter by its full table: every phase at every instruction × every input.
 * The idea: states are collected by walking real runs of all profiles, so that each is one that
 * can occur; then each is given every input, and what means nothing must be undefined. Refuses a
 * cell that was not counted.
 */
import { describe, expect, it } from "vitest";
import type { DeviceModel, OperationInput, OperationState } from "#drivers/device-model.js";
import { stopClasses } from "#drivers/device-model.js";
import { lookTimeoutMs, nextOperation, pollMs } from "#drivers/operation.machine.js";
import type { Instruction, Phase, Program, Run } from "#drivers/program.js";
import { conveyor, gripper, servo } from "./operation-walk.js";

const nowMs = 1000;
const phases = ["ready", "writing", "reading", "waiting", "faulting", "ended"] as const;
const inputs = {
  tick: { kind: "tick", nowMs },
  early: { kind: "tick", nowMs: nowMs - 50 },
  acked: { kind: "wrote", nowMs, outcome: "acked" },
  exception: { kind: "wrote", nowMs, outcome: "exception", exception: 2 },
  notSent: { kind: "wrote", nowMs, outcome: "notSent" },
  unknown: { kind: "wrote", nowMs, outcome: "unknown" },
  met: { kind: "read", nowMs, sentAtMs: nowMs - 1, values: new Map([["p", 1]]) },
  unmet: { kind: "read", nowMs, sentAtMs: nowMs - 1, values: new Map([["p", 0]]) },
  faulty: { kind: "read", nowMs, sentAtMs: nowMs - 1, values: new Map([["p", 9]]) },
  empty: { kind: "read", nowMs, sentAtMs: nowMs - 1, values: new Map() },
  stale: { kind: "read", nowMs, sentAtMs: nowMs - 500, values: new Map([["p", 1]]) },
  readFailed: { kind: "readFailed", nowMs, reason: "timeout" },
} as const satisfies { readonly [name: string]: OperationInput };
type InputName = keyof typeof inputs;

const p = (want: number) => ({
  points: ["p"],
  ask: (look: (name: string) => number | undefined) => {
    const value = look("p");
    return value === undefined ? undefined : value === want;
  },
});
const frame = () => ({ ok: true as const, value: Uint8Array.of(6, 0, 0, 0, 1) });

const instructions: { readonly [name: string]: Instruction } = {
  level: { op: "write", role: "level", frame, text: "p" },
  trigger: { op: "write", role: "trigger", frame, text: "p" },
  hold: { op: "hold", forMs: 10 },
  wait: {
    op: "wait",
    requests: [],
    until: p(1),
    times: 1,
    timeoutMs: 100,
    travelFactor: 0,
    accept: true,
    otherwise: "NOT_ACCEPTED",
    fail: [],
  },
  reach: {
    op: "reach",
    requests: [],
    goal: "enabled",
    state: (look) => (look("p") === 1 ? "enabled" : look("p") === 0 ? "off" : undefined),
    by: { off: Uint8Array.of(6, 0, 0, 0, 6) },
    timeoutMs: 100,
    otherwise: "NOT_ACCEPTED",
  },
  readBack: { op: "readBack", requests: [], point: "p", operand: 1, raw: (user) => user },
  capture: { op: "capture", requests: [], entries: [["c", "p"]] },
  branch: { op: "branch", requests: [], when: p(1), otherwiseTo: 2 },
  endIf: { op: "endIf", requests: [], when: p(1) },
};

const tail: Instruction = { op: "hold", forMs: 7 };
function programOf(first: Instruction): Program {
  return {
    device: "x",
    verb: "moveTo",
    instructions: [first, tail, tail],
    timeoutMs: 10_000,
    travelFactor: 0,
    toleratesFault: false,
    fault: p(9),
    faultCode: { point: "code", requests: [] },
    result: [],
    resultFlags: [],
  };
}

function runAt(name: string, at: Phase["at"]): Run {
  const role = name === "trigger" ? "trigger" : "level";
  const phase: Phase =
    at === "writing"
      ? { at, role, attempt: 0, forState: name === "reach" ? "off" : null }
      : at === "waiting"
        ? { at, untilMs: nowMs }
        : { at };
  const writes = name === "level" || name === "trigger" || name === "hold";
  const watch = {
    deadlineMs: nowMs + 100,
    met: 0,
    failSinceMs: [],
    writtenFor: null,
    last: "none",
  } as const;
  return {
    program: "operation.moveTo",
    phase,
    pc: 0,
    args: {},
    captures: {},
    deadlineMs: nowMs + 10_000,
    travelMs: 0,
    sent: false,
    moved: false,
    wroteAtMs: nowMs - 100,
    accepted: false,
    unsettled: false,
    watch: writes ? null : watch,
    values: {},
  };
}

/** Which phases an instruction can be in: a write is never read, a hold never written. */
const possible: { readonly [name: string]: readonly Phase["at"][] } = {
  level: ["ready", "writing", "ended"],
  trigger: ["ready", "writing", "ended"],
  hold: ["ready", "waiting", "ended"],
  reach: ["ready", "writing", "reading", "waiting", "faulting", "ended"],
};
const reader: readonly Phase["at"][] = ["ready", "reading", "waiting", "faulting", "ended"];

/** What each cell hands out; a missing cell means nothing. */
const reading = (met: string, unmet: string) => ({
  met,
  unmet,
  faulty: "read",
  empty: "wake",
  stale: "wake",
  readFailed: "wake",
});
const common = {
  faulting: {
    met: "faulted",
    unmet: "faulted",
    faulty: "faulted",
    empty: "faulted",
    stale: "faulted",
    readFailed: "faulted",
  },
  ended: {},
  waiting: { tick: "read", early: "wake" },
};
type Row = { readonly [I in InputName]?: string };
const expected: { readonly [name: string]: { readonly [at: string]: Row } } = {
  level: {
    ready: { tick: "write", early: "write" },
    writing: { acked: "wake", exception: "refused", notSent: "refused", unknown: "write" },
  },
  trigger: {
    ready: { tick: "write", early: "write" },
    writing: { acked: "wake", exception: "faulted", notSent: "refused", unknown: "wake" },
  },
  hold: { ready: { tick: "wake", early: "wake" }, waiting: { tick: "wake", early: "wake" } },
  wait: { ready: { tick: "read", early: "read" }, reading: reading("accepted wake", "wake") },
  reach: {
    ready: { tick: "read", early: "read" },
    writing: { acked: "read", exception: "refused", notSent: "refused", unknown: "write" },
    reading: reading("wake", "write"),
  },
  readBack: { ready: { tick: "read", early: "read" }, reading: reading("wake", "wake") },
  capture: { ready: { tick: "read", early: "read" }, reading: reading("wake", "wake") },
  branch: { ready: { tick: "read", early: "read" }, reading: reading("wake", "wake") },
  endIf: { ready: { tick: "read", early: "read" }, reading: reading("done", "wake") },
};

function outcome(program: Program, run: Run, input: OperationInput): string | undefined {
  const advance = nextOperation(program, run, input);
  return advance?.effects
    .map((effect) => (effect.kind === "end" ? effect.verdict.verdict : effect.kind))
    .join(" ");
}

describe("operation.machine: the full table", () => {
  const cells: [string, Phase["at"], InputName, string | undefined][] = [];
  for (const name of Object.keys(instructions)) {
    for (const at of possible[name] ?? reader) {
      const own = expected[name]?.[at];
      const row: Row = own ?? (common as { readonly [at: string]: Row })[at] ?? {};
      // A fault is refused as long as nothing has been sent.
      for (const input of Object.keys(inputs) as InputName[]) {
        const want = at === "faulting" && row[input] !== undefined ? "refused" : row[input];
        cells.push([name, at, input, want]);
      }
    }
  }
  it("has every instruction in every phase that it can be in, with every input", () => {
    expect(cells).toHaveLength((3 * 3 + 6 + 5 * 5) * 12);
    expect(new Set(cells.map(([, at]) => at))).toEqual(new Set(phases));
  });
  it.each(cells)("%s, %s, %s → %s", (name, at, input, want) => {
    const instruction = instructions[name];
    if (instruction === undefined) throw new TypeError(name);
    expect(outcome(programOf(instruction), runAt(name, at), inputs[input])).toBe(want);
  });
  it("leaves what it is given as it was", () => {
    for (const [name, at, input] of cells) {
      const run = Object.freeze(runAt(name, at));
      const before = JSON.stringify(run);
      nextOperation(programOf(instructions[name] ?? tail), run, inputs[input]);
      expect(JSON.stringify(run)).toBe(before);
    }
  });
});

describe("operation.machine: bounds", () => {
  const answer = (run: Run, name: string, input: OperationInput) =>
    nextOperation(programOf(instructions[name] ?? tail), run, input);

  it("the whole operation's deadline ends it before the next instruction", () => {
    const run = { ...runAt("level", "writing"), deadlineMs: nowMs };
    const end = answer(run, "level", inputs.acked)?.effects[0];
    expect(end).toMatchObject({ verdict: { verdict: "faulted", code: "NOT_DONE_IN_TIME" } });
  });

  it("a level write whose reply is lost twice ends", () => {
    const first = answer(runAt("level", "writing"), "level", inputs.unknown);
    if (first === undefined) throw new TypeError("no step");
    const second = answer(first.run, "level", inputs.unknown)?.effects[0];
    expect(second).toMatchObject({ verdict: { verdict: "faulted", code: "DEVICE_UNREACHABLE" } });
  });

  it("after a trigger a level write that was not sent is sent once more, then faulted", () => {
    const run = { ...runAt("level", "writing"), moved: true, sent: true };
    const first = answer(run, "level", inputs.notSent);
    expect(first?.effects[0]).toMatchObject({ kind: "write" });
    if (first === undefined) throw new TypeError("no step");
    const second = answer(first.run, "level", inputs.notSent)?.effects[0];
    expect(second).toMatchObject({ verdict: { verdict: "faulted", code: "DEVICE_UNREACHABLE" } });
  });

  it("pauses between reads and bounds every look", () => {
    expect(pollMs).toBeLessThanOrEqual(20);
    expect(lookTimeoutMs).toBeLessThanOrEqual(1000);
  });
});

/** A small repeatable source of numbers. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe("operation.machine: random answers of a device", () => {
  const models: readonly [string, DeviceModel][] = [
    ["kinco/fd5p", servo()],
    ["robotiq/2f", gripper()],
    ["abb/drives-profile", conveyor("guarded")],
  ];
  const args = { position: 50, distance: 5, velocity: 10, width: 20 };

  function begun(model: DeviceModel): OperationState[] {
    // Readings that allow everything: the raw words are all good, whatever the profile.
    const good = [0x8027, 0x31, 0x0207];
    const states: OperationState[] = [];
    for (const verb of model.verbs) {
      const taken = ["moveTo", "moveBy", "velocity"].includes(verb);
      const wanted = { moveTo: ["position", "velocity"], moveBy: ["distance", "velocity"] };
      const names =
        model.kind === "gripper" ? ["width"] : (wanted[verb as "moveTo"] ?? ["velocity"]);
      const given = taken ? Object.fromEntries(names.map((n) => [n, args[n as "width"]])) : {};
      const points = new Map(
        model.pollFull.flatMap((request) =>
          request.points.map(
            (name) => [name, { ok: true as const, value: 0 as number, atMs: 1 }] as const,
          ),
        ),
      );
      for (const value of good) {
        points.set("statusword", { ok: true, value, atMs: 1 });
        points.set("gripperStatus", { ok: true, value: 0x31, atMs: 1 });
        const start = model.begin({ verb, args: given, nowMs: 0, points });
        if (start.ok) states.push(start.state);
      }
    }
    for (const stopClass of stopClasses) {
      const state = model.beginStop(stopClass, 0);
      if (state !== undefined) states.push(state);
    }
    return states;
  }

  it.each(models)("%s: every run ends in bounded time, with one trigger at most", (_, model) => {
    const random = seeded(7);
    const starts = begun(model);
    expect(starts.length).toBeGreaterThan(6);
    const verdicts = new Set<string>();
    for (const start of starts) {
      for (let round = 0; round < 60; round++) {
        const { verdict, triggers, atMs } = play(model, start, random);
        verdicts.add(verdict);
        expect(triggers).toBeLessThanOrEqual(1);
        expect(atMs).toBeLessThan(200_000);
      }
    }
    expect([...verdicts]).toEqual(expect.arrayContaining(["done", "faulted", "refused"]));
  });

  function play(model: DeviceModel, start: OperationState, random: () => number) {
    let now = 0;
    let state = start;
    let input: OperationInput = { kind: "tick", nowMs: now };
    let triggers = 0;
    // A mood per round, so that some devices mostly answer and some mostly do not.
    const bad = random() * random() * 0.5;
    for (let turn = 0; turn < 100_000; turn++) {
      const step = model.next(state, input);
      if (step === undefined) throw new TypeError("a run is stuck");
      state = step.state;
      expect(step.effects.filter((effect) => effect.kind !== "accepted")).toHaveLength(1);
      const effect = step.effects.at(-1);
      if (effect?.kind === "end") return { verdict: effect.verdict.verdict, triggers, atMs: now };
      now += 1 + Math.floor(random() * 4);
      if (effect?.kind === "write") {
        if (effect.role === "trigger") triggers++;
        const outcomes = ["unknown", "notSent", "exception"] as const;
        const outcome = random() > bad ? "acked" : (outcomes[Math.floor(random() * 3)] ?? "acked");
        input = { kind: "wrote", nowMs: now, outcome, exception: 4 };
      } else if (effect?.kind === "read") {
        const words = [
          0, 0x31, 0x39, 0xb9, 0xf9, 0x8027, 0x9427, 0x8427, 0x1027, 0x40, 0x21, 0x207, 0x307,
        ];
        const pick = () => words[Math.floor(random() * words.length)] ?? 0;
        const values = new Map(
          effect.requests.flatMap((one) =>
            one.points.map((name) => {
              const raw = name.startsWith("actual") || name === "positionEcho";
              if (name === "mode") return [name, random() < 0.5 ? 1 : 6] as const;
              if (name === "faultStatus") return [name, 0] as const;
              return [name, raw ? (random() < 0.5 ? 0 : 50) : pick()] as const;
            }),
          ),
        );
        input =
          random() > bad
            ? { kind: "read", nowMs: now, sentAtMs: now - 0.5, values }
            : { kind: "readFailed", nowMs: now, reason: "timeout" };
      } else if (effect?.kind === "wake") {
        now = Math.max(now, effect.atMs);
        input = { kind: "tick", nowMs: now };
      }
    }
    throw new TypeError("a run has no end");
  }
});
