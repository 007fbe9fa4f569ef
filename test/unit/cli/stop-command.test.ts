/**
 * What `servocell stop` makes of the two roads' answers.
 *
 * The idea: a run directory with the stop sockets that are there, and a gateway that says what it
 * knows; the exit code tells whether an axis of the cell is left that nobody has stopped. It
 * refuses processes and a real gateway (up.test.ts has them).
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { openStopDoor } from "#kernel/edge/stop-door.js";
import { stopPath } from "#kernel/run-dir.js";
import type { StopDelivery } from "../../../services/cli/client.js";
import { stop } from "../../../services/cli/stop-command.js";
import { keptLog } from "../../fixtures/kept-log.js";

const log = keptLog();
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A driver that takes every stop and stands. */
async function driver(runDir: string, axis: string): Promise<void> {
  const door = await openStopDoor({ path: stopPath(runDir, axis), newId: () => "made", log });
  ends.push(() => door.close());
  door.onOrder((_kind, { id }, answer) => {
    const ack = { v: 1, ts: 1, bootId: "b", axis, id, latched: true } as const;
    answer({ ...ack, status: "received" });
    answer({ ...ack, status: "confirmed", position: 1.5 });
  });
}

async function stopped(sockets: readonly string[], axes: StopDelivery["axes"] | undefined) {
  const runDir = mkdtempSync(join(tmpdir(), "stop-command-"));
  ends.push(() => rmSync(runDir, { recursive: true }));
  for (const axis of sockets) await driver(runDir, axis);
  const lines: string[] = [];
  const say = (line: string) => void lines.push(line);
  const delivered = axes?.every(({ status }) => status !== "notDelivered") === true;
  const answer = { delivered, text: "what the gateway says", axes: axes ?? [] };
  const api = {
    stop: () => (axes === undefined ? Promise.reject(new Error("gone")) : Promise.resolve(answer)),
  };
  const code = await stop({ kind: "stop", id: "s1", api, runDirs: [runDir], log, say });
  return { code, lines };
}

const text = "not delivered: use the hardware stop";

it("a driver without a socket that the gateway did not reach either: told, exit 1", async () => {
  const { code, lines } = await stopped(
    ["x"],
    [
      { axis: "x", status: "confirmed" },
      { axis: "z", status: "notDelivered", text },
    ],
  );
  expect(lines).toEqual(["x: stop confirmed at 1.50", `z: stop notDelivered: ${text}`]);
  expect(code).toBe(1);
});

it("the same where the gateway gives no text of its own", async () => {
  const { code, lines } = await stopped(["x"], [{ axis: "z", status: "notDelivered" }]);
  expect(lines).toContain(`z: stop notDelivered: ${text}`);
  expect(code).toBe(1);
});

it("an axis that only the gateway has missed has been stopped by the local road: exit 0", async () => {
  const { code, lines } = await stopped(["x"], [{ axis: "x", status: "notDelivered", text }]);
  expect(lines).toEqual(["x: stop confirmed at 1.50"]);
  expect(code).toBe(0);
});

it("an axis without a socket that the gateway has reached: exit 0", async () => {
  const { code } = await stopped(["x"], [{ axis: "z", status: "received" }]);
  expect(code).toBe(0);
});

it("no gateway: the local road decides, and its absence is told", async () => {
  const { code, lines } = await stopped(["x"], undefined);
  expect(lines).toContain("the gateway did not take part: gone");
  expect(code).toBe(0);
});
