/**
 * Carries the faults of a plan out in a world, and takes each back when its time is over.
 *
 * The idea: one handler for each kind of fault, each a few lines over what the world can do; who
 * waits for a moment is told by the trace itself. It refuses to draw lots: all chance is in the
 * plan and in the world's own delays.
 */
import type { TraceLine } from "../judges/trace.js";
import { byteFaultsAt, noByteFaults } from "./byte-faults.js";
import type { CellWorld } from "./cell-world.js";
import { type Fault, type FaultAction, faultText, type Moment } from "./fault-plan.js";
import type { Operator } from "./operator.js";

type On<K extends FaultAction["kind"]> = Extract<FaultAction, { kind: K }>;

const calm = { drop: 0, repeat: 0, delayMaxMs: 2 } as const;
const calmField = { loseRequest: 0, loseReply: 0, delayMaxMs: 3 } as const;

/** Faults of a device that its frames suffer from. */
const spoiling: ReadonlySet<string> = new Set(["drop", "busy", "exception", "reboot", "stuck"]);

function silenceOf({ value }: On<"device">): number {
  return typeof value === "number" ? value : 0;
}

function isMoment(line: TraceLine, moment: Moment): boolean {
  if (moment === "command" || moment === "intent" || moment === "verdict") {
    return line.kind === moment;
  }
  if (moment === "stop") return line.kind === "stopDelivered";
  if (moment === "jog") return line.kind === "echo" && line.nonce !== undefined;
  if (moment === "granted") return line.kind === "lease" && line.change === "granted";
  return line.kind === "motion" && line.moving;
}

export class Act {
  readonly #world: CellWorld;
  readonly #operator: Operator;
  #waiting: Fault[] = [];
  #healed = false;
  /** Faults that struck, by kind. */
  readonly counts = new Map<string, number>();

  constructor(world: CellWorld, operator: Operator) {
    this.#world = world;
    this.#operator = operator;
    world.onLine = (line) => this.#line(line);
  }

