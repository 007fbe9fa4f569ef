/**
 * What `servocell stop` does first.
 *
 * The idea: everything that is not the stop itself is noted beside it, in the order in which it
 * happens. It refuses to look at answers (stop-command.test.ts does).
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import { stopPath } from "#kernel/run-dir.js";
import { stop } from "../../../services/cli/stop-command.js";
import { keptLog } from "../../fixtures/kept-log.js";

const { done } = vi.hoisted(() => ({ done: [] as string[] }));
vi.mock("#kernel/config/regular-file.js", () => ({
  readRegularFileSync: (path: string) => {
    done.push(`read ${path}`);
    throw new Error("there is none");
  },
  readRegularFile: async (path: string) => {
    done.push(`read ${path}`);
    throw new Error("there is none");
  },
}));
vi.mock("#kernel/edge/stop-fan-out.js", () => ({
  openStopFanOut: ({ devices }: { readonly devices: readonly string[] }) => ({
    send: () => done.push(`order to ${devices}`),
    onAck: () => undefined,
    close: async () => undefined,
  }),
}));

const dirs: string[] = [];
afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true });
});

it("stop of three cells: the gateway is asked and each driver has its order before a read", async () => {
  for (const axis of ["x", "y", "z"]) {
    const dir = mkdtempSync(join(tmpdir(), "stop-order-"));
    dirs.push(dir);
    writeFileSync(stopPath(dir, axis), "");
  }
  const api = {
    base: "http://127.0.0.1:9/api/v1",
    stop: async () => {
      done.push("gateway");
      return { delivered: false, text: "", axes: [] };
    },
  };
  await stop({
    kind: "stop",
    id: "s1",
    api,
    runDirs: dirs,
    log: keptLog(),
    say: () => undefined,
  });
  const firstRead = done.findIndex((what) => what.startsWith("read "));
  expect(firstRead).toBeGreaterThan(0);
  const before = done.slice(0, firstRead);
  expect(before[0]).toBe("gateway");
  for (const axis of ["x", "y", "z"]) {
    // The first one is written while its socket is still being dialled.
    expect(before.filter((what) => what === `order to ${axis}`)).toHaveLength(2);
  }
});
