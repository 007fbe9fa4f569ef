/**
 * scan, read, write and doctor beside a cell that runs on their wire.
 *
 * The idea: a peer that counts proves that nothing goes past the bus of the cell. It refuses a
 * whole cell (up.test.ts has one): a bus service alone, or a snapshot and a socket, stand for it.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { loadCell } from "#kernel/config/cell-file.js";
import { snapshotPath, writeSnapshot } from "#kernel/config/cell-snapshot.js";
import { packageVersion } from "#kernel/edge/process.js";
import { busOwnerPath, lanePath, supervisorPath } from "#kernel/run-dir.js";
import { CountingPeer, cellOn, ownTmpdir, run, script } from "../../fixtures/cabinet.js";

const peer = new CountingPeer();
let folder: string;

beforeAll(async () => {
  folder = ownTmpdir();
  await peer.listen();
});
afterAll(() => {
  peer.close();
  vi.unstubAllEnvs();
});

describe("beside a running cell", () => {
  let runDir: string;
  let file: string;
  let local: Server;
  const writes = () => peer.asked.filter(({ fc }) => fc > 4);
  const accept = (path: string, onBytes: (bytes: Buffer, socket: Socket) => void = () => {}) =>
    new Promise<void>((done) => {
      local = createServer((socket) => {
        socket.on("error", () => socket.destroy());
        socket.on("data", (bytes) => onBytes(bytes, socket));
      });
      local.listen(path, done);
    });

  beforeEach(() => {
    runDir = mkdtempSync(join(tmpdir(), `servocell-${userInfo().uid}-cabinet-`));
    file = join(folder, "running.yaml");
    writeFileSync(file, cellOn(`127.0.0.1:${peer.port}`));
    const loaded = loadCell(file, { runDir });
    if (!loaded.ok) throw new Error("the cell file of this test is faulty");
    writeSnapshot(snapshotPath(runDir), packageVersion(), loaded.value);
  });
  afterEach(async () => {
    await new Promise((done) => local.close(done));
    rmSync(runDir, { recursive: true });
  });

  it("its poll lane answers: a write is refused by device and by wire, nothing is sent", async () => {
    await accept(lanePath(runDir, "net", "poll"));
    const raw = "6:0x3100=0x0006";
    const before = writes().length;
    for (const order of [
      ["x", raw, "--cell", file],
      [`127.0.0.1:${peer.port}`, raw, "--unit", "1"],
      [`rtu:127.0.0.1:${peer.port}`, raw, "--unit", "1"],
    ]) {
      const { code, err } = await run("write", ...order, "--yes");
      expect({ order, code, err }).toMatchObject({
        code: 1,
        err: expect.stringMatching(/cell cabinet is running.*STATE_CONFLICT/s),
      });
    }
    expect(writes().length).toBe(before);
  }, 90_000);

  it("only its supervisor answers, as between two starts of the bus: a write is refused", async () => {
    await accept(supervisorPath(runDir));
    const { code, err } = await run("write", "x", "6:0x3100=6", "--cell", file, "--yes");
    expect({ code, err }).toMatchObject({ code: 1, err: expect.stringMatching(/STATE_CONFLICT/) });
  }, 60_000);

  it("its poll lane answers: reads go there by device and by wire, none on the wire", async () => {
    await accept(lanePath(runDir, "net", "poll"), (bytes, socket) => {
      const unit = bytes[6] ?? 0;
      socket.write(Buffer.from([...bytes.subarray(0, 4), 0, 5, unit, 3, 2, 0xab, unit]));
    });
    const before = peer.asked.length;
    for (const [order, word] of [
      [["x", "3:0x3200:1", "--cell", file], "0xab01"],
      [[`127.0.0.1:${peer.port}`, "3:0x3200:1", "--unit", "4"], "0xab04"],
      [[`rtu:127.0.0.1:${peer.port}`, "3:0x3200:1", "--unit", "5"], "0xab05"],
    ] as const) {
      const ran = await run("read", ...order);
      expect(ran).toMatchObject({ code: 0, out: expect.stringContaining(word), err: "" });
    }
    expect(peer.asked.length).toBe(before);
  }, 90_000);

  it("only its supervisor answers: a read says so, and asks nothing on the wire", async () => {
    await accept(supervisorPath(runDir));
    const before = peer.asked.length;
    const { code, err } = await run("read", `127.0.0.1:${peer.port}`, "3:0:1", "--unit", "4");
    const text = /cell cabinet runs.*does not answer.*DEVICE_UNREACHABLE/s;
    expect({ code, err }).toMatchObject({ code: 1, err: expect.stringMatching(text) });
    expect(peer.asked.length).toBe(before);
  }, 60_000);

  it("a scan of its wire is refused, and asks nothing", async () => {
    await accept(lanePath(runDir, "net", "poll"));
    const before = peer.asked.length;
    for (const where of [`127.0.0.1:${peer.port}`, `rtu:127.0.0.1:${peer.port}`]) {
      const { code, err } = await run("scan", where, "--units", "4", "--timeout", "20");
      const text = /cell cabinet is running.*STATE_CONFLICT/s;
      expect({ code, err }).toMatchObject({ code: 1, err: expect.stringMatching(text) });
    }
    expect(peer.asked.length).toBe(before);
  }, 60_000);

  it("a lane that cannot be tried: a read is not sent, and doctor does not know", async () => {
    await accept(join(runDir, "other.sock"));
    const lane = lanePath(runDir, "net", "poll");
    // A link to itself stands for whatever is neither an answer nor a refusal.
    symlinkSync(lane, lane);
    const before = peer.connections;
    const read = await run("read", `127.0.0.1:${peer.port}`, "3:0:1", "--unit", "4");
    expect(read).toMatchObject({ code: 1, err: expect.stringMatching(/DEVICE_UNREACHABLE/) });
    const { out } = await run("doctor", "--cell", file);
    expect(out).toContain(`?    whether a running cell has 127.0.0.1:${peer.port}`);
    expect(out).not.toContain(`${peer.port} accepts`);
    expect(peer.connections).toBe(before);
  }, 60_000);

  it("doctor opens no connection to what a cell of another folder has", async () => {
    await accept(lanePath(runDir, "net", "poll"));
    const before = peer.connections;
    const { out } = await run("doctor", "--cell", file);
    expect(out).toContain(`127.0.0.1:${peer.port}: the bus service has it`);
    expect(peer.connections).toBe(before);
  }, 60_000);

  it("a snapshot of another version, and its supervisor answers: refused", async () => {
    writeFileSync(snapshotPath(runDir), JSON.stringify({ snapshot: 1, version: "0.0.0-other" }));
    await accept(supervisorPath(runDir));
    const where = `127.0.0.1:${peer.port}`;
    for (const order of [
      ["write", where, "6:0x3100=6", "--unit", "1", "--yes"],
      ["read", where, "3:0:1", "--unit", "1"],
      ["scan", where, "--units", "4", "--timeout", "20"],
    ]) {
      const { code, err } = await run(...order);
      expect({ code, err }).toMatchObject({ code: 1, err: expect.stringContaining(runDir) });
    }
  }, 60_000);

  it("a bus that answers and has not said its wire in words of this version: refused", async () => {
    rmSync(snapshotPath(runDir));
    writeFileSync(busOwnerPath(runDir, "net"), '{"pid":1,"link":{"kind":"other"}}');
    await accept(lanePath(runDir, "net", "poll"));
    const order = ["write", `127.0.0.1:${peer.port}`, "6:0x3100=6", "--unit", "1", "--yes"];
    const { code, err } = await run(...order);
    expect({ code, err }).toMatchObject({ code: 1, err: expect.stringContaining(runDir) });
  }, 60_000);

  it("a cell that has ended is in nobody's way", async () => {
    await accept(join(runDir, "other.sock"));
    const before = writes().length;
    const order = ["6:0x3100=6", "--unit", "4", "--yes"];
    const { out } = await run("write", `127.0.0.1:${peer.port}`, ...order);
    expect(out).toMatch(/not acknowledged.*exception/s);
    expect(writes().length).toBe(before + 1);
  }, 60_000);
});

describe("write beside a bus service that was started alone", () => {
  const order = () => ["write", `127.0.0.1:${peer.port}`, "6:0x3100=6", "--unit", "4", "--yes"];

  it("its wire is refused, also when the cell file says another by now; not once it has ended", async () => {
    const folder = mkdtempSync(join(tmpdir(), "cabinet-alone-"));
    const file = join(folder, "cell.yaml");
    writeFileSync(file, cellOn(`127.0.0.1:${peer.port}`));
    const loaded = loadCell(file, { dataDir: join(folder, "data") });
    if (!loaded.ok) throw new Error("the cell file of this test is faulty");
    const { runDir } = loaded.value;
    const args = [script, "bus", "--cell", file, "--data", join(folder, "data")];
    const bus = spawn(process.execPath, args, { stdio: "ignore" });
    const ended = new Promise((resolve) => bus.once("exit", resolve));
    try {
      await vi.waitFor(
        () => expect(existsSync(lanePath(runDir, "net", "stop"))).toBe(true),
        30_000,
      );
      writeFileSync(file, cellOn("127.0.0.1:9"));
      await vi.waitFor(async () => {
        const { code, err } = await run(...order());
        expect({ code, err }).toMatchObject({ code: 1, err: expect.stringContaining(runDir) });
      }, 30_000);
    } finally {
      bus.kill("SIGTERM");
      await ended;
    }
    const { out } = await run(...order());
    expect(out).toMatch(/not acknowledged.*exception/s);
    rmSync(folder, { recursive: true });
    rmSync(runDir, { recursive: true });
  }, 120_000);
});
