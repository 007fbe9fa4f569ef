/**
 * What `servocell stop` makes of the two roads' answers.
 *
 * The idea: run directories with the stop sockets that are there, and a gateway that says what it
 * knows; the exit code tells whether an axis of the cell is left that nobody has stopped. It
 * refuses processes and a real gateway (up.test.ts has them).
 */
import { linkSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, expect, it } from "vitest";
import type { CellConfig } from "#kernel/config/cell.js";
import { loadCell } from "#kernel/config/cell-file.js";
import { snapshotPath, writeSnapshot } from "#kernel/config/cell-snapshot.js";
import { packageVersion } from "#kernel/edge/process.js";
import { openStopDoor } from "#kernel/edge/stop-door.js";
import { stopPath, supervisorPath } from "#kernel/run-dir.js";
import type { StopDelivery } from "../../../services/cli/client.js";
import { stop } from "../../../services/cli/stop-command.js";
import { keptLog } from "../../fixtures/kept-log.js";

const log = keptLog();
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A driver that takes every stop and stands, once `onStop` lets it. */
async function driver(
  runDir: string,
  axis: string,
  onStop: () => Promise<void> = async () => undefined,
): Promise<void> {
  const door = await openStopDoor({ path: stopPath(runDir, axis), newId: () => "made", log });
  ends.push(() => door.close());
  let standing: Promise<void> | undefined;
  door.onOrder((_kind, { id }, answer) => {
    const ack = { v: 1, ts: 1, bootId: "b", axis, id, latched: true } as const;
    answer({ ...ack, status: "received" });
    standing ??= onStop();
    void standing.then(() => answer({ ...ack, status: "confirmed", position: 1.5 }));
  });
}

const base = "http://127.0.0.1:28899/api/v1";

/** A cell of the axes x and z; read once, because profiles take their time. */
let cell: CellConfig;
beforeAll(() => {
  const dir = mkdtempSync(join(tmpdir(), "stop-cell-"));
  const axis = `axis: { kind: linear, countsPerRev: 10000, pitch: 5 mm, travel: [0 mm, 400 mm],
      velocityMax: 200 mm/s, accelerationMax: 2000 mm/s2, whenOff: stays }`;
  const file = join(dir, "cell.yaml");
  writeFileSync(
    file,
    `servocell: 1
cell: { name: stopped, prefix: test }
brokerPort: 28898
gateway: { port: 28899 }
buses: { net: { tcp: "127.0.0.1:9" } }
devices:
  x: { profile: kinco/fd5p, bus: net, unit: 1, ${axis} }
  z: { profile: kinco/fd5p, bus: net, unit: 2, ${axis} }
`,
  );
  const loaded = loadCell(file);
  rmSync(dir, { recursive: true });
  if (!loaded.ok) throw new Error("the cell file of this test is faulty");
  cell = loaded.value;
});

function cellIn(runDir: string, port = 28899): CellConfig {
  return { ...cell, runDir, gateway: { ...cell.gateway, port } };
}

function runDirOf(listed?: { readonly port?: number }): string {
  const runDir = mkdtempSync(join(tmpdir(), "stop-command-"));
  ends.push(() => rmSync(runDir, { recursive: true }));
  if (listed !== undefined) {
    writeSnapshot(snapshotPath(runDir), packageVersion(), cellIn(runDir, listed.port));
  }
  return runDir;
}

/** A socket file on which nobody accepts, as a killed process leaves it. */
async function leftSocket(path: string): Promise<void> {
  const kept = `${path}.kept`;
  const server = createServer();
  await new Promise<void>((done) => server.listen(path, done));
  linkSync(path, kept);
  await new Promise((done) => server.close(done));
  renameSync(kept, path);
}

/** The supervisor lives, whatever has become of its drivers. */
async function supervised(runDir: string): Promise<void> {
  const server = createServer((socket) => void socket.on("error", () => socket.destroy()));
  await new Promise<void>((done) => server.listen(supervisorPath(runDir), done));
  ends.push(() => new Promise((done) => server.close(done)));
}

async function stopIn(
  runDirs: readonly string[],
  axes: StopDelivery["axes"] | undefined,
  config?: CellConfig,
) {
  const lines: string[] = [];
  const say = (line: string) => void lines.push(line);
  const delivered = axes?.every(({ status }) => status !== "notDelivered") === true;
  const answer = { delivered, text: "what the gateway says", axes: axes ?? [] };
  const api = {
    base,
    stop: () => (axes === undefined ? Promise.reject(new Error("gone")) : Promise.resolve(answer)),
  };
  const code = await stop({ kind: "stop", id: "s1", api, runDirs, config, log, say });
  return { code, lines };
}

/** One cell whose services were started by `up`, or one by one. */
async function stopped(
  sockets: readonly string[],
  axes: StopDelivery["axes"] | undefined,
  listed?: { readonly port?: number },
) {
  const runDir = runDirOf(listed);
  for (const axis of sockets) await driver(runDir, axis);
  return stopIn([runDir], axes);
}

const text = "not delivered: use the hardware stop";
const [atX, atZ] = ["x: stop confirmed at 1.50", "z: stop confirmed at 1.50"];

it("a driver without a socket that the gateway did not reach either: told, exit 1", async () => {
  const { code, lines } = await stopped(
    ["x"],
    [
      { axis: "x", status: "confirmed" },
      { axis: "z", status: "notDelivered", text },
    ],
  );
  expect(lines).toEqual([atX, `z: stop notDelivered: ${text}`]);
  expect(code).toBe(1);
});

