/**
 * `servocell stop`, `read` and `scan` beside run directories in which somebody has put things that
 * no cell leaves there.
 *
 * The idea: a pipe in the place of a file keeps for ever whoever opens it as a file. It refuses a
 * whole cell (up.test.ts has one): a stop door stands for a driver.
 */
import { execFileSync, spawn } from "node:child_process";
import { chownSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import { snapshotPath } from "#kernel/config/cell-snapshot.js";
import { openStopDoor } from "#kernel/edge/stop-door.js";
import { busOwnerPath, lanePath, stopPath, supervisorPath } from "#kernel/run-dir.js";
import { runDirsHere } from "../../../services/cli/running-cells.js";
import { ownTmpdir, run, script } from "../../fixtures/cabinet.js";
import { keptLog } from "../../fixtures/kept-log.js";

const { uid } = userInfo();
const ends: (() => unknown)[] = [];
let folder: string;
beforeAll(() => {
  folder = ownTmpdir();
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

function runDir(name: string): string {
  const dir = join(tmpdir(), `servocell-${uid}-${name}`);
  mkdirSync(dir);
  ends.push(() => rmSync(dir, { recursive: true }));
  return dir;
}

function withPipe(name: string): string {
  const dir = runDir(name);
  execFileSync("mkfifo", [snapshotPath(dir)]);
  return dir;
}

async function accept(path: string): Promise<void> {
  const server = createServer((socket) => void socket.on("error", () => socket.destroy()));
  await new Promise<void>((done) => server.listen(path, done));
  ends.push(() => new Promise((done) => server.close(done)));
}

it("stop, beside a pipe in the place of a snapshot: the order arrives, the command ends", async () => {
  const [ours, other] = [runDir("a"), withPipe("b")];
  writeFileSync(stopPath(other, "y"), "");
  const door = await openStopDoor({
    path: stopPath(ours, "x"),
    newId: () => "made",
    log: keptLog(),
  });
  ends.push(() => door.close());
  const arrived = new Promise<void>((resolve) => {
    door.onOrder((_kind, { id }, answer) => {
      const ack = { v: 1, ts: 1, bootId: "b", axis: "x", id, latched: true } as const;
      answer({ ...ack, status: "confirmed", position: 1.5 });
      resolve();
    });
  });
  const child = spawn(process.execPath, [script, "stop"], { stdio: "ignore" });
  const exit = new Promise<number | null>((resolve) => child.once("exit", resolve));
  ends.push(() => child.kill("SIGKILL"));
  await arrived;
  expect(await exit).toBe(0);
}, 60_000);

it("read and scan beside such a pipe: the supervisor there answers, so they are refused", async () => {
  const dir = withPipe("c");
  await accept(supervisorPath(dir));
  for (const order of [
    ["read", "127.0.0.1:9", "3:0:1", "--unit", "1"],
    ["scan", "127.0.0.1:9", "--units", "4", "--timeout", "20"],
  ]) {
    const { code, err } = await run(...order);
    expect({ code, err }).toMatchObject({ code: 1, err: expect.stringContaining(dir) });
  }
}, 150_000);

it("the same where the pipe is in the place of the word on who serves a bus", async () => {
  const dir = runDir("d");
  execFileSync("mkfifo", [busOwnerPath(dir, "net")]);
  await accept(lanePath(dir, "net", "poll"));
  const { code, err } = await run("read", "127.0.0.1:9", "3:0:1", "--unit", "1");
  expect({ code, err }).toMatchObject({ code: 1, err: expect.stringContaining(dir) });
}, 90_000);

it.runIf(uid === 0)("a directory of another user under a name of ours is none of ours", () => {
  const [ours, other] = [runDir("e"), runDir("f")];
  chownSync(other, 65534, 65534);
  expect(runDirsHere(uid)).toEqual([ours]);
  expect([...runDirsHere()].sort()).toEqual([ours, other]);
});
