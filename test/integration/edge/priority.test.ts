/**
 * The priority of a service's process, on real processes.
 *
 * The idea: what the scheduler is told of a child and of us, read from the system. Where this user
 * may not raise priorities the child has to run all the same. It refuses to time anything.
 */
import { spawnSync } from "node:child_process";
import { getPriority, setPriority } from "node:os";
import { afterAll, beforeAll, expect, test } from "vitest";
import { atPriority, favourSession, mayRaise } from "../../../services/supervisor/priority.js";

const told = () => {
  const script = "process.stdout.write(String(require('node:os').getPriority()))";
  return Number(spawnSync(process.execPath, ["-e", script], { encoding: "utf8" }).stdout);
};

const inherited = getPriority();
// Whoever started the tests may have raised them already.
beforeAll(() => setPriority(Math.max(inherited, 0)));
afterAll(() => {
  if (mayRaise()) setPriority(inherited);
});

test("priority: a child that is started begins with it where it may, and we keep ours", () => {
  const ours = getPriority();
  const child = atPriority(-10, told);
  expect(child).toBe(mayRaise() ? Math.min(ours, -10) : ours);
  expect(getPriority()).toBe(ours);
  expect(told()).toBe(ours);
});

test("priority: a start that fails leaves ours as it was", () => {
  const ours = getPriority();
  const start = () => {
    throw new Error("no such program");
  };
  expect(() => atPriority(-10, start)).toThrow("no such program");
  expect(getPriority()).toBe(ours);
});

test("priority: no more is ever asked for than the service may have: less is no raise", () => {
  const ours = getPriority();
  expect(atPriority(ours + 5, () => getPriority())).toBe(ours);
});

test("priority: a session that is gone, or is not ours, is no failure", () => {
  expect(() => favourSession(2 ** 22 + 1, -10)).not.toThrow();
});
