/**
 * Commands that fit the schema of their topic and mean nothing: the services answer and go on.
 *
 * The idea: the real coordinator and the real driver in fake time, each given commands whose
 * arguments are spoiled; every one is answered with a code of the registry, nothing breaks, and
 * nothing moves. It refuses commands that the router would not let through.
 */
import fc from "fast-check";
import { afterEach, expect, test, vi } from "vitest";
import type { SagaDefinition } from "#kernel/config/saga.js";
import type { Command } from "#kernel/contract/payloads.js";
import { type TopicKey, topics } from "#kernel/contract/topics.js";
import { errors } from "#kernel/errors.js";
import { isTooDeep } from "#kernel/json-depth.js";
import type { Message } from "#kernel/ports.js";
import { readJson } from "#kernel/stop-order.js";
import {
  CoordinatorCell,
  cellConfig,
  move,
  saga,
  step,
  useFakeClock,
} from "../../fixtures/coordinator/coordinator-cell.js";
import { Rig } from "../../fixtures/driver/rig.js";
import { type Change, changed, changeWith, jsonOf, oddValue } from "../../fixtures/odd-values.js";
import { outside } from "../../fixtures/outside.js";

afterEach(() => {
  vi.useRealTimers();
});

type Args = Command["args"];
const changes = fc.array(changeWith(oddValue), { minLength: 1, maxLength: 3 });

/** The arguments after the changes, as they come out of JSON; undefined: refused at the door. */
function spoiled(key: TopicKey, args: Args, what: readonly Change[]): Command | undefined {
  const right = {
    v: 1,
    id: "C1",
    ts: Date.now(),
    ttlMs: 2000,
    by: { user: "ann", role: "operator" },
    replyTo: "client",
  };
  const text = jsonOf({ ...right, args: changed(args, what) });
  if (isTooDeep(text)) return undefined;
  const checked = topics[key].schema.safeParse(readJson(text));
  return checked.success ? (checked.data as Command) : undefined;
}

const ask = step("which", {
  action: { kind: "ask", text: "Which?", choices: ["left", "right"] },
  timeoutMs: 600_000,
});
const asks = saga("asks", ["y"], [ask, move("go", "y", 5)]);
const drill: SagaDefinition = {
  ...saga("drill", ["x"], [move("down", "x", 5)]),
  inputs: {
    depth: { kind: "number", unit: "mm", min: 0, max: 50 },
    tray: { kind: "text", choices: ["left", "right"], default: "left" },
  },
};

const toCoordinator: readonly (readonly ["runCommand" | "cellCommand", string, Args])[] = [
  ["runCommand", "start", { saga: "drill", run: "r2", inputs: { depth: 5, tray: "left" } }],
  ["runCommand", "start", { saga: "drill", run: "run-asks", wait: true, inputs: { depth: 5 } }],
  ["runCommand", "cancel", { run: "run-asks" }],
  ["runCommand", "abandon", { run: "run-asks", text: "why" }],
  ["runCommand", "skip", { run: "run-asks", text: "why" }],
  ["runCommand", "resolve", { run: "run-asks", text: "why" }],
  ["runCommand", "answer", { run: "run-asks", step: "which", choice: "left" }],
  ["runCommand", "signal", { run: "run-asks", name: "door" }],
  ["runCommand", "history", { run: "run-asks", after: 0 }],
  ["cellCommand", "reset", { stops: ["s1", "s2"] }],
  ["cellCommand", "mode", { mode: "Production" }],
  ["cellCommand", "exclude", { device: "x", text: "why" }],
  ["cellCommand", "include", { device: "x" }],
  ["cellCommand", "hold", {}],
];

/** Gives one command to the coordinator as the broker would, and waits for its answer. */
async function askCoordinator(
  cell: CoordinatorCell,
  key: "runCommand" | "cellCommand",
  verb: string,
  command: Command,
): Promise<void> {
  const message = { levels: { verb }, payload: command, retained: false };
  const before = cell.responses.length;
  for (const { subscriptions } of cell.links) {
    for (const sub of subscriptions) {
      if (sub.key !== key || !sub.filter.endsWith(`/${verb}`)) continue;
      await sub.handler(message as unknown as Message<TopicKey>);
    }
  }
  await cell.run(50);
  const [answer, ...twice] = cell.responses.slice(before);
  expect(twice).toEqual([]);
  expect(answer?.id).toBe(command.id);
  if (answer?.error !== undefined) expect(Object.keys(errors)).toContain(answer.error.code);
  expect(answer?.error?.code).not.toBe("INTERNAL");
}

