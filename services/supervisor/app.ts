/**
 * The supervisor: starts the processes of a cell in order, starts again what dies, ends all.
 *
 * The idea: one restart machine per child and a `spawn` port; this file only carries effects out
 * and waits, rank by rank, each wait bounded. Ending goes coordinator and gateway, drivers (which
 * stop their axes), bus, simulator, broker. It refuses to leave a child behind.
 */
import type { Ms } from "#drivers/reading.js";
import { type ErrorCode, ServocellError, textOf } from "#kernel/errors.js";
import type { App, Log } from "#kernel/ports.js";
import type { ChildSpec } from "./plan.js";
import { next, type RestartInput, type RestartState, restartLimits } from "./restart.machine.js";

/** What a child said last, from its log; the code where it gave one. */
export interface LastWords {
  readonly code?: ErrorCode;
  readonly text: string;
}

/** One running child, as the edge sees it. */
export interface ChildProcess {
  readonly pid: number | undefined;
  onReady(listener: () => void): void;
  /** Called when it stands by, because another process of the service lives. */
  onStandby(listener: () => void): void;
  /** Called once; also when the process could not be started. */
  onExit(listener: (last: LastWords) => void): void;
  /** Asks it to end as soon as nothing moves and nobody counts on it; asked again, it stays. */
  standAside(): void;
  terminate(): void;
  kill(): void;
}
export type Spawn = (spec: ChildSpec) => ChildProcess;

export interface SupervisorPorts {
  readonly spawn: Spawn;
  readonly log: Log;
}
export interface ChildStatus {
  readonly service: string;
  readonly at: RestartState["at"];
  readonly pid: number | undefined;
}
export type ChangeListener = (
  service: string,
  at: RestartState["at"],
  last: LastWords | undefined,
) => void;
export interface Supervisor extends App {
  status(): readonly ChildStatus[];
  /** Called when a child becomes ready, dies or ends. */
  onChange(listener: ChangeListener): void;
  /**
   * Puts a new process of the service, which may be a newer version, in the place of the present
   * one: it is loaded and stands by first, then the old one ends by itself when its axes stand
   * still and nobody has them [PROTOCOL 12]. Resolves with what went wrong, or nothing.
   * `service`: a service, or the device of a driver. `limitMs`: how long the axes may keep it.
   */
  replace(service: string, limitMs: Ms): Promise<string | undefined>;
  /** The second signal: the order stays, each child has half a second left. */
  hurry(): void;
}

/** Failures before its first ready after which an essential child fails the start. */
const startFailuresMax = 3;
const hurriedMs: Ms = 500;

interface Successor {
  readonly process: ChildProcess;
  standsBy: boolean;
  isReady: boolean;
  /** It has ended before it took the place. */
  words: string | undefined;
}

interface Child {
  readonly spec: ChildSpec;
  state: RestartState;
  process: ChildProcess | undefined;
  /** Stands by to take its place. */
  next: Successor | undefined;
  timer: ReturnType<typeof setTimeout> | undefined;
  wasUp: boolean;
  /** A process of it was ended because it did not get ready in its time. */
  late: boolean;
  failures: number;
  last: LastWords | undefined;
}

export function buildSupervisor(
  ports: SupervisorPorts,
  config: { readonly children: readonly ChildSpec[] },
): Supervisor {
  return new Runner(ports, config.children);
}

class Runner implements Supervisor {
  readonly #ports: SupervisorPorts;
  readonly #children: readonly Child[];
  readonly #listeners: ChangeListener[] = [];
  readonly #waiters = new Set<() => void>();
  #hurried = false;
  #stopping: Promise<void> | undefined;

