/**
 * Runs one guardian per unit that a driver has said hello for.
 *
 * The idea: connections and pulses become inputs of guardian.machine.ts; its frames go out on the
 * stop path like any other stop, and every act leaves a log line and an event. It refuses to
 * watch more than one unit per connection.
 */
import { matchReply } from "#drivers/pdu.js";
import type { Detail } from "#drivers/reading.js";
import type { GuardMessage, Log } from "#kernel/ports.js";
import {
  type GuardianEffect,
  type GuardianInput,
  type GuardianState,
  guardianActs,
  guardianAtStart,
  guardianNext,
  guardianPasses,
  guardianWakeAt,
} from "./guardian.machine.js";
import type { Axis } from "./lane-state.js";

export interface GuardianPorts {
  readonly log: Log;
  /** Sends a frame on the stop path of a bus; answered exactly once. */
  readonly sendStop: (
    bus: string,
    unit: number,
    pdu: Uint8Array,
    answer: (pdu: Uint8Array) => void,
  ) => void;
  /** What is known of a unit's axis, at every change; undefined: nobody looks after it. */
  readonly axis: (bus: string, unit: number, axis: Axis | undefined) => void;
  /** Says `event/device/{device}/{type}`. */
  readonly event: (device: string, type: string, data: Detail) => void;
}

interface Unit {
  readonly bus: string;
  readonly unit: number;
  state: GuardianState;
  timer: ReturnType<typeof setTimeout> | undefined;
  /** Whether its driver says that the device answers. */
  up: boolean;
  axis: Axis | undefined;
}

export class Guardians {
  readonly #ports: GuardianPorts;
  readonly #units = new Map<string, Unit>();
  /** The unit that each guard connection watches. */
  readonly #clients = new Map<number, Unit>();
  #idle: (() => void)[] = [];

  constructor(ports: GuardianPorts) {
    this.#ports = ports;
  }

  /** Guard connections that stand. */
  get connections(): number {
    return this.#clients.size;
  }

  /** Whether a guardian is sending stop frames now. */
  get acting(): boolean {
    return [...this.#units.values()].some(({ state }) => guardianActs(state));
  }

  message(bus: string, client: number, message: GuardMessage): void {
    const nowMs = performance.now();
    if (message.kind === "hello") {
      const unit = this.#unit(bus, message.unit);
      this.#clients.set(client, unit);
      this.#put(unit, { kind: "hello", nowMs, client, device: message.device });
      return;
    }
    const unit = this.#clients.get(client);
    if (unit === undefined) return;
    if (message.kind === "guard") {
      this.#put(unit, { kind: "guard", nowMs, client, frames: message.frames });
    } else {
      unit.up = message.up;
      this.#put(unit, { kind: "pulse", nowMs, client, still: message.still });
    }
  }

  closed(client: number): void {
    const unit = this.#clients.get(client);
    this.#clients.delete(client);
    if (unit !== undefined) this.#put(unit, { kind: "closed", nowMs: performance.now(), client });
    this.#tellIdle();
  }

  /**
   * A write for this unit came on the command lane. False: it must not go, for no driver looks
   * after the axis, or its guardian is stopping it.
   */
  commanded(bus: string, unit: number): boolean {
    const watched = this.#units.get(keyOf(bus, unit));
    if (watched === undefined || !guardianPasses(watched.state)) return false;
    this.#put(watched, { kind: "commanded", nowMs: performance.now() });
    return true;
  }

  /** Acts for every unit whose driver is still connected, as if it had gone. */
  closeAll(): void {
    for (const client of [...this.#clients.keys()]) this.closed(client);
  }

  /** Resolves when no guard connection stands and no guardian acts, or after `mostMs`. */
  async quiet(mostMs: number): Promise<boolean> {
    if (this.connections === 0 && !this.acting) return true;
    return await new Promise((resolve) => {
      const timer = setTimeout(() => end(false), mostMs);
      const end = (quiet: boolean) => {
        clearTimeout(timer);
        resolve(quiet);
      };
      this.#idle.push(() => end(true));
    });
  }

  close(): void {
    for (const unit of this.#units.values()) clearTimeout(unit.timer);
    this.#units.clear();
    this.#clients.clear();
  }

  #unit(bus: string, unit: number): Unit {
    const key = keyOf(bus, unit);
    const known = this.#units.get(key);
    if (known !== undefined) return known;
    const fresh: Unit = {
      bus,
      unit,
      state: guardianAtStart,
      timer: undefined,
      up: true,
      axis: undefined,
    };
    this.#units.set(key, fresh);
    return fresh;
  }

  #put(unit: Unit, input: GuardianInput): void {
    const step = guardianNext(unit.state, input);
    if (step !== undefined) unit.state = step.state;
    this.#tellAxis(unit);
    if (step === undefined) return;
    for (const effect of step.effects) this.#carryOut(unit, effect);
    this.#arm(unit);
    this.#tellIdle();
  }

  #tellAxis(unit: Unit): void {
    const axis = axisOf(unit);
    if (axis === unit.axis) return;
    unit.axis = axis;
    this.#ports.axis(unit.bus, unit.unit, axis);
  }

  #arm(unit: Unit): void {
    clearTimeout(unit.timer);
    unit.timer = undefined;
    const atMs = guardianWakeAt(unit.state);
    if (atMs === undefined) return;
    unit.timer = setTimeout(
      () => {
        this.#put(unit, { kind: "tick", nowMs: performance.now() });
        // A timer that fired a hair early finds nothing due: it has to come again.
        if (guardianWakeAt(unit.state) === atMs) this.#arm(unit);
      },
      Math.max(1, Math.ceil(atMs - performance.now())),
    );
  }