async function readyCell(): Promise<CoordinatorCell> {
  useFakeClock();
  const cell = new CoordinatorCell(cellConfig(["x", "y"], [drill, asks]));
  await cell.start();
  await cell.startRun("asks");
  await cell.run(100);
  return cell;
}

/** Rejections that nobody awaits: in a service they end the process. */
function strayRejections(): { readonly found: unknown[]; done(): void } {
  const found: unknown[] = [];
  const note = (thrown: unknown) => void found.push(thrown);
  const before = process.listeners("unhandledRejection");
  process.removeAllListeners("unhandledRejection");
  process.on("unhandledRejection", note);
  return {
    found,
    done: () => {
      process.off("unhandledRejection", note);
      for (const listener of before) process.on("unhandledRejection", listener);
    },
  };
}

async function withoutStrays(body: () => Promise<void>): Promise<void> {
  const stray = strayRejections();
  try {
    await body();
    await new Promise((resolve) => process.nextTick(resolve));
    expect(stray.found).toEqual([]);
  } finally {
    stray.done();
  }
}

outside(
  "coordinator commands",
  "every command is answered, with a code of the registry where it is refused",
  fc.asyncProperty(fc.constantFrom(...toCoordinator), changes, async ([key, verb, args], what) => {
    await withoutStrays(async () => {
      const cell = await readyCell();
      const command = spoiled(key, args, what);
      if (command === undefined) return;
      await askCoordinator(cell, key, verb, command);
    });
  }),
  { runs: 50 },
);

test.each(toCoordinator)("%s %s as it should be is answered", async (key, verb, args) => {
  await withoutStrays(async () => {
    const cell = await readyCell();
    const command = spoiled(key, args, []);
    if (command === undefined) expect.fail("the command does not fit its schema");
    await askCoordinator(cell, key, verb, command);
  });
});

test.each([
  ["runCommand", "start", { saga: { toString: 1 } }],
  ["runCommand", "start", { saga: "drill", inputs: { depth: 1, tray: { toString: 1 } } }],
  ["runCommand", "cancel", { run: { toString: 1 } }],
  ["runCommand", "answer", { run: "run-asks", step: { toString: 1 }, choice: { toString: 1 } }],
  ["runCommand", "signal", { run: "run-asks", name: { toString: 1 } }],
  ["runCommand", "history", { run: "run-asks", after: { valueOf: 1, toString: 1 } }],
  ["cellCommand", "reset", { stops: [{ toString: 1 }] }],
  ["cellCommand", "exclude", { device: { toString: 1 } }],
] as const)("%s %s that names what has no text is refused: %j", async (key, verb, args) => {
  await withoutStrays(async () => {
    const cell = await readyCell();
    const command = spoiled(key, args as unknown as Args, []);
    if (command === undefined) expect.fail("the command does not fit its schema");
    await askCoordinator(cell, key, verb, command);
  });
});

const toDriver: readonly (readonly [string, Args])[] = [
  ["moveTo", { position: 10, velocity: 20 }],
  ["velocity", { velocity: 20 }],
  ["enable", {}],
  ["lease", { holder: "coordinator", bootId: "b" }],
  ["query", { id: "C0" }],
  ["reset", { stops: ["s1"] }],
  ["release-lease", {}],
  ["constructor", { position: 1 }],
  ["__proto__", {}],
];
const lease = fc.option(fc.record({ holder: fc.constant("coordinator"), epoch: fc.nat(3) }), {
  nil: undefined,
});

outside(
  "driver commands",
  "every command is answered, and without the lease no frame that moves leaves",
  fc.asyncProperty(
    fc.constantFrom(...toDriver),
    changes,
    lease,
    fc.boolean(),
    async ([verb, args], what, given, isLent) => {
      await withoutStrays(async () => {
        vi.useFakeTimers();
        const rig = new Rig();
        await rig.ready();
        if (isLent) await rig.lease();
        const command = spoiled("axisCommand", args, what);
        const before = rig.writes().length;
        if (command === undefined) return;
        const payload = { ...command, ...(given === undefined ? {} : { lease: given }) };
        await rig.now.main.deliver("axisCommand", { axis: "x", verb }, payload);
        await rig.advance(200);
        expect(rig.last(command.id)).toBeDefined();
        for (const { error } of rig.answers(command.id)) {
          if (error === undefined) continue;
          expect(Object.keys(errors)).toContain(error.code);
          expect(error.code).not.toBe("INTERNAL");
        }
        if (!isLent) expect(rig.writes()).toHaveLength(before);
        await rig.end();
      });
    },
  ),
  { runs: 50 },
);
