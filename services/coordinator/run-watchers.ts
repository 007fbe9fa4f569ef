/**
 * Which runs wait for what: so that a reading or an event of the cell is shown to those alone.
 *
 * The idea: fifty axes that report ten times a second and two hundred runs would be a hundred
 * thousand looks a second; kept by device and by kind of event they are the few that matter. Pure
 * bookkeeping over the state of the runs. It refuses to decide whether a wait is over.
 */

import { eventLevels } from "#kernel/cloud-event.js";
import { readingsOf } from "#kernel/config/expression.js";
import type { EventFilter } from "#kernel/config/saga.js";
import type { CloudEvent } from "#kernel/contract/payloads.js";
import type { Run } from "./run-state.js";

interface EventWait {
  readonly run: string;
  readonly step: number;
  readonly event: EventFilter;
}

export class RunWatchers {
  readonly #byDevice = new Map<string, Set<string>>();
  readonly #devices = new Map<string, readonly string[]>();
  readonly #events = new Map<string, readonly EventWait[]>();

  /** The run is as it says now. */
  note(run: Run): void {
    const devices = devicesOf(run);
    const before = this.#devices.get(run.run) ?? [];
    if (before.join() !== devices.join()) {
      for (const device of before) this.#byDevice.get(device)?.delete(run.run);
      for (const device of devices) {
        const runs = this.#byDevice.get(device) ?? new Set();
        this.#byDevice.set(device, runs.add(run.run));
      }
    }
    if (devices.length > 0) this.#devices.set(run.run, devices);
    else this.#devices.delete(run.run);
    const events = eventsOf(run);
    if (events.length > 0) this.#events.set(run.run, events);
    else this.#events.delete(run.run);
  }

  /** Runs with a condition over this device, in the order in which they began to wait. */
  ofDevice(device: string): readonly string[] {
    return [...(this.#byDevice.get(device) ?? [])];
  }

  /** Waits that this event may end; a filter's own condition is the machine's to judge. */
  ofEvent(event: CloudEvent): readonly EventWait[] {
    const { kind, id, type } = eventLevels(event);
    return [...this.#events.values()].flat().filter((wait) => {
      const { event: wanted } = wait;
      const same = wanted.kind === kind && wanted.type === type;
      return same && (wanted.id === undefined || wanted.id === id);
    });
  }

  forget(run: string): void {
    for (const device of this.#devices.get(run) ?? []) this.#byDevice.get(device)?.delete(run);
    this.#devices.delete(run);
    this.#events.delete(run);
  }
}

function devicesOf({ phase, saga }: Run): readonly string[] {
  if (phase.at !== "running") return [];
  const devices = phase.threads.flatMap(({ step, wait }) => {
    const action = saga.steps[step]?.action;
    if (wait.kind !== "condition" || action?.kind !== "waitFor") return [];
    return readingsOf(action.condition.expression).map(({ device }) => device);
  });
  return [...new Set(devices)];
}

function eventsOf({ run, phase, saga }: Run): readonly EventWait[] {
  if (phase.at !== "running") return [];
  return phase.threads.flatMap(({ step, wait }) => {
    const action = saga.steps[step]?.action;
    if (wait.kind !== "event" || action?.kind !== "waitForEvent") return [];
    return [{ run, step, event: action.event }];
  });
}
