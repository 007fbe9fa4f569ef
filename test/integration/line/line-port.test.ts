/**
 * The port of a line: pulled, missing, held by someone else, owned twice.
 * The idea: a stable path is a link to a pseudo-terminal that comes and goes. It refuses waits
 * without a bound.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { sameLine } from "#kernel/edge/line-claims.js";
import { openLineWire } from "#kernel/edge/line-wire.js";
import { bytesOf, LinePeer, pause, rtu } from "../../fixtures/line-peer.js";
import { ask, closeAll, closers, line, log, read1, said, until, wireAt } from "./line-setup.js";

afterEach(closeAll);

/** Replug rounds: 50 here; LINE_REPLUGS allows up to 500. */
const replugRounds = Math.min(500, Number(process.env.LINE_REPLUGS ?? 50));

const healthy = (_: Buffer, peer: LinePeer) => peer.write(rtu("01 03 02 1234"));

function stablePath(): string {
  const folder = mkdtempSync(join(tmpdir(), "line-"));
  closers.unshift(async () => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "rail.tty");
}

/** Open pseudo-terminals of this process, the threads' included; dead ones too. */
function terminalsOpen(): number {
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return /^\/dev\/(pts\/\d+|ptmx)/.test(readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      return false;
    }
  }).length;
}

describe("the adapter is pulled and plugged", () => {
  it(`RC-02: rounds=${replugRounds}, another node each time: back, no descriptor left`, async () => {
    const path = stablePath();
    let peer = new LinePeer(healthy);
    symlinkSync(peer.path, path);
    const wire = wireAt(path);
    await until(() => wire.connected, "the line");
    expect(await ask(wire)).toBe("03021234");
    const before = terminalsOpen();
    let slowestMs = 0;
    for (let round = 0; round < replugRounds; round += 1) {
      await peer.close();
      await until(() => !wire.connected, "the loss");
      rmSync(path);
      peer = new LinePeer(healthy);
      symlinkSync(peer.path, path);
      const pluggedMs = performance.now();
      await until(() => wire.connected, "the line again");
      slowestMs = Math.max(slowestMs, performance.now() - pluggedMs);
      expect(await ask(wire)).toBe("03021234");
    }
    expect(terminalsOpen()).toBe(before);
    expect(slowestMs).toBeLessThan(5000);
    await peer.close();
  }, 300_000);

  it("RC-02: pulled while a request is out: unknown; asked while away: not sent, nor later", async () => {
    const path = stablePath();
    const first = new LinePeer(() => undefined);
    symlinkSync(first.path, path);
    const wire = wireAt(path);
    await until(() => wire.connected, "the line");
    const out = ask(wire, bytesOf("06 0020 0003"), 1, 10_000);
    await until(() => first.heard.length > 0, "the request");
    await first.close();
    expect(await out).toBe("noReply link-down");
    expect(await ask(wire)).toBe("notSent link-down");
    rmSync(path);
    const second = new LinePeer(healthy);
    closers.push(() => second.close());
    symlinkSync(second.path, path);
    await until(() => wire.connected, "the line again");
    await pause(100);
    expect(second.heard).toEqual([]);
  });

  it("RC-02: reopened on demand: away for a moment, then right", async () => {
    const { wire } = await line(healthy);
    const changes: boolean[] = [];
    wire.onChange((up) => changes.push(up));
    wire.reconnect();
    await until(() => changes.length === 2, "the new opening");
    expect(changes).toEqual([false, true]);
    expect(await ask(wire)).toBe("03021234");
  });
});

