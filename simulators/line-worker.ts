/**
 * One simulated serial line, in a thread of its own: a pseudo-terminal paced like a UART.
 *
 * The idea: what the master hands over is on the wire only byte by byte, so a request counts as
 * heard when its last character would have passed, and a reply is handed to the master when its
 * last character would have. Precise waits block this thread and nothing else. Silence is judged
 * here, from the end of the last character in either direction to the first of the master's next.
 * It refuses to know devices: requests go to the simulation, replies come back.
 */
import { execFileSync } from "node:child_process";
import { closeSync, renameSync, rmSync, symlinkSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { ReadStream } from "node:tty";
import { parentPort, workerData } from "node:worker_threads";
import type { FromLine, LineSetup, ToLine } from "./line-messages.js";
import { counter, type counterNames } from "./line-messages.js";
import { characterMs, crcHolds, requestBytes, silenceMs } from "./rtu.js";

const port = parentPort;
const setup: LineSetup = workerData;
const counts = new Float64Array(setup.counts);
const charMs = characterMs(setup.baud, setup.format);
const t35Ms = silenceMs(setup.baud, setup.format);
/** Timers come up to this late; the rest of a wait blocks the thread. */
const timerSlackMs = 2;
const spinMs = 0.08;
/** A master's process may hand a frame over in pieces; a UART's buffer would close such gaps. */
const piecesMs = 3;
/** What no master sets: a terminal that still has it was opened as a plain file. */
const rateUnset = 50;
/** After so much silence a master may have opened the port anew, at another rate. */
const retuneGapMs = 100;
/** For how long the right rate is believed; a wrong one is looked up again each time. */
const tunedMs = 2000;
/** Longest piece of a reply that is handed over at once, ms. */
const pieceMs = 4;
const briefMs = 50;
/** A reply that this machine delays by more than this is no longer the device's. */
const lateMsMost = 10;
const frameMost = 256;
const nap = new Int32Array(new SharedArrayBuffer(4));

function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function say(message: FromLine): void {
  port?.postMessage(message);
}

function count(name: (typeof counterNames)[number], by = 1): void {
  const at = counter(name);
  counts[at] = (counts[at] ?? 0) + by;
}

/** Does it at this time: to some 0.02 ms where the machine lets it. */
function at(dueMs: number, work: () => void): void {
  const left = dueMs - nowMs();
  if (left > timerSlackMs + 0.2) {
    setTimeout(() => at(dueMs, work), left - timerSlackMs);
    return;
  }
  if (left > spinMs) Atomics.wait(nap, 0, 0, left - spinMs);
  while (nowMs() < dueMs) {
    // The last microseconds are shorter than any sleep.
  }
  work();
}

/** The rate that a terminal is set to; undefined where nothing can tell. */
function rateOf(pts: string): number | undefined {
  try {
    return Number(execFileSync("stty", ["-F", pts, "speed"], { encoding: "utf8" }));
  } catch {
    return undefined;
  }
}

interface Terminal {
  readonly fd: number;
  readonly pts: string;
  close(): void;
}

/** The part of node-pty that opens a pair; its own streams would read what the master sends. */
interface Pairs {
  open(columns: number, rows: number): { master: number; slave: number; pty: string };
}
const need = createRequire(import.meta.url);
const { requireBinary }: { requireBinary(file: string): Pairs } = need(
  "@lydell/node-pty/requireBinary.js",
);
const pairs = requireBinary("pty.node");

/** The slave's descriptor stays open without being read, so that a master may come and go. */
function openTerminal(take: (bytes: Uint8Array) => void): Terminal {
  const { master, slave, pty } = pairs.open(80, 24);
  try {
    // A master that opens the terminal plainly shall not hear its own bytes.
    execFileSync("stty", ["-F", pty, `${rateUnset}`, "raw", "-echo"], { stdio: "ignore" });
  } catch {
    // Without stty, masters set the mode themselves, as every serial library does.
  }
  const stream = new ReadStream(master);
  stream.on("data", take);
  stream.on("error", () => {});
  return {
    fd: master,
    pts: pty,
    close: () => {
      stream.destroy();
      closeSync(slave);
    },
  };
}

class Line {
  #terminal: Terminal | undefined;
  #lastPts = "";
  #echo = setup.echo;
  /** Ends of the last character of either side on the wire. */
  #masterEndMs = Number.NEGATIVE_INFINITY;
  #slaveEndMs = Number.NEGATIVE_INFINITY;
  #bytes: number[] = [];
  #beganMs = 0;
  #gapMs = Number.POSITIVE_INFINITY;
  /** How late this machine was with the last reply. */
  #lateMs = 0;
  /** Counts what was weighed; a wait that another has overtaken does nothing. */
  #serial = 0;
  /** A whole frame whose last character is still on the wire. */
  #pending: number | undefined;
  #tunedAtMs = Number.NEGATIVE_INFINITY;
  #sameRate = true;

  plug(): void {
    if (this.#terminal !== undefined) return;
    const spare: Terminal[] = [];
    let terminal = openTerminal((bytes) => this.#take(bytes));
    // An adapter that is plugged in again gets another number while the old one may be open.
    while (terminal.pts === this.#lastPts && spare.length < 8) {
      spare.push(terminal);
      terminal = openTerminal((bytes) => this.#take(bytes));
    }
    for (const one of spare) one.close();
    this.#terminal = terminal;
    this.#lastPts = terminal.pts;
    // By renaming, so that the path is never half there.
    rmSync(`${setup.path}.new`, { force: true });
    symlinkSync(terminal.pts, `${setup.path}.new`);
    renameSync(`${setup.path}.new`, setup.path);
    say({ kind: "plugged", pts: terminal.pts });
  }

  unplug(): void {
    rmSync(setup.path, { force: true });
    this.#terminal?.close();
    this.#terminal = undefined;
    this.#bytes = [];
    say({ kind: "unplugged" });
  }

  echo(on: boolean): void {
    this.#echo = on || setup.echo;
  }

  #take(bytes: Uint8Array): void {
    const nowAtMs = nowMs();
    const freeMs = Math.max(this.#masterEndMs, this.#slaveEndMs);
    if (this.#bytes.length === 0) {
      this.#beganMs = nowAtMs;
      this.#gapMs = nowAtMs - freeMs;
      this.#judge(nowAtMs, this.#gapMs);
    }
    const glued = this.#pending !== undefined;
    this.#masterEndMs = Math.max(nowAtMs, this.#masterEndMs) + bytes.length * charMs;
    if (this.#echo) this.#sendAt(this.#masterEndMs, bytes);
    if (glued) {
      // No silence between two frames: a device takes both for one, and its checksum is wrong.
      this.#pending = undefined;
      count("dropped");
      say({ kind: "noise", tMs: this.#masterEndMs, text: "frames without silence between them" });
      return;
    }
    this.#bytes.push(...bytes);
    this.#weigh();
  }

  #judge(tMs: number, gapMs: number): void {
    if (!Number.isFinite(gapMs)) return;
    if (this.#lateMs > lateMsMost) {
      count("disturbed");
      return;
    }
    count("gaps");
    const least = counter("shortestGapMs");
    counts[least] = Math.min(counts[least] ?? gapMs, gapMs);
    if (gapMs < briefMs) {
      count("briefGaps");
      count("briefGapsMsSum", gapMs);
    }
    if (gapMs >= t35Ms) return;
    count("violations");
    if (gapMs < 0) count("collisions");
    say({ kind: "violation", tMs, gapMs, neededMs: t35Ms });
  }

  #weigh(): void {
    const length = requestBytes(Uint8Array.from(this.#bytes));
    this.#serial += 1;
    const serial = this.#serial;
    if (length !== undefined && this.#bytes.length >= length) {
      this.#complete(serial);
      return;
    }
    // Until more comes: silence ends what is here, whatever it is.
    at(this.#masterEndMs + t35Ms + piecesMs, () => {
      if (this.#serial === serial && this.#bytes.length > 0) this.#complete(serial);
    });
  }

  #complete(serial: number): void {
    this.#pending = serial;
    const bytes = Uint8Array.from(this.#bytes);
    this.#bytes = [];
    const { gapMs, beganMs, endMs } = this.#times();
    at(endMs, () => {
      if (this.#pending !== serial) return;
      this.#pending = undefined;
      if (!crcHolds(bytes) || bytes.length > frameMost) {
        count("checksums");
        say({ kind: "noise", tMs: endMs, text: `${bytes.length} bytes that are no frame` });
        return;
      }
      if (!this.#tuned(gapMs)) {
        // At another rate a device hears other bits.
        count("checksums");
        say({ kind: "noise", tMs: endMs, text: "the master speaks at another rate" });
        return;
      }
      count("frames");
      const [unit = 0] = bytes;
      if (gapMs < (setup.silences[unit] ?? 0)) count("unitViolations");
      say({ kind: "request", unit, pdu: bytes.slice(1, -2), beganMs, endMs, gapMs });
    });
  }

  /** Whether the master has set the terminal to the rate of this line. */
  #tuned(gapMs: number): boolean {
    const now = nowMs();
    const believed = this.#sameRate && now - this.#tunedAtMs < tunedMs;
    if (!setup.rateMatters || gapMs < retuneGapMs || believed) return this.#sameRate;
    this.#tunedAtMs = now;
    const rate = this.#terminal === undefined ? undefined : rateOf(this.#terminal.pts);
    this.#sameRate = rate === undefined || rate === rateUnset || rate === setup.baud;
    return this.#sameRate;
  }

  #times() {
    return { gapMs: this.#gapMs, beganMs: this.#beganMs, endMs: this.#masterEndMs };
  }

  /** A reply starts when it is due and the wire is free. */
  reply(bytes: Uint8Array, dueMs: number): void {
    at(dueMs, () => {
      const now = nowMs();
      const freeMs = Math.max(this.#slaveEndMs, this.#masterEndMs);
      if (freeMs > now) {
        count("collisions");
        this.reply(bytes, freeMs);
        return;
      }
      const lateMs = counter("lateMsMax");
      counts[lateMs] = Math.max(counts[lateMs] ?? 0, now - dueMs);
      count("replies");
      count("lateMsSum", now - dueMs);
      this.#lateMs = now - dueMs;
      this.#transmit(bytes, Math.min(now, dueMs + 0.02));
    });
  }

  #transmit(bytes: Uint8Array, startMs: number): void {
    this.#slaveEndMs = startMs + bytes.length * charMs;
    const piece = Math.max(1, Math.floor(pieceMs / charMs));
    const step = (from: number) => {
      // The first byte comes alone, so that a wait for it can end; the last when it would.
      const size = from === 0 && bytes.length * charMs > timerSlackMs ? 1 : piece;
      const to = bytes.length - from - size < piece / 2 ? bytes.length : from + size;
      const end = from === 0 && size === 1 ? 1 : to;
      at(startMs + end * charMs, () => {
        if (end === bytes.length) this.#slaveEndMs = Math.max(this.#slaveEndMs, nowMs());
        this.#write(bytes.subarray(from, end));
        if (end < bytes.length) step(end);
      });
    };
    step(0);
  }

  #sendAt(dueMs: number, bytes: Uint8Array): void {
    const copy = bytes.slice();
    at(dueMs, () => this.#write(copy));
  }

  #write(bytes: Uint8Array): void {
    if (this.#terminal === undefined) return;
    try {
      writeSync(this.#terminal.fd, bytes);
    } catch {
      // Nobody reads and the terminal's buffer is full: lost, as on a wire.
      count("dropped");
    }
  }
}

const line = new Line();
port?.on("message", (message: ToLine) => {
  switch (message.kind) {
    case "reply":
      line.reply(message.bytes, message.dueMs);
      return;
    case "echo":
      line.echo(message.on);
      return;
    case "plug":
      line.plug();
      return;
    case "unplug":
      line.unplug();
      return;
    case "close":
      line.unplug();
      port?.close();
      return;
    default:
      message satisfies never;
  }
});
line.plug();
