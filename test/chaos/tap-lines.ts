/**
 * The tap of the simulator, as lines of a trace: frames, motions and truths in user units.
 *
 * The idea: a place is only told while the axis is homed, which the frames themselves say: before,
 * its zero is anywhere. It refuses lines that no judge knows.
 */
import { compileDevice } from "#drivers/compile.js";
import type { DeviceModel, PointTable, ReadRequest } from "#drivers/device-model.js";
import type { Reading } from "#drivers/reading.js";
import type { CellConfig } from "#kernel/config/cell.js";
import type { TraceLine } from "#simulators/judges/trace.js";
import { unitsPerCount } from "#simulators/world/judge-facts.js";
import { TapFile } from "../fixtures/tap-file.js";

/** A line of the tap's file. */
export interface TapRecord {
  readonly tMs: number;
  readonly device?: string;
  readonly bus?: string;
  readonly kind?: string;
  readonly pdu?: string;
  readonly reply?: string;
  readonly moving?: boolean;
  readonly position?: number;
  readonly velocity?: number;
  readonly what?: string;
  readonly text?: string;
}

/** A moving plant is told of at least so often. */
const betweenMs = 60;

interface Place {
  at: number;
  position: number;
  moving: boolean;
  homed: boolean;
}

class Known {
  readonly model: DeviceModel;
  readonly #requests: ReadonlyMap<string, ReadRequest>;
  readonly #points = new Map<string, Reading<number>>();
  readonly units: number | undefined;
  homed = false;
  readonly places: Place[] = [];

  constructor(device: CellConfig["devices"][number]) {
    this.model = compileDevice(device.profile, device.setup);
    this.units = unitsPerCount(device);
    const { pollFast, pollSlow, pollFull } = this.model;
    this.#requests = new Map(
      [...pollFull, ...pollSlow, ...pollFast].map((one) => [hexOf(one.pdu), one]),
    );
  }

  frame(at: number, pdu: string, reply: string): void {
    const request = this.#requests.get(pdu);
    if (request === undefined || this.units === undefined) return;
    const values = this.model.decode(request, Uint8Array.from(Buffer.from(reply, "hex")));
    if (typeof values === "string") return;
    for (const [name, value] of values) this.#points.set(name, { ok: true, value, atMs: at });
    const { homed } = this.model.view(this.#points as PointTable);
    this.homed = homed.ok && homed.value;
  }
}

export class TapLines {
  readonly lines: TraceLine[] = [];
  readonly #known: ReadonlyMap<string, Known>;
  readonly #file: TapFile<TapRecord> | undefined;

  constructor({ devices }: CellConfig, file?: string) {
    this.#file = file === undefined ? undefined : new TapFile(file);
    this.#known = new Map(devices.map((device) => [device.id, new Known(device)]));
  }

  /** Takes what has come to the file since. */
  readOn(): void {
    for (const record of this.#file?.take() ?? []) this.read(record);
  }

  /** Forgets the lines, not what is known. */
  begin(): void {
    this.lines.length = 0;
    for (const known of this.#known.values()) known.places.splice(0, known.places.length - 1);
  }

  /** The power of this device was away: it has no zero until it says so. */
  rebooted(device: string): void {
    const known = this.#known.get(device);
    if (known !== undefined) known.homed = false;
  }

  read(record: TapRecord): void {
    const { tMs: at, device, kind } = record;
    if (device === undefined) {
      if (kind === "line")
        this.lines.push({
          kind: "fault",
          at,
          text: `line ${record.bus}: ${record.what} ${record.text}`,
        });
      return;
    }
    const known = this.#known.get(device);
    if (kind === "motion" || kind === "truth") this.#place(at, device, known, record);
    else if (record.pdu !== undefined) {
      const { pdu, reply } = record;
      this.lines.push({
        kind: "frame",
        at,
        device,
        pdu,
        ...(reply === undefined ? {} : { reply }),
      });
      if (reply !== undefined) known?.frame(at, pdu, reply);
    }
  }

  #place(at: number, device: string, known: Known | undefined, record: TapRecord): void {
    const { moving = false, position = 0, velocity = 0 } = record;
    if (record.kind === "motion") this.lines.push({ kind: "motion", at, device, moving, position });
    if (known?.units === undefined) return;
    const { units, homed } = known;
    known.places.push({ at, position: position * units, moving, homed });
    // At the beginning of a motion nothing is known of its speed.
    if (!homed || (record.kind === "motion" && moving)) return;
    const facts = { position: position * units, velocity: velocity * units };
    this.lines.push({ kind: "truth", at, device, moving, ...facts });
  }

  /** A truth that was asked for. */
  truth(at: number, device: string, raw: { position: number; velocity: number; moving: boolean }) {
    this.#place(at, device, this.#known.get(device), { tMs: at, kind: "truth", ...raw });
  }

  /**
   * Where the plant was, in user units; not a number where nobody knows. Between two looks it may
   * have been anywhere between them: then the one nearer to `target` is told.
   */
  plantAt(device: string, at: number, target?: number): { position: number; moving: boolean } {
    const places = this.#known.get(device)?.places ?? [];
    const i = places.findLastIndex((one) => one.at <= at);
    const before = places[i] ?? places[0];
    const after = places[i + 1];
    if (before === undefined) return { position: Number.NaN, moving: false };
    const { position, moving } = before;
    if (target === undefined || !moving || after === undefined || after.at > at + betweenMs) {
      return { position, moving };
    }
    const isNearer = Math.abs(after.position - target) < Math.abs(position - target);
    return { position: isNearer ? after.position : position, moving };
  }
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