it("the same where the gateway gives no text of its own", async () => {
  const { code, lines } = await stopped(["x"], [{ axis: "z", status: "notDelivered" }]);
  expect(lines).toContain(`z: stop notDelivered: ${text}`);
  expect(code).toBe(1);
});

it("the same where the cell is known: told once", async () => {
  const missed = [{ axis: "z", status: "notDelivered", text }] as const;
  expect(await stopped(["x"], [...missed], {})).toEqual({ code: 1, lines: [atX, `z: ${text}`] });
});

it("an axis that only the gateway has missed has been stopped by the local road: exit 0", async () => {
  const missed = [{ axis: "x", status: "notDelivered", text }] as const;
  const { code, lines } = await stopped(["x", "z"], [...missed], {});
  expect(lines).toEqual([atX, atZ]);
  expect(code).toBe(0);
});

it("an axis without a socket that the gateway has reached: exit 0", async () => {
  const { code, lines } = await stopped(["x"], [{ axis: "z", status: "received" }], {});
  expect(lines).toEqual([atX, "z: stop received"]);
  expect(code).toBe(0);
});

it("an axis without a socket that the gateway of another cell has reached: exit 1", async () => {
  const { code, lines } = await stopped(["x"], [{ axis: "z", status: "received" }], { port: 80 });
  expect(lines).toEqual([atX, `z: ${text}`]);
  expect(code).toBe(1);
});

it("no gateway: the local road decides, and its absence is told", async () => {
  const { code, lines } = await stopped(["x"], undefined);
  expect(lines).toContain("the gateway did not take part: gone");
  expect(code).toBe(0);
});

it("no gateway, and a driver of the cell is between two starts: told, exit 1", async () => {
  const { code, lines } = await stopped(["x"], undefined, {});
  expect(lines).toEqual([atX, `z: ${text}`, "the gateway did not take part: gone"]);
  expect(code).toBe(1);
});

it("the same where the services were started one by one and the cell file is named", async () => {
  const runDir = runDirOf();
  await driver(runDir, "x");
  const { code, lines } = await stopIn([runDir], undefined, cellIn(runDir));
  expect(lines).toContain(`z: ${text}`);
  expect(code).toBe(1);
});

it("a driver that comes back while the others are told gets the stop too", async () => {
  const runDir = runDirOf({});
  // X stands when Z has been told, so that the others are waited for however slow this PC is.
  await driver(runDir, "x", () => {
    return new Promise((told) => void driver(runDir, "z", async () => told()));
  });
  const { code, lines } = await stopIn([runDir], undefined);
  expect(lines).toEqual([atX, atZ, "the gateway did not take part: gone"]);
  expect(code).toBe(0);
});

it("an axis that its gateway has missed is not stopped by its namesake of another cell", async () => {
  const [ours, other] = [runDirOf({}), runDirOf({ port: 80 })];
  await driver(ours, "z");
  for (const axis of ["x", "z"]) await driver(other, axis);
  const missed = [{ axis: "x", status: "notDelivered", text }] as const;
  const { code, lines } = await stopIn([ours, other], [...missed]);
  expect(lines).toEqual([`x: ${text}`, atZ, atX, atZ]);
  expect(code).toBe(1);
});

it("a cell all of whose drivers are between two starts, beside one that stands: exit 1", async () => {
  const [ours, other] = [runDirOf({}), runDirOf({ port: 80 })];
  await supervised(other);
  const reached = (["x", "z"] as const).map((axis) => ({ axis, status: "confirmed" as const }));
  const { code, lines } = await stopIn([ours, other], reached);
  expect(lines).toEqual([
    ...[`x: ${text}`, `z: ${text}`],
    ...["x: stop confirmed", "z: stop confirmed", "what the gateway says"],
  ]);
  expect(code).toBe(1);
});

it("what a killed cell has left is told and counts nothing", async () => {
  const [ours, left] = [runDirOf({}), runDirOf({ port: 80 })];
  for (const axis of ["x", "z"]) await driver(ours, axis);
  for (const axis of ["x", "z"]) await leftSocket(stopPath(left, axis));
  const { code, lines } = await stopIn([ours, left], undefined);
  const told = `${left}: left by a cell that has ended`;
  expect(lines).toEqual([atX, atZ, told, "the gateway did not take part: gone"]);
  expect(code).toBe(0);
});

it("the same sockets while its supervisor lives: its axes are not stopped", async () => {
  const [ours, left] = [runDirOf({}), runDirOf({ port: 80 })];
  for (const axis of ["x", "z"]) await driver(ours, axis);
  for (const axis of ["x", "z"]) await leftSocket(stopPath(left, axis));
  await supervised(left);
  const { code, lines } = await stopIn([ours, left], undefined);
  expect(lines.slice(2, 4)).toEqual([`x: ${text}`, `z: ${text}`]);
  expect(code).toBe(1);
});

it("a supervisor whose list of devices is another version's: said, exit 1", async () => {
  const runDir = runDirOf();
  writeFileSync(snapshotPath(runDir), JSON.stringify({ snapshot: 1, version: "0.0.0-other" }));
  await supervised(runDir);
  await driver(runDir, "x");
  const { code, lines } = await stopIn([runDir], undefined);
  expect(lines[1]).toBe(`${runDir}: its other axes cannot be read: use the hardware stop for them`);
  expect(code).toBe(1);
});

it("only leftovers and no gateway: nobody was reached", async () => {
  const left = runDirOf({});
  await leftSocket(stopPath(left, "x"));
  await expect(stopIn([left], undefined)).rejects.toThrow("reached no driver");
});