  /** Plans every fault from now on. */
  schedule(plan: readonly Fault[]): void {
    for (const fault of plan) {
      this.#later(fault.atMs, () => {
        if (fault.after === undefined) this.#strike(fault);
        else this.#waiting.push(fault);
      });
    }
  }

  /** Nothing goes wrong any more; what was wrong is mended. */
  heal(): void {
    this.#healed = true;
    this.#waiting = [];
    const world = this.#world;
    world.spareAll();
    Object.assign(world.messageFaults, calm);
    Object.assign(world.fieldFaults, calmField);
    Object.assign(world.byteFaults, noByteFaults);
    for (const name of world.names) {
      if (world.keepsFiles(name)) {
        Object.assign(world.disk(name).faults, { full: false, commitMs: 0 });
      }
      world.resume(name);
      world.start(name);
    }
    for (const device of world.plants.ids) world.plants.device(device).clearFaults();
    for (const { id } of world.config.buses) world.wire(id)?.mend();
    if (!world.broker.up) world.broker.restart();
    world.broker.mend();
    world.note("everything is mended");
  }

  #later(ms: number, run: () => void): void {
    this.#world.clock.schedule(ms, () => !this.#healed && run(), "world");
  }

  #line(line: TraceLine): void {
    if (this.#waiting.length === 0) return;
    const struck = this.#waiting.filter(({ after }) => {
      return after !== undefined && isMoment(line, after.moment);
    });
    if (struck.length === 0) return;
    this.#waiting = this.#waiting.filter((fault) => !struck.includes(fault));
    for (const fault of struck) {
      this.#later(fault.after?.plusMs ?? 0, () => this.#strike(fault));
    }
  }

  #strike(fault: Fault): void {
    const { action } = fault;
    this.counts.set(action.kind, (this.counts.get(action.kind) ?? 0) + 1);
    if (action.kind === "press") {
      const pick = <T>(items: readonly T[]) => this.#world.random.pick(items);
      this.#world.clock.as("operator", () => this.#operator.press(action, pick));
      return;
    }
    const devices = this.#unreached(action);
    const reach = devices.length === 0 ? {} : { reach: { devices, ok: false } };
    const rebooted =
      action.kind === "device" && action.fault === "reboot" ? { rebooted: action.device } : {};
    const device = action.kind === "device" ? { device: action.device } : {};
    this.#world.note(faultText(fault), { what: action.kind, ...reach, ...device, ...rebooted });
    this.#carryOut(action);
    if (devices.length === 0 || !("forMs" in action)) return;
    const forMs = action.kind === "device" ? action.forMs + silenceOf(action) : action.forMs;
    const freed =
      action.kind === "device" && action.fault === "stuck" ? { freed: action.device } : {};
    const over = { reach: { devices, ok: true }, ...freed };
    this.#world.clock.schedule(
      forMs,
      () => this.#world.note(`over: ${faultText(fault)}`, over),
      "world",
    );
  }

  /** Devices whose frames may get lost, late or refused by it. */
  #unreached(action: FaultAction): readonly string[] {
    const { plants, config } = this.#world;
    if (action.kind === "field" || action.kind === "bytes") return plants.ids;
    if (action.kind === "fieldCut") {
      return config.devices.flatMap(({ id, bus }) => (bus === action.bus ? [id] : []));
    }
    const spoils = action.kind === "device" && spoiling.has(action.fault);
    return spoils ? [action.device] : [];
  }

  #carryOut(action: Exclude<FaultAction, { kind: "press" }>): void {
    const world = this.#world;
    switch (action.kind) {
      case "messages": {
        const { drop, repeat, delayMaxMs } = action;
        Object.assign(world.messageFaults, { drop, repeat, delayMaxMs });
        this.#later(action.forMs, () => Object.assign(world.messageFaults, calm));
        return;
      }
      case "brokerLoss":
        this.#brokerLoss(action);
        return;
      case "linkLoss":
        world.broker.cutLink(
          world.nodes.get(action.node)?.owner ?? "",
          action.forMs,
          action.how ?? "reset",
        );
        return;
      case "field": {
        const { loseRequest, loseReply, delayMaxMs } = action;
        Object.assign(world.fieldFaults, { loseRequest, loseReply, delayMaxMs });
        this.#later(action.forMs, () => Object.assign(world.fieldFaults, calmField));
        return;
      }
      case "bytes":
        Object.assign(world.byteFaults, byteFaultsAt(action.rate));
        this.#later(action.forMs, () => Object.assign(world.byteFaults, noByteFaults));
        return;
      case "fieldCut":
        world.wire(action.bus)?.cut(action.forMs);
        return;
      case "kill":
        world.kill(action.node);
        this.#later(action.backMs, () => world.start(action.node));
        return;
      case "killAtEvent":
        world.killAtEvent(action.node, action.events);
        // Should it not have died by then, it lives already and this starts nothing.
        this.#later(action.backMs + 1000, () => world.start(action.node));
        return;
      case "stall":
        world.stall(action.node);
        this.#later(action.forMs, () => world.resume(action.node));
        return;
      case "powerLoss":
        this.#powerLoss(action);
        return;
      case "diskFull":
      case "diskSlow":
        this.#disk(action);
        return;
      case "clockJump":
        world.clock.wallOffsetMs += action.byMs;
        return;
      case "device":
        this.#device(action);
        return;
      default:
        action satisfies never;
    }
  }

  #brokerLoss({ forMs }: On<"brokerLoss">): void {
    const { broker } = this.#world;
    if (!broker.up) return;
    broker.crash();
    this.#later(forMs, () => !broker.up && broker.restart());
  }

  #powerLoss({ backMs }: On<"powerLoss">): void {
    const world = this.#world;
    world.powerLoss();
    this.#later(backMs, () => {
      if (!world.broker.up) world.broker.restart();
      for (const name of world.names) world.start(name);
    });
  }

  #disk(action: On<"diskFull"> | On<"diskSlow">): void {
    const { faults } = this.#world.disk(action.node);
    if (action.kind === "diskFull") faults.full = true;
    else faults.commitMs = action.commitMs;
    this.#later(action.forMs, () => Object.assign(faults, { full: false, commitMs: 0 }));
  }

  #device({ device, fault, value, forMs }: On<"device">): void {
    const one = this.#world.plants.device(device);
    one.setFault(fault, value, this.#world.clock.nowMs);
    this.#world.plants.watch(device);
    this.#later(forMs, () => one.endFault(fault));
  }
}
