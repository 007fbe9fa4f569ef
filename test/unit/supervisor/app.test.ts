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
  standBy(): void;
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
    priority: 0,
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
  /** What the start of a service throws. */
  const faults = new Map<string, string>();
  const spawn = ({ service }: ChildSpec): ChildProcess => {
    const fault = faults.get(service);
    if (fault !== undefined) throw new Error(fault);
    const habit = habits[service] ?? "good";
    let onReady = () => {};
    let onStandby = () => {};
    let onExit = (_: LastWords) => {};
    const fake: Fake = {
      service,
      pid: 1,
      onReady: (listener) => {
        onReady = listener;
      },
      onStandby: (listener) => {
        onStandby = listener;
      },
      standAside: () => {
        seen.push(`aside ${service}`);
      },
      onExit: (listener) => {
        onExit = listener;
      },
      ready: () => onReady(),
      standBy: () => onStandby(),
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
  return { supervisor, seen, alive, faults };
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

test("supervisor: a start that throws is one that failed, and nothing else ends with it", async () => {
  const { supervisor, seen, alive, faults } = cell();
  await up(supervisor);
  seen.length = 0;
  faults.set("driver-x", "EMFILE: too many open files");
  const told: string[] = [];
  supervisor.onChange((service, at, last) => told.push(`${service} ${at}: ${last?.text}`));
  alive.get("driver-x")?.exit();
  await vi.advanceTimersByTimeAsync(2_000);
  expect(told).toContain("driver-x waiting: it could not be started: EMFILE: too many open files");
  faults.set("driver-y", "no memory");
  expect(await supervisor.replace("driver-y", 1_000)).toContain("no memory");
  expect(alive.size).toBe(6);
  faults.clear();
  await vi.advanceTimersByTimeAsync(6_000);
  expect(stateOf(supervisor)).toBe("up");
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

test("supervisor: an essential child that is killed while it starts has its full time again (killed after 14 of 15 s)", async () => {
  const { supervisor, alive } = cell({ gateway: "silent" });
  const started = supervisor.start().then(
    () => "up",
    (error: unknown) => error,
  );
  await vi.advanceTimersByTimeAsync(14_000);
  alive.get("gateway")?.exit({ text: "killed" });
  await vi.advanceTimersByTimeAsync(10_000);
  alive.get("gateway")?.ready();
  await vi.advanceTimersByTimeAsync(10);
  expect(await started).toBe("up");
});

test("supervisor: an essential child that never gets ready fails the start at its limit", async () => {
  const { supervisor } = cell({ gateway: "silent" });
  const started = supervisor.start().catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(15_300);
  expect(await Promise.race([started, Promise.resolve("waits")])).toMatchObject({
    message: expect.stringContaining("The gateway did not start"),
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

async function replacing(limitMs = 60_000) {
  const habits: { [service: string]: Habit } = {};
  const { supervisor, seen, alive } = cell(habits);
  await up(supervisor);
  habits["driver-x"] = "silent";
  const old = alive.get("driver-x");
  seen.length = 0;
  const done = supervisor.replace("x", limitMs);
  await vi.advanceTimersByTimeAsync(1);
  const successor = alive.get("driver-x");
  if (old === undefined || successor === undefined) throw new Error("no driver");
  return { supervisor, seen, old, successor, done };
}
const stateOf = (supervisor: Supervisor) =>
  supervisor.status().find(({ service }) => service === "driver-x")?.at;

test("interleaving 18: the new process stands by before the old one is asked to go", async () => {
  const { supervisor, seen, old, successor, done } = await replacing();
  expect(seen).toEqual(["+ driver-x"]);
  successor.standBy();
  await vi.advanceTimersByTimeAsync(1);
  expect(seen).toEqual(["+ driver-x", "aside driver-x"]);
  // The axis moves for as long as it likes: nothing is ended meanwhile.
  await vi.advanceTimersByTimeAsync(30_000);
  expect(seen).toEqual(["+ driver-x", "aside driver-x"]);
  old.exit();
  await vi.advanceTimersByTimeAsync(1);
  successor.ready();
  expect(await done).toBeUndefined();
  expect(stateOf(supervisor)).toBe("up");
  // From here on it is a child like any other: it is started again when it dies.
  successor.exit();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(seen.filter((line) => line === "+ driver-x").length).toBe(2);
});

test("an axis that is needed to the limit keeps its driver; the new process is ended", async () => {
  const { supervisor, seen, successor, done } = await replacing(5_000);
  successor.standBy();
  await vi.advanceTimersByTimeAsync(5_100);
  expect(await done).toContain("still needed");
  // Asked again, the old one stays.
  expect(seen.filter((line) => line === "aside driver-x").length).toBe(2);
  expect(seen).toContain("kill driver-x");
  expect(stateOf(supervisor)).toBe("up");
});

test("a new process that dies before it stands by leaves the old one alone", async () => {
  const { supervisor, seen, successor, done } = await replacing();
  successor.exit({ text: "a broken build" });
  await vi.advanceTimersByTimeAsync(1);
  expect(await done).toBe("a broken build");
  expect(seen.some((line) => line.startsWith("aside"))).toBe(false);
  expect(stateOf(supervisor)).toBe("up");
});

test("the old one dies while the new one stands by: the new one takes its place at once", async () => {
  const { supervisor, old, successor, done } = await replacing();
  successor.standBy();
  await vi.advanceTimersByTimeAsync(1);
  old.exit({ text: "crashed" });
  await vi.advanceTimersByTimeAsync(1);
  successor.ready();
  expect(await done).toBeUndefined();
  expect(stateOf(supervisor)).toBe("up");
});

test("a new process that never becomes ready is ended and started again", async () => {
  const { supervisor, seen, old, successor, done } = await replacing();
  successor.standBy();
  await vi.advanceTimersByTimeAsync(1);
  old.exit();
  await vi.advanceTimersByTimeAsync(16_000);
  expect(await done).toContain("not ready");
  expect(seen).toContain("kill driver-x");
  expect(["up", "starting", "waiting"]).toContain(stateOf(supervisor));
});

test("what is not there, not up, or being replaced is refused by name", async () => {
  const { supervisor, successor, done, old } = await replacing();
  expect(await supervisor.replace("q", 1000)).toContain("no service or device q");
  expect(await supervisor.replace("driver-x", 1000)).toContain("being replaced already");
  successor.standBy();
  old.exit();
  await vi.advanceTimersByTimeAsync(1);
  successor.ready();
  await done;
});
