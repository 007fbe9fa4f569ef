/**
 * scan, read, write and doctor as their commands, over TCP, against simulated devices and a peer
 * that counts every byte it gets.
 *
 * The idea: what a person types and sees; the scripted peer proves that a scan only reads and
 * never asks unit 0. It refuses running cells (beside-cell.test.ts has what stands for one,
 * up.test.ts one).
 */
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type Simulation, startSim } from "#simulators/simulation.js";
import { CountingPeer, cellOn, ownTmpdir, run } from "../../fixtures/cabinet.js";
import { conveyorSetup, gripperSetup, servoSetup } from "../../fixtures/simulators/profiles.js";

let sim: Simulation;
let peer: CountingPeer;
let where: string;
let cellFile: string;

beforeAll(async () => {
  const folder = ownTmpdir();
  sim = await startSim({
    devices: [servoSetup("x", 1), conveyorSetup("belt", 5), gripperSetup("gripper", 9)],
  });
  peer = new CountingPeer();
  await peer.listen();
  where = `127.0.0.1:${sim.ports.bus}`;
  cellFile = join(folder, "cell.yaml");
  writeFileSync(cellFile, cellOn(where));
});
afterAll(async () => {
  peer.close();
  await sim.close();
  vi.unstubAllEnvs();
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
