/**
 * scan, read, write and doctor as their commands, over TCP, against simulated devices and a peer
 * that counts every byte it gets.
 *
 * The idea: what a person types and sees; the scripted peer proves that a scan only reads and
 * never asks unit 0. It refuses a running cell (up.test.ts has one): a bus
 * service alone, or a snapshot and a socket, stand for it.
 */
import { execFile, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { loadCell } from "#kernel/config/cell-file.js";
import { snapshotPath, writeSnapshot } from "#kernel/config/cell-snapshot.js";
import { packageVersion } from "#kernel/edge/process.js";
import { busOwnerPath, lanePath, supervisorPath } from "#kernel/run-dir.js";
import { type Simulation, startSim } from "#simulators/simulation.js";
import { conveyorSetup, gripperSetup, servoSetup } from "../../fixtures/simulators/profiles.js";

const script = fileURLToPath(new URL("../../../dist/services/cli/main.js", import.meta.url));
const commandMsMax = 60_000;

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}
function run(...args: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [script, ...args],
      { timeout: commandMsMax },
      (_error, out, err) => resolve({ code: child.exitCode ?? -1, out, err }),
    );
  });
}

/** Answers unit 4 with an exception to everything, and keeps what it was asked. */
class CountingPeer {
  readonly asked: { readonly unit: number; readonly fc: number }[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  port = 0;

  constructor() {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("data", (bytes) => this.#read(socket, bytes));
    });
  }
  listen(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.listen(0, "127.0.0.1", () => {
        const address = this.#server.address();
        this.port = typeof address === "object" && address !== null ? address.port : 0;
        resolve();
      });
    });
  }
  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
  #read(socket: Socket, bytes: Buffer): void {
    for (let at = 0; at + 7 < bytes.length; at += 6 + bytes.readUInt16BE(at + 4)) {
      const unit = bytes[at + 6] ?? 0;
      const fc = bytes[at + 7] ?? 0;
      this.asked.push({ unit, fc });
      if (unit !== 4) continue;
      const id = bytes.subarray(at, at + 2);
      socket.write(Buffer.from([...id, 0, 0, 0, 3, unit, fc | 0x80, 2]));
    }
  }
}

let sim: Simulation;
let peer: CountingPeer;
let where: string;
let cellFile: string;

beforeAll(async () => {
  sim = await startSim({
    devices: [servoSetup("x", 1), conveyorSetup("belt", 5), gripperSetup("gripper", 9)],
  });
  peer = new CountingPeer();
  await peer.listen();
  where = `127.0.0.1:${sim.ports.bus}`;
  cellFile = join(mkdtempSync(join(tmpdir(), "cabinet-")), "cell.yaml");
  writeFileSync(
    cellFile,
    `servocell: 1
cell: { name: cabinet, prefix: test }
brokerPort: 28843
gateway: { port: 28844 }
buses: { net: { tcp: "${where}" } }
devices:
  x: { profile: kinco/fd5p, bus: net, unit: 1,
       axis: { kind: linear, countsPerRev: 10000, pitch: 5 mm, travel: [0 mm, 400 mm],
               velocityMax: 200 mm/s, accelerationMax: 2000 mm/s2, whenOff: stays } }
`,
  );
});
afterAll(async () => {
  peer.close();
  await sim.close();
});