describe("the port cannot be had", () => {
  it("RC-04: missing at boot: alive, said once, and open when it is there", async () => {
    const path = stablePath();
    const wire = wireAt(path);
    await until(() => said.some((s) => s.level === "warn"), "the message");
    expect(said.find((s) => s.level === "warn")?.fields.why).toMatch(/no such file/i);
    expect(await ask(wire)).toBe("notSent link-down");
    const peer = new LinePeer(healthy);
    closers.push(() => peer.close());
    symlinkSync(peer.path, path);
    await until(() => wire.connected, "the line");
    expect(await ask(wire)).toBe("03021234");
  });

  it("RC-04: locked by another process: says which, and opens when it is free", async () => {
    const peer = new LinePeer(healthy);
    closers.push(() => peer.close());
    const holder = spawn("flock", ["--no-fork", peer.path, "sleep", "600"]);
    closers.unshift(async () => {
      holder.kill();
    });
    const name = () => readFileSync(`/proc/${holder.pid}/comm`, "utf8").trim();
    await until(() => holder.pid !== undefined && name() === "sleep", "its lock");
    const wire = wireAt(peer.path);
    await until(() => said.some((s) => s.level === "warn"), "the message");
    const why = said.find((s) => s.level === "warn")?.fields.why;
    expect(why).toBe(`the port is in use by process ${holder.pid} (sleep)`);
    holder.kill();
    await until(() => wire.connected, "the line");
    expect(await ask(wire)).toBe("03021234");
  });

  it("RC-04: opened again at once after close, 10 times: close is awaited", async () => {
    const peer = new LinePeer(healthy);
    closers.push(() => peer.close());
    for (let round = 0; round < 10; round += 1) {
      const wire = wireAt(peer.path);
      await until(() => wire.connected, "the line");
      expect(await ask(wire)).toBe("03021234");
      await wire.close();
    }
    expect(said.filter((s) => s.level === "warn")).toEqual([]);
  }, 60_000);

  it("RC-07: away, asked 200 times: one line, not 200", async () => {
    const wire = wireAt(stablePath());
    for (let i = 0; i < 200; i += 1) {
      expect(await ask(wire)).toBe("notSent link-down");
      await pause(10);
    }
    expect(said.length).toBe(1);
  });
});

describe("the thread of a line", () => {
  it("dies: what was out is unknown, and the process does not live on without its line", async () => {
    const others = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    try {
      const thrown = new Promise<Error>((resolve) => process.once("uncaughtException", resolve));
      const { wire } = await line(healthy);
      // Whatever a thread dies of; here of a request that is none.
      const out = await wire.exchange(1, undefined as never, { timeoutMs: 100 });
      expect(out).toEqual({ kind: "noReply", why: "link-down" });
      expect((await thrown).message).toContain("has ended");
      expect(wire.connected).toBe(false);
    } finally {
      process.removeAllListeners("uncaughtException");
      for (const listener of others) process.on("uncaughtException", listener);
    }
  });
});

describe("one owner", () => {
  it("ST-03: two names of one terminal: the second is refused and names both", async () => {
    const { peer, wire } = await line(healthy);
    const path = stablePath();
    symlinkSync(peer.path, path);
    const link = { kind: "serial", path, baud: 9600, format: "8N1", echo: false } as const;
    expect(() => openLineWire({ link, units: [], log })).toThrow(
      `${path} and ${peer.path} are the same serial line`,
    );
    expect(sameLine(["/dev/null", peer.path, path])).toEqual([peer.path, path]);
    expect(sameLine(["/dev/null", peer.path])).toBeUndefined();
    await wire.close();
    const other = openLineWire({ link, units: [], log });
    closers.push(() => other.close());
    await until(() => other.connected, "the line");
  });

  it("ST-03: eight requests at once: one at a time, a bounded number waits", async () => {
    let open = 0;
    const { wire, peer } = await line(async (request, to) => {
      open += 1;
      expect(open).toBe(1);
      await pause(5);
      open -= 1;
      to.write(rtu(`0${request[0]} 03 02 000${request[0]}`));
    });
    const units = [1, 2, 3, 4, 5, 6, 7, 8];
    const all = await Promise.all(units.map((unit) => ask(wire, read1, unit)));
    expect(all.slice(0, 5)).toEqual(units.slice(0, 5).map((unit) => `0302000${unit}`));
    expect(all.slice(5)).toEqual(["notSent not-sent", "notSent not-sent", "notSent not-sent"]);
    expect(peer.heard.length).toBe(5);
  });
});
