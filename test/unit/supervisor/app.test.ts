/**
 * The supervisor over a fake `spawn`: order, restarts, ending, hurry.
 * The idea: fake children that obey or do not, in virtual time. It refuses real processes.
 */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import {
  buildSupervisor,
  type ChildProcess,
  type LastWords,
  type Supervisor,
} from "../../../services/supervisor/app.js";
import type { ChildSpec } from "../../../services/supervisor/plan.js";

interface Fake extends ChildProcess {
  readonly service: string;
  ready(): void;
  exit(last?: LastWords): void;
}
type Habit = "good" | "silent" | "dies" | "stubborn";

const log = { debug() {}, info() {}, warn() {}, error() {} };

function spec(service: string, startRank: number, endRank: number): ChildSpec {
  return {
    service,
    script: "",
    args: [],
    nodeFlags: [],
    env: {},
    startRank,
    endRank,
    readyWithinMs: 15_000,
    endWithinMs: 3_000,
    essential: !service.startsWith("driver"),
  };
}

const specs = [
  spec("broker", 1, 5),
  spec("simulator", 1, 4),
  spec("bus", 2, 3),
  spec("driver-x", 3, 2),
  spec("driver-y", 3, 2),
  spec("coordinator", 4, 1),
  spec("gateway", 4, 1),
];

function cell(habits: { readonly [service: string]: Habit } = {}) {
  const seen: string[] = [];
  const alive = new Map<string, Fake>();
  const spawn = ({ service }: ChildSpec): ChildProcess => {
    const habit = habits[service] ?? "good";
    let onReady = () => {};
    let onExit = (_: LastWords) => {};
    const fake: Fake = {
      service,
      pid: 1,
      onReady: (listener) => {
        onReady = listener;
      },
      onExit: (listener) => {
        onExit = listener;
      },
      ready: () => onReady(),
      exit: (last = { text: "gone" }) => {
        alive.delete(service);
        seen.push(`- ${service}`);
        onExit(last);
      },
      terminate: () => {
        seen.push(`term ${service}`);
        if (habit !== "stubborn") setTimeout(() => fake.exit(), 10);
      },
      kill: () => {
        seen.push(`kill ${service}`);
        setTimeout(() => fake.exit(), 1);
      },
    };
    seen.push(`+ ${service}`);
    alive.set(service, fake);
    if (habit === "good" || habit === "stubborn") setTimeout(() => onReady(), 50);
    const last: LastWords = { code: "PORT_IN_USE", text: "The port 18830 is used." };
    if (habit === "dies") setTimeout(() => fake.exit(last), 20);
    return fake;
  };
  const supervisor = buildSupervisor({ spawn, log }, { children: specs });
  return { supervisor, seen, alive };
}

async function up(supervisor: Supervisor): Promise<void> {
  const started = supervisor.start();
  await vi.advanceTimersByTimeAsync(1_000);
  await started;
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("supervisor: the cell starts rank by rank (children=7, ranks=4)", async () => {
  const { supervisor, seen } = cell();
  const started = supervisor.start();
  await vi.advanceTimersByTimeAsync(49);
  expect(seen).toEqual(["+ broker", "+ simulator"]);
  await vi.advanceTimersByTimeAsync(1_000);
  await started;
  expect(seen.slice(2)).toEqual([
    "+ bus",
    "+ driver-x",
    "+ driver-y",
    "+ coordinator",
    "+ gateway",
  ]);
  expect(supervisor.status().every((child) => child.at === "up")).toBe(true);
});

test("supervisor: ending goes from those who order to those who are ordered", async () => {
  const { supervisor, seen, alive } = cell();
  await up(supervisor);
  seen.length = 0;
  const stopped = supervisor.stop("SIGTERM");
  await vi.advanceTimersByTimeAsync(1_000);
  await stopped;
  expect(seen.filter((line) => line.startsWith("term"))).toEqual(
    ["coordinator", "gateway", "driver-x", "driver-y", "bus", "simulator", "broker"].map(
      (service) => `term ${service}`,
    ),
  );
  expect(seen.indexOf("- driver-x")).toBeLessThan(seen.indexOf("term bus"));
  expect(alive.size).toBe(0);
});

test("supervisor: a child that dies is started again after 100 ms, then 200 ms", async () => {
  const { supervisor, seen, alive } = cell();
  await up(supervisor);
  seen.length = 0;
  alive.get("driver-x")?.exit();
  await vi.advanceTimersByTimeAsync(95);
  expect(seen).toEqual(["- driver-x"]);
  await vi.advanceTimersByTimeAsync(60);
  expect(seen).toEqual(["- driver-x", "+ driver-x"]);
  alive.get("driver-x")?.exit();
  await vi.advanceTimersByTimeAsync(190);
  expect(seen).toHaveLength(3);
  await vi.advanceTimersByTimeAsync(20);
  expect(seen.at(-1)).toBe("+ driver-x");
});

test("supervisor: an essential child that keeps dying fails the start with its own words", async () => {
  const { supervisor } = cell({ broker: "dies" });
  const started = supervisor.start().catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(await started).toMatchObject({
    code: "PORT_IN_USE",
    message: "The broker did not start: The port 18830 is used.",
  });
});

test("CF-03: one bad driver among five services does not keep the cell down", async () => {
  const { supervisor } = cell({ "driver-y": "silent" });
  const started = supervisor.start();
  await vi.advanceTimersByTimeAsync(14_000);
  expect(supervisor.status().find((child) => child.service === "gateway")?.at).toBe("down");
  await vi.advanceTimersByTimeAsync(2_000);
  await started;
  expect(supervisor.status().find((child) => child.service === "gateway")?.at).toBe("up");
});

test("supervisor: a child that does not obey is killed at its limit (endWithinMs=3000)", async () => {
  const { supervisor, seen } = cell({ "driver-x": "stubborn" });
  await up(supervisor);
  const stopped = supervisor.stop("SIGTERM");
  await vi.advanceTimersByTimeAsync(2_900);
  expect(seen).not.toContain("kill driver-x");
  await vi.advanceTimersByTimeAsync(1_000);
  await stopped;
  expect(seen).toContain("kill driver-x");
  expect(seen.at(-1)).toBe("- broker");
});

test("supervisor: a second signal hurries without changing the order", async () => {
  const { supervisor, seen } = cell({ "driver-x": "stubborn" });
  await up(supervisor);
  const stopped = supervisor.stop("SIGINT");
  await vi.advanceTimersByTimeAsync(100);
  supervisor.hurry();
  await vi.advanceTimersByTimeAsync(1_000);
  await stopped;
  expect(seen.indexOf("kill driver-x")).toBeLessThan(seen.indexOf("term bus"));
  expect(seen.at(-1)).toBe("- broker");
});

test("supervisor: SIGTERM while the cell is still starting ends it", async () => {
  const { supervisor, alive, seen } = cell({ bus: "silent" });
  const started = supervisor.start();
  await vi.advanceTimersByTimeAsync(200);
  const stopped = supervisor.stop("SIGTERM");
  await vi.advanceTimersByTimeAsync(5_000);
  await Promise.all([started, stopped]);
  expect(alive.size).toBe(0);
  expect(seen).not.toContain("+ driver-x");
});
