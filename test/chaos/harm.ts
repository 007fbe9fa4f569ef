/**
 * Carries the planned faults out, and heals whatever is still harmed.
 *
 * The idea: each fault that lasts heals by itself after its time; `heal` ends them all and waits for
 * those that were on their way. Every harm and every healing is a line. Only processes of this run
 * are signalled, by their id. It refuses to choose.
 */
import { closeSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { FaultLine } from "#simulators/judges/trace.js";
import { monotonicMs, sleep } from "../fixtures/cell-process.js";
import type { Operator } from "./operator.js";
import type { PlayedCell } from "./played-cell.js";
import { type Fault, type Planned, textOf } from "./schedule.js";
import { askSim, simState } from "./sim-socket.js";

/** A clock that was set: from then on it is off by so much. */
export interface ClockNote {
  readonly at: number;
  readonly service: string;
  readonly shiftMs: number;
}

const fillBytes = 1_048_576;
const onRail = ["lift", "belt"] as const;
const behind: { readonly [link: string]: readonly string[] } = {
  gantry: ["x", "y", "z"],
  tool: ["gripper"],
};

export class Harm {
  readonly notes: FaultLine[] = [];
  readonly clocks: ClockNote[] = [];
  readonly counts = new Map<string, number>();
  kills = 0;
  readonly #cell: PlayedCell;
  readonly #operator: Operator;
  readonly #under = new Set<Promise<void>>();
  readonly #stalled = new Set<number>();
  readonly #shifted = new Set<string>();
  #healing = false;

  constructor(cell: PlayedCell, operator: Operator) {
    this.#cell = cell;
    this.#operator = operator;
  }

  /** Carries a plan out in its time; resolves when the last fault has begun. */
  async follow(plan: readonly Planned[], forMs: number): Promise<void> {
    const began = monotonicMs();
    this.#healing = false;
    for (const { atMs, fault } of plan) {
      await sleep(Math.max(0, began + atMs - monotonicMs()));
      const work = this.#begin(fault).catch((thrown: unknown) => {
        this.#note(`${textOf(fault)} failed: ${String(thrown)}`);
      });
      this.#under.add(work);
      void work.then(() => this.#under.delete(work));
    }
    await sleep(Math.max(0, began + forMs - monotonicMs()));
  }

  /** Everything is whole again when it resolves, as far as it was harmed from here. */
  async heal(): Promise<void> {
    this.#healing = true;
    this.#note("all faults heal");
    for (const pid of this.#stalled) this.#signal(pid, "SIGCONT");
    for (const link of ["gantry", "tool", "broker"]) this.#cell.link({ link, mode: "pass" });
    await Promise.all(this.#under);
    for (const service of this.#shifted) this.#setClock(service, 0);
    this.#shifted.clear();
    await this.#sim({ kind: "clear" });
    const { lines } = await simState(this.#cell.simControl);
    if (lines.rail?.plugged === false) await this.#sim({ kind: "replug", bus: "rail" });
    this.#emptyDisk();
    this.#cell.startOutside();
    this.#cell.mayRestart = true;
  }

  #note(text: string, what?: string, cut: readonly string[] = []): void {
    const reach = cut.length === 0 ? {} : { reach: { devices: cut, ok: what === undefined } };
    const counted = what === undefined ? {} : { what };
    this.notes.push({ kind: "fault", at: monotonicMs(), text, ...counted, ...reach });
    if (what !== undefined) this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  /** Waits, but no longer than until the round is to be healed. */
  async #last(forMs: number): Promise<void> {
    const end = monotonicMs() + forMs;
    while (!this.#healing && monotonicMs() < end) {
      await sleep(Math.min(20, Math.max(1, end - monotonicMs())));
    }
  }

  async #begin(fault: Fault): Promise<void> {
    switch (fault.kind) {
      case "kill":
        return this.#kill(fault.service, textOf(fault));
      case "stall":
        return this.#stall(fault.service, fault.forMs);
      case "supervisor":
        return this.#killSupervisor(fault.pauseMs);
      case "broker":
        return this.#restartBroker(fault.pauseMs);
      case "link": {
        const { kind, forMs, ...order } = fault;
        const cut = behind[fault.link] ?? [];
        const to = fault.link === "broker" ? "broker" : "bus";
        this.#note(textOf(fault), `link ${to} ${fault.mode}`, cut);
        this.#cell.link(order);
        await this.#last(forMs);
        this.#cell.link({ link: fault.link, mode: "pass" });
        return this.#note(`${kind} ${fault.link} passes again`, undefined, cut);
      }
      case "device":
        return this.#harmDevice(fault);
      case "unplug":
        this.#note(textOf(fault), "unplug", onRail);
        await this.#sim({ kind: "unplug", bus: "rail" });
        await this.#last(fault.forMs);
        await this.#sim({ kind: "replug", bus: "rail" });
        return this.#note("rail is plugged in again", undefined, onRail);
      case "disk":
        return this.#fillDisk(fault.forMs);
      case "clock":
        this.#note(textOf(fault), "clock");
        return this.#setClock(fault.service, fault.shiftMs);
      case "press":
        this.#note(textOf(fault), `press ${fault.what}`);
        return this.#operator.press(fault.what, fault.device);
      default:
        return fault satisfies never;
    }
  }

  #pidOf(service: string): number | undefined {
    return this.#cell.services().find(({ name }) => name === service)?.pid;
  }

  #signal(pid: number, name: NodeJS.Signals): boolean {
    try {
      process.kill(pid, name);
      return true;
    } catch {
      return false;
    }
  }

  async #kill(service: string, text: string): Promise<void> {
    const pid = this.#pidOf(service);
    if (pid === undefined) return this.#note(`${text}: it does not run`);
    this.#note(text, "kill");
    this.kills += 1;
    this.#cell.killed(pid);
  }

  async #stall(service: string, forMs: number): Promise<void> {
    const pid = this.#pidOf(service);
    if (pid === undefined || this.#stalled.has(pid)) return;
    const node = this.#cell.nodeOf(service);
    this.#note(`stall ${service} for ${forMs} ms`, "stall");
    this.#stalled.add(pid);
    this.#signal(pid, "SIGSTOP");
    this.#cell.nodes.push({ kind: "stalled", at: monotonicMs(), node });
    await this.#last(forMs);
    this.#stalled.delete(pid);
    this.#signal(pid, "SIGCONT");
    this.#cell.nodes.push({ kind: "resumed", at: monotonicMs(), node });
  }

  async #killSupervisor(pauseMs: number): Promise<void> {
    const pid = this.#cell.supervisor;
    if (pid === undefined) return;
    this.#note(`kill supervisor, up again after ${pauseMs} ms`, "kill supervisor");
    this.kills += 1;
    this.#cell.mayRestart = false;
    this.#cell.killed(pid);
    await this.#last(pauseMs);
    this.#cell.mayRestart = true;
  }

  async #restartBroker(pauseMs: number): Promise<void> {
    if (this.#cell.broker === "embedded") return this.#kill("broker", "kill broker");
    const pid = this.#cell.outside;
    if (pid === undefined) return;
    this.#note(`kill broker, back after ${pauseMs} ms`, "broker restart");
    this.kills += 1;
    this.#signal(pid, "SIGKILL");
    await this.#last(pauseMs);
    this.#cell.startOutside();
    this.#note("broker is started again");
  }

  async #harmDevice(fault: Extract<Fault, { kind: "device" }>): Promise<void> {
    const { device, value } = fault;
    this.#note(textOf(fault), `device ${fault.fault}`, [device]);
    const more = value === undefined ? {} : { value };
    await this.#sim({ kind: "fault", device, fault: fault.fault, ...more });
    await this.#last(fault.forMs);
    await this.#sim({ kind: "clear", device });
    this.#note(`${device} is whole again`, undefined, [device]);
  }

  async #sim(message: object): Promise<void> {
    const answer = (await askSim(this.#cell.simControl, message)) as { kind: string };
    if (answer.kind === "error") throw new Error(JSON.stringify({ message, answer }));
  }

  get #fill(): string {
    return join(this.#cell.dataDir, "fill");
  }

  /** Writes until there is no room for one more byte. */
  async #fillDisk(forMs: number): Promise<void> {
    this.#note(`disk is full for ${forMs} ms`, "disk full");
    let block = Buffer.alloc(fillBytes);
    const file = openSync(this.#fill, "w");
    try {
      while (block.length > 0) {
        try {
          writeSync(file, block);
        } catch {
          block = block.subarray(0, Math.floor(block.length / 2));
        }
      }
    } finally {
      closeSync(file);
    }
    await this.#last(forMs);
    this.#emptyDisk();
    this.#note("disk has room again");
  }

  #emptyDisk(): void {
    rmSync(this.#fill, { force: true });
  }

  #setClock(service: string, shiftMs: number): void {
    this.#shifted.add(service);
    writeFileSync(join(this.#cell.clocks, service), String(shiftMs));
    this.clocks.push({ at: monotonicMs(), service, shiftMs });
  }
}