  constructor(ports: SupervisorPorts, specs: readonly ChildSpec[]) {
    this.#ports = ports;
    this.#children = specs.map((spec) => ({
      spec,
      state: { at: "down" },
      process: undefined,
      next: undefined,
      timer: undefined,
      wasUp: false,
      late: false,
      failures: 0,
      last: undefined,
    }));
  }

  async start(): Promise<void> {
    for (const rank of ranksOf(this.#children, (spec) => spec.startRank)) {
      if (this.#stopping !== undefined) return;
      for (const child of rank) this.#input(child, { kind: "start", nowMs: performance.now() });
      await this.#until(
        () => this.#stopping !== undefined || rank.every((child) => settled(child)),
        startFailuresMax * Math.max(...rank.map((child) => longestStartMs(child.spec))),
      );
      const missing = rank.find((child) => child.spec.essential && !child.wasUp);
      if (missing !== undefined && this.#stopping === undefined) throw notUp(missing);
    }
  }

  stop(reason: string): Promise<void> {
    this.#stopping ??= this.#end(reason);
    this.#changed();
    return this.#stopping;
  }

  hurry(): void {
    this.#hurried = true;
    for (const child of this.#children) if (child.state.at === "ending") this.#endChild(child);
  }

  async replace(service: string, limitMs: Ms): Promise<string | undefined> {
    const child = this.#children.find(({ spec }) => isMeant(spec, service));
    if (child === undefined) return `there is no service or device ${service} in this cell`;
    const { spec, process: old } = child;
    if (child.state.at !== "up" || old === undefined) return `${spec.service} is ${child.state.at}`;
    if (child.next !== undefined) return `${spec.service} is being replaced already`;
    const next: Successor = {
      process: this.#processOf(spec),
      standsBy: false,
      isReady: false,
      words: undefined,
    };
    child.next = next;
    next.process.onStandby(() => {
      next.standsBy = true;
      this.#changed();
    });
    next.process.onReady(() => {
      next.isReady = true;
      this.#changed();
    });
    next.process.onExit((last) => this.#successorGone(child, next, last));
    await this.#until(() => next.standsBy || next.words !== undefined, spec.readyWithinMs);
    if (next.standsBy && next.words === undefined) {
      old.standAside();
      await this.#until(() => child.process !== old || next.words !== undefined, limitMs);
      if (child.process === old) old.standAside();
    }
    if (child.process !== next.process) {
      if (child.next === next) child.next = undefined;
      next.process.kill();
      return next.words ?? `${spec.service} is still needed after ${limitMs / 1000} s`;
    }
    await this.#until(() => next.isReady || child.process !== next.process, spec.readyWithinMs);
    if (next.isReady) return undefined;
    next.process.kill();
    return next.words ?? `the new ${spec.service} was not ready in time`;
  }

  /** One that has taken the place is a child like any other. */
  #successorGone(child: Child, next: Successor, last: LastWords): void {
    next.words = last.text;
    if (child.next === next) child.next = undefined;
    if (child.process === next.process) this.#exited(child, last);
    this.#changed();
  }

  status(): readonly ChildStatus[] {
    return this.#children.map((child) => ({
      service: child.spec.service,
      at: child.state.at,
      pid: child.process?.pid,
    }));
  }

  onChange(listener: ChangeListener): void {
    this.#listeners.push(listener);
  }

  async #end(reason: string): Promise<void> {
    this.#ports.log.info({ reason }, "ending the cell");
    for (const rank of ranksOf(this.#children, (spec) => spec.endRank)) {
      for (const child of rank) this.#endChild(child);
      // The machine kills at its own limit; a second covers the death itself.
      const limitMs = Math.max(...rank.map((child) => child.spec.endWithinMs)) + 1_000;
      await this.#until(() => rank.every((child) => child.state.at === "ended"), limitMs);
    }
    for (const child of this.#children) clearTimeout(child.timer);
  }

  #endChild(child: Child): void {
    child.next?.process.kill();
    child.next = undefined;
    const withinMs = this.#hurried ? hurriedMs : child.spec.endWithinMs;
    this.#input(child, { kind: "end", nowMs: performance.now(), withinMs });
  }

  #input(child: Child, input: RestartInput): void {
    const step = next(child.state, input, child.spec.readyWithinMs);
    if (step === undefined) return;
    const before = child.state.at;
    child.state = step.state;
    for (const effect of step.effects) {
      switch (effect.kind) {
        case "spawn":
          this.#spawn(child);
          break;
        case "terminate":
          child.process?.terminate();
          break;
        case "kill":
          if (before === "starting") child.late = true;
          child.process?.kill();
          break;
        case "wake":
          this.#wakeAt(child, effect.atMs);
          break;
        default:
          effect satisfies never;
      }
    }
    if (before !== child.state.at) this.#tell(child);
  }

  #spawn(child: Child): void {
    const process = this.#processOf(child.spec);
    child.process = process;
    process.onReady(() => {
      if (child.process !== process) return;
      child.wasUp = true;
      this.#input(child, { kind: "ready", nowMs: performance.now() });
    });
    process.onExit((last) => {
      if (child.process !== process) return;
      const { next } = child;
      if (next?.standsBy === true && child.state.at === "up") {
        child.process = next.process;
        child.next = undefined;
        this.#ports.log.info({ child: child.spec.service, pid: next.process.pid }, "replaced");
        this.#changed();
        return;
      }
      this.#exited(child, last);
    });
  }

  /** A start that throws is one that failed, like any other: nothing else ends with it. */
  #processOf(spec: ChildSpec): ChildProcess {
    try {
      return this.#ports.spawn(spec);
    } catch (thrown) {
      return stillborn(`it could not be started: ${textOf(thrown)}`);
    }
  }

  #exited(child: Child, last: LastWords): void {
    child.process = undefined;
    child.failures += 1;
    child.last = last;
    this.#input(child, { kind: "exited", nowMs: performance.now() });
  }

  #wakeAt(child: Child, atMs: Ms): void {
    clearTimeout(child.timer);
    const waitMs = Math.max(0, Math.ceil(atMs - performance.now()));
    child.timer = setTimeout(() => {
      this.#input(child, { kind: "tick", nowMs: performance.now() });
      // A timer may fire a moment early: look again, never sleep for ever.
      if (awaits(child.state, performance.now())) this.#wakeAt(child, atMs + 1);
    }, waitMs);
  }

  #tell(child: Child): void {
    const { at } = child.state;
    const level = at === "waiting" ? "warn" : "info";
    this.#ports.log[level](
      { child: child.spec.service, at, pid: child.process?.pid, last: child.last?.text },
      `${child.spec.service} is ${at}`,
    );
    for (const listener of this.#listeners) listener(child.spec.service, at, child.last);
    this.#changed();
  }

  #changed(): void {
    for (const waiter of [...this.#waiters]) waiter();
  }

  /** Resolves when the condition holds, or after the limit. */
  #until(holds: () => boolean, limitMs: Ms): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiters.delete(look);
        resolve();
      };
      const look = () => {
        if (holds()) done();
      };
      const timer = setTimeout(done, limitMs);
      this.#waiters.add(look);
      look();
    });
  }
}