describe("scan", () => {
  it("three mixed units on one endpoint: all found, named, and a fragment that names them", async () => {
    const { code, out } = await run("scan", where, "--units", "1-10", "--timeout", "60");
    expect(code).toBe(0);
    expect(out).toMatch(/unit 1: kinco\//);
    expect(out).toMatch(/unit 5: abb\//);
    expect(out).toMatch(/unit 9: robotiq\/2f/);
    expect(out).toMatch(/buses:\n {2}net: \{ tcp: "127/);
    expect(out).toMatch(/\{ profile: robotiq\/2f, bus: net, unit: 9 \}/);
  }, 90_000);

  it("a peer that counts: only reads were asked, and unit 0 never", async () => {
    const { out } = await run(
      ...["scan", `127.0.0.1:${peer.port}`, "--units", "1-6", "--timeout", "20"],
    );
    expect(out).toMatch(/unit 4: answers; no profile fits/);
    const units = new Set(peer.asked.map(({ unit }) => unit));
    expect([...units].sort()).toEqual([1, 2, 3, 4, 5, 6]);
    expect(peer.asked.every(({ fc }) => fc >= 1 && fc <= 4)).toBe(true);
  }, 90_000);

  it("profiles of one's own folder are looked for; one that is broken is named", async () => {
    const own = mkdtempSync(join(tmpdir(), "cabinet-own-"));
    mkdirSync(join(own, "mine"));
    const robotiq = "extends: robotiq/2f\n";
    const head = "servocellProfile: 1\n";
    writeFileSync(join(own, "mine", "claw.yaml"), `${head}id: mine/claw\n${robotiq}`);
    writeFileSync(join(own, "mine", "torn.yaml"), `${head}id: mine/torn\npoints: 5\n`);
    const wire = ["--profiles", own, "--timeout", "60"];
    const { code, out } = await run("scan", where, "--units", "9", ...wire);
    expect(code).toBe(0);
    expect(out).toMatch(/unit 9: .*mine\/claw/);
    expect(out).toMatch(/# mine\/torn has problems.*servocell profile lint/);
    const named = ["--unit", "9", "--profile", "mine/claw", "--profiles", own];
    const read = await run("read", where, "actualPosition", ...named);
    expect(read).toMatchObject({ code: 0, out: expect.stringMatching(/^actualPosition /) });
  }, 90_000);

  it("unit 0 and units beyond 247 are refused before anything is opened", async () => {
    for (const units of ["0-3", "1-248", "x"]) {
      const { code, err } = await run("scan", where, "--units", units);
      expect({ code, err }).toMatchObject({ code: 1, err: expect.stringMatching(/units are 1/) });
    }
  });

  it("nobody there: it says what was tried and what to look at, exit 1", async () => {
    const { code, out } = await run("scan", where, "--units", "20-22", "--timeout", "20");
    expect(code).toBe(1);
    expect(out).toMatch(/Nobody answered/);
  });
});

describe("read and write", () => {
  it("points by name of a device of a cell, in its own units", async () => {
    const { code, out } = await run("read", "x", "actualPosition", "--cell", cellFile);
    expect(out).toMatch(/actualPosition\s+-?\d+(\.\d+)? mm \(raw -?\d+\)/);
    expect(code).toBe(0);
  });

  it("raw registers of a unit on a wire; an exception is told as such", async () => {
    const good = await run("read", where, "3:0x3200:1", "--unit", "1");
    expect(good).toMatchObject({ code: 0, out: expect.stringMatching(/0x[0-9a-f]{4}/) });
    const bad = await run("read", where, "3:0x1234:1", "--unit", "1");
    expect(bad).toMatchObject({ code: 1, out: expect.stringMatching(/exception 2/) });
  });

  it("a write without --yes says the frame and sends nothing; with --yes it is acknowledged", async () => {
    const order = ["write", where, "6:0x3100=0x0006", "--unit", "1"];
    const before = sim.state().x;
    const plan = await run(...order);
    expect(plan.code).toBe(2);
    expect(plan.out).toMatch(/06 31 00 00 06/);
    expect(plan.err).toMatch(/add --yes/);
    expect(sim.state().x?.state).toBe(before?.state);
    const done = await run(...order, "--yes");
    expect(done).toMatchObject({ code: 0, out: expect.stringMatching(/acknowledged/) });
    expect(sim.state().x?.state).not.toBe(before?.state);
  });

  it("a value beyond its register, an unknown point, a raw read with a writing function", async () => {
    const unit = ["--unit", "1", "--profile", "kinco/fd5p"];
    for (const [order, text] of [
      [["write", where, "controlword=70000", ...unit], /LIMIT_EXCEEDED/],
      [["write", where, "nonsense=1", ...unit], /NOT_FOUND/],
      [["read", where, "6:0:1", "--unit", "1"], /VALIDATION_FAILED/],
      [["read", where, "statusword", "--unit", "1"], /--profile/],
    ] as const) {
      const { code, err } = await run(...order);
      expect({ code, err }).toMatchObject({ code: 1, err: expect.stringMatching(text) });
    }
  });
});

describe("write beside a running cell", () => {
  const cellText = (tcp: string) =>
    readFileSync(cellFile, "utf8").replace(/tcp: "[^"]*"/, `tcp: "${tcp}"`);
  let runDir: string;
  let file: string;
  let local: Server;
  const writes = () => peer.asked.filter(({ fc }) => fc > 4);
  const accept = (path: string) =>
    new Promise<void>((done) => {
      local = createServer((socket) => void socket.on("error", () => socket.destroy()));
      local.listen(path, done);
    });

  beforeEach(() => {
    runDir = mkdtempSync(join(tmpdir(), `servocell-${userInfo().uid}-cabinet-`));
    file = cellFile.replace("cell.yaml", "running.yaml");
    writeFileSync(file, cellText(`127.0.0.1:${peer.port}`));
    const loaded = loadCell(file, { runDir });
    if (!loaded.ok) throw new Error("the cell file of this test is faulty");
    writeSnapshot(snapshotPath(runDir), packageVersion(), loaded.value);
  });
  afterEach(async () => {
    await new Promise((done) => local.close(done));
    rmSync(runDir, { recursive: true });
  });

  it("its poll lane answers: refused by device and by wire, and no write on the wire", async () => {
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

  it("only its supervisor answers, as between two starts of the bus: refused", async () => {
    await accept(supervisorPath(runDir));
    const { code, err } = await run("write", "x", "6:0x3100=6", "--cell", file, "--yes");
    expect({ code, err }).toMatchObject({ code: 1, err: expect.stringMatching(/STATE_CONFLICT/) });
  }, 60_000);

  it("a snapshot of another version, and its supervisor answers: refused", async () => {
    writeFileSync(snapshotPath(runDir), JSON.stringify({ snapshot: 1, version: "0.0.0-other" }));
    await accept(supervisorPath(runDir));
    const order = ["write", `127.0.0.1:${peer.port}`, "6:0x3100=6", "--unit", "1", "--yes"];
    const { code, err } = await run(...order);
    expect({ code, err }).toMatchObject({ code: 1, err: expect.stringContaining(runDir) });
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
    const withWire = (tcp: string) =>
      writeFileSync(file, readFileSync(cellFile, "utf8").replace(/tcp: "[^"]*"/, `tcp: "${tcp}"`));
    withWire(`127.0.0.1:${peer.port}`);
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
      withWire("127.0.0.1:9");
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

describe("doctor", () => {
  it("a cell whose endpoint accepts: good; and each finding that is bad has its fix", async () => {
    const { out } = await run("doctor", "--cell", cellFile);
    expect(out).toMatch(/ok {3}127\.0\.0\.1:\d+ accepts a connection/);
    expect(out).toMatch(/better-sqlite3 loads/);
    const lines = out.split("\n");
    for (const [i, line] of lines.entries()) {
      if (line.startsWith("BAD")) expect(lines[i + 1]).toMatch(/→/);
    }
  });

  it("an endpoint that is not there and a port that does not exist: bad, exit 1", async () => {
    const file = cellFile.replace("cell.yaml", "broken.yaml");
    writeFileSync(
      file,
      `servocell: 1
cell: { name: broken, prefix: test }
buses:
  gone: { tcp: "127.0.0.1:9" }
  line: { serial: /dev/serial/by-id/nothing, baud: 19200, format: 8E1 }
devices:
  a: { profile: robotiq/2f, bus: gone, unit: 9 }
  b: { profile: robotiq/2f, bus: line, unit: 9 }
`,
    );
    const { code, out } = await run("doctor", "--cell", file);
    expect(out).toMatch(/BAD {2}127\.0\.0\.1:9 cannot be reached/);
    expect(out).toMatch(/BAD {2}\/dev\/serial\/by-id\/nothing does not exist/);
    expect(code).toBe(1);
  });
});
