/**
 * The look for energy at the end: every axis is switched off where it stays, and on, and watched.
 *
 * The idea: a set-point or a trigger that was left in a drive moves nothing until somebody gives it
 * power, so somebody does, by the drivers' own commands and with a lease, as a person with a tool
 * would; nothing may move then. It refuses to command anything that moves, and to insist: what a
 * driver refuses stays as it is.
 */
import type { CellConfig, DeviceConfig } from "#kernel/config/cell.js";
import { commandSchema, type Response } from "#kernel/contract/payloads.js";
import type { MessageLink } from "#kernel/ports.js";
import type { VirtualClock } from "./virtual-clock.js";

export interface EnergyCheckParts {
  readonly clock: VirtualClock;
  readonly config: CellConfig;
  readonly link: MessageLink;
  readonly newId: () => string;
}

const name = "tool";
const by = { user: name, role: "service" };
const beatMs = 100;
/** Leases may not be given while a stop is being settled. */
const againMs = 400;
const asksMax = 5;
const ttlMs = 5000;
/** Lease, off and on; the slowest drive of the profiles takes less. */
const switchMsMax = 5000;
/** A left-over motion has begun by then. */
const watchMs = 1500;
const releaseMs = 500;

type Verb = "disable" | "resetFault" | "enable";

export class EnergyCheck {
  readonly #parts: EnergyCheckParts;
  readonly #waiting = new Map<string, (response: Response) => void>();
  readonly #leases = new Map<string, number>();
  /** Axes that are still being switched. */
  readonly #busy = new Set<string>();
  #beating = true;

  constructor(parts: EnergyCheckParts) {
    this.#parts = parts;
    parts.link.subscribe("response", { client: name }, ({ payload }) => {
      if (payload.status === "accepted" || payload.status === "running") return;
      this.#waiting.get(payload.id)?.(payload);
    });
  }

  /** Runs the clock until everything was watched and given back. */
  run(): void {
    const { clock, config } = this.#parts;
    clock.as(name, () => {
      this.#beat(0);
      for (const device of config.devices) this.#begin(device);
    });
    clock.run(clock.nowMs + switchMsMax, () => this.#busy.size === 0);
    clock.run(clock.nowMs + watchMs);
    clock.as(name, () => {
      for (const [device, epoch] of this.#leases) this.#send(device, "release-lease", {}, epoch);
    });
    clock.run(clock.nowMs + releaseMs);
    this.#beating = false;
  }

  #begin(device: DeviceConfig): void {
    const { operations } = device.profile;
    const { axis } = device.setup;
    if (axis === undefined || operations.enable === undefined) return;
    // What falls without power is left on.
    const isOff = operations.disable !== undefined && axis.whenOff !== "falls";
    const verbs: Verb[] = [
      ...(isOff ? (["disable"] as const) : []),
      ...(operations.resetFault === undefined ? [] : (["resetFault"] as const)),
      "enable",
    ];
    this.#busy.add(device.id);
    this.#lease(device.id, verbs, asksMax);
  }

  #lease(device: string, verbs: readonly Verb[], asks: number): void {
    const id = this.#send(device, "lease", { holder: name, bootId: name });
    this.#waiting.set(id, ({ result }) => {
      const epoch = result?.epoch;
      if (typeof epoch === "number") {
        this.#leases.set(device, epoch);
        this.#next(device, verbs, epoch);
      } else if (asks > 1) {
        this.#parts.clock.schedule(againMs, () => this.#lease(device, verbs, asks - 1), name);
      } else this.#busy.delete(device);
    });
  }

  #next(device: string, [verb, ...rest]: readonly Verb[], epoch: number): void {
    if (verb === undefined) {
      this.#busy.delete(device);
      return;
    }
    const id = this.#send(device, verb, {}, epoch);
    this.#waiting.set(id, () => this.#next(device, rest, epoch));
  }

  #send(device: string, verb: string, args: object, epoch?: number): string {
    const { link, newId } = this.#parts;
    const lease = epoch === undefined ? {} : { lease: { holder: name, epoch } };
    const head = { v: 1, id: newId(), ts: Date.now(), ttlMs, by, replyTo: name };
    const command = commandSchema.parse({ ...head, ...lease, args });
    void link.publish("axisCommand", { axis: device, verb }, command).catch(() => undefined);
    return command.id;
  }

  #beat(n: number): void {
    if (!this.#beating) return;
    const { link, clock } = this.#parts;
    void link.publish("beat", { holder: name }, { v: 1, bootId: name, n }).catch(() => undefined);
    clock.schedule(beatMs, () => this.#beat(n + 1), name);
  }
}
