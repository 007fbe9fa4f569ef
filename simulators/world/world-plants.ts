/**
 * The simulated devices of a world: reached by wires, given faults, and looked at.
 *
 * The idea: a device catches up with time when it is asked; one that is busy is looked at every
 * 10 ms besides, so that the trace knows when its plant begins and ends to move. What is true is
 * told in the axis' user unit by the mechanics of the cell file, never by the driver's own
 * readings. It refuses to judge.
 */
import type { CellConfig } from "#kernel/config/cell.js";
import type { SimDevice } from "../device.js";
import type { TraceLine } from "../judges/trace.js";
import type { WireDevice } from "./field-bus.js";
import { unitsPerCount } from "./judge-facts.js";
import type { VirtualClock } from "./virtual-clock.js";

const lookMs = 10;
/** Every so many looks at a moving axis its true position is written down. */
const looksPerTruth = 5;

/** Position in user units where the axis has any, else raw. */
export interface PlantTruth {
  readonly position: number;
  readonly velocity: number;
  readonly moving: boolean;
}

interface Plant {
  readonly device: SimDevice;
  readonly perUnit: number;
  readonly isAxis: boolean;
  looking: boolean;
  looks: number;
  /** When it last answered a read. */
  readAtMs: number;
}

export class WorldPlants {
  readonly #plants = new Map<string, Plant>();
  readonly #clock: VirtualClock;
  readonly #emit: (line: TraceLine) => void;

  constructor(
    clock: VirtualClock,
    cell: CellConfig,
    parts: {
      readonly makeDevice: (device: string) => SimDevice;
      readonly emit: (line: TraceLine) => void;
    },
  ) {
    this.#clock = clock;
    this.#emit = parts.emit;
    for (const config of cell.devices) {
      const { id } = config;
      const device = parts.makeDevice(id);
      const units = unitsPerCount(config);
      const isAxis = units !== undefined;
      const perUnit = units === undefined ? 1 : 1 / units;
      this.#plants.set(id, {
        device,
        perUnit,
        isAxis,
        looking: false,
        looks: 0,
        readAtMs: Number.NEGATIVE_INFINITY,
      });
      device.onMotion(({ moving, position }) => {
        this.#emit({ at: clock.nowMs, kind: "motion", device: id, moving, position });
        if (!moving) clock.schedule(0, () => this.tell(id), "world");
      });
      clock.schedule(0, () => this.tell(id), "world");
    }
  }

  get ids(): readonly string[] {
    return [...this.#plants.keys()];
  }

  /** Whether its place is known in user units. */
  hasPlace(id: string): boolean {
    return this.#plant(id).isAxis;
  }

  device(id: string): SimDevice {
    return this.#plant(id).device;
  }

  /** The device as a wire sees it; what is written to it is noted down. */
  wired(id: string): WireDevice {
    const plant = this.#plant(id);
    return {
      handle: (pdu, nowMs) => {
        const reply = plant.device.handle(pdu, nowMs);
        const read = (pdu[0] ?? 0) <= 4;
        if (read && reply !== undefined) plant.readAtMs = nowMs;
        if (!read) {
          this.#frame(id, pdu, reply, nowMs - plant.readAtMs);
          this.watch(id);
        }
        return reply;
      },
    };
  }

  truth(id: string): PlantTruth {
    const plant = this.#plants.get(id);
    if (plant === undefined) return { position: Number.NaN, velocity: 0, moving: false };
    plant.device.advance(this.#clock.nowMs);
    const { position, velocity, moving } = plant.device.view();
    const { perUnit } = plant;
    return { position: position / perUnit, velocity: velocity / perUnit, moving };
  }

  /** Writes down where the axis is. */
  tell(id: string): void {
    if (!this.hasPlace(id)) return;
    this.#emit({ at: this.#clock.nowMs, kind: "truth", device: id, ...this.truth(id) });
  }

  /** Something may have begun: the device is looked at until it is quiet. */
  watch(id: string): void {
    const plant = this.#plant(id);
    if (plant.looking || !plant.device.busy) return;
    plant.looking = true;
    this.#clock.schedule(lookMs, () => this.#look(id, plant), "world");
  }

  #look(id: string, plant: Plant): void {
    plant.device.advance(this.#clock.nowMs);
    if (plant.device.moving) {
      plant.looks += 1;
      if (plant.looks % looksPerTruth === 0) this.tell(id);
    }
    plant.looking = plant.device.busy;
    if (plant.looking) this.#clock.schedule(lookMs, () => this.#look(id, plant), "world");
  }

  /** Reads are too many to write down each; a write says when the last one was answered. */
  #frame(device: string, pdu: Uint8Array, reply: Uint8Array | undefined, readAgoMs: number): void {
    const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
    const got = reply === undefined ? {} : { reply: hex(reply) };
    const at = this.#clock.nowMs;
    this.#emit({ at, kind: "frame", device, pdu: hex(pdu), readAgoMs, ...got });
  }

  #plant(id: string): Plant {
    const plant = this.#plants.get(id);
    if (plant === undefined) throw new RangeError(`no device ${id}`);
    return plant;
  }
}