/** A process that never was: its end is told behind whatever its start does. */
function stillborn(text: string): ChildProcess {
  return {
    pid: undefined,
    onReady: () => {},
    onStandby: () => {},
    onExit: (listener) => queueMicrotask(() => listener({ text })),
    standAside: () => {},
    terminate: () => {},
    kill: () => {},
  };
}

/**
 * Up once, or hopeless: the start of the others does not wait for it any longer. One that was
 * killed while it started has its full time again.
 */
function settled(child: Child): boolean {
  return child.wasUp || child.late || child.failures >= startFailuresMax;
}

/** From one start of a process to the next, where it neither gets ready nor ends by itself. */
function longestStartMs({ readyWithinMs }: ChildSpec): Ms {
  return readyWithinMs + restartLimits.backoffMaxMs;
}

/** The time that this state waits for is still to come. */
function awaits(state: RestartState, nowMs: Ms): boolean {
  return (
    (state.at === "waiting" || state.at === "starting" || state.at === "ending") &&
    nowMs < state.untilMs
  );
}

function notUp(child: Child): ServocellError {
  const { service, readyWithinMs } = child.spec;
  const words = child.last?.text ?? `no word within ${readyWithinMs / 1000} s.`;
  const code = child.last?.code ?? "INTERNAL";
  return new ServocellError(code, `The ${service} did not start: ${words}`, { service });
}

function isMeant({ service, args }: ChildSpec, name: string): boolean {
  if (service === name || service === `driver-${name}`) return true;
  const devices = args[args.indexOf("--device") + 1] ?? "";
  return args.includes("--device") && devices.split(",").includes(name);
}

function ranksOf(
  children: readonly Child[],
  rankOf: (spec: ChildSpec) => number,
): readonly (readonly Child[])[] {
  const ranks = new Map<number, Child[]>();
  for (const child of children) {
    const rank = rankOf(child.spec);
    ranks.set(rank, [...(ranks.get(rank) ?? []), child]);
  }
  return [...ranks.entries()].sort(([a], [b]) => a - b).map(([, members]) => members);
}
