/**
 * The life of a service: starting, ready, draining, stopped.
 * The idea: time is faked; every way to end comes to one exit. It refuses real processes.
 */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { App } from "#kernel/ports.js";
import { drainMaxMs, ServiceLife } from "#kernel/service.js";
import { keptLog } from "../../fixtures/kept-log.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function life(app: Partial<App>) {
  const told: string[] = [];
  const whole: App = {
    start: app.start ?? (async () => undefined),
    ...(app.isIdle === undefined ? {} : { isIdle: app.isIdle }),
    stop: async (reason) => {
      told.push(`stop: ${reason}`);
      await app.stop?.(reason);
    },
  };
  const service = new ServiceLife(whole, {
    log: keptLog(),
    ready: () => void told.push("ready"),
    exit: (code) => void told.push(`exit ${code}`),
  });
  return { service, told };
}

it("ready is told once; the end drains, then exits with 0", async () => {
  const { service, told } = life({});
  await service.start();
  expect(service.state).toBe("ready");
  await service.end("SIGTERM");
  await service.end("supervisor gone");
  expect(told).toEqual(["ready", "stop: SIGTERM", "exit 0"]);
  expect(service.state).toBe("stopped");
});

it("a start that fails drains what was begun and exits with 1", async () => {
  const { service, told } = life({ start: () => Promise.reject(new Error("no")) });
  await service.start();
  expect(told).toEqual(["stop: the start failed", "exit 1"]);
});

it("what it cannot do without is gone: it ends in order, and as failed, once", async () => {
  const { service, told } = life({});
  await service.start();
  await service.fail(new Error("the store is dead"));
  await service.end("SIGTERM");
  expect(told).toEqual(["ready", "stop: it cannot go on", "exit 1"]);
});

it("an end during the start is obeyed, and ready is never told", async () => {
  let started: () => void = () => undefined;
  const { service, told } = life({
    start: () =>
      new Promise<void>((resolve) => {
        started = resolve;
      }),
  });
  const starting = service.start();
  await service.end("SIGTERM");
  started();
  await starting;
  expect(told).toEqual(["stop: SIGTERM", "exit 0"]);
});

it("a drain that hangs is cut at its bound with 1; one that fails is 1 too", async () => {
  const hanging = life({ stop: () => new Promise<void>(() => undefined) });
  await hanging.service.start();
  const ending = hanging.service.end("SIGTERM");
  await vi.advanceTimersByTimeAsync(drainMaxMs - 1);
  expect(hanging.told).toEqual(["ready", "stop: SIGTERM"]);
  await vi.advanceTimersByTimeAsync(1);
  await ending;
  expect(hanging.told.at(-1)).toBe("exit 1");
  const failing = life({ stop: () => Promise.reject(new Error("no")) });
  await failing.service.start();
  await failing.service.end("SIGINT");
  expect(failing.told.at(-1)).toBe("exit 1");
});

it("standing aside: it ends when the app is idle, and not before", async () => {
  let idle = false;
  const { service, told } = life({ isIdle: () => idle });
  await service.start();
  service.standAside();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(told).toEqual(["ready"]);
  idle = true;
  await vi.advanceTimersByTimeAsync(20);
  expect(told).toEqual(["ready", "stop: another start takes over", "exit 0"]);
});

it("standing aside, asked again: it stays, however idle it is", async () => {
  let idle = false;
  const { service, told } = life({ isIdle: () => idle });
  await service.start();
  service.standAside();
  await vi.advanceTimersByTimeAsync(1_000);
  service.standAside();
  idle = true;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(told).toEqual(["ready"]);
});

it("standing aside: an app that says nothing of itself may always end", async () => {
  const { service, told } = life({});
  await service.start();
  service.standAside();
  await vi.advanceTimersByTimeAsync(20);
  expect(told).toEqual(["ready", "stop: another start takes over", "exit 0"]);
});