  #carryOut(unit: Unit, effect: GuardianEffect): void {
    const { log } = this.#ports;
    const where = { bus: unit.bus, unit: unit.unit };
    switch (effect.kind) {
      case "send": {
        const { pdu, ticket } = effect;
        this.#ports.sendStop(unit.bus, unit.unit, pdu, (reply) => {
          const { kind } = matchReply(pdu, reply);
          const acknowledged = kind !== "exception" && kind !== "malformed";
          this.#put(unit, { kind: "sent", nowMs: performance.now(), ticket, acknowledged });
        });
        return;
      }
      case "began": {
        const { device, cause } = effect;
        const fields = { mark: "GUARDIAN_STOP", device, cause, ...where };
        log.error(fields, `the driver of ${device} is gone or silent: stopping its axis`);
        return;
      }
      case "ended": {
        const { device, cause, acknowledged, rounds } = effect;
        const fields = { device, cause, acknowledged, rounds, ...where };
        if (acknowledged) log.warn(fields, `the guardian's stop of ${device} was acknowledged`);
        else log.error(fields, `${device} never acknowledged a stop: use the hardware stop`);
        const type = acknowledged ? "guardian.stopped" : "guardian.failed";
        this.#ports.event(device, type, { cause, rounds, unit: unit.unit, bus: unit.bus });
        return;
      }
      default:
        effect satisfies never;
    }
  }

  #tellIdle(): void {
    if (this.connections > 0 || this.acting) return;
    const waiting = this.#idle;
    this.#idle = [];
    for (const tell of waiting) tell();
  }
}

/** For the order of stops: an axis that nobody knows still may move. */
function axisOf({ state, up }: Unit): Axis | undefined {
  if (state.at === "unwatched") return undefined;
  // No stop frames were registered: it is no axis, or none that was allowed to move.
  if (state.frames.length === 0) return up ? "still" : "lost";
  if (!up) return "lost";
  return state.at === "watched" && state.still === "yes" ? "still" : "moving";
}

function keyOf(bus: string, unit: number): string {
  return `${bus}/${unit}`;
}
