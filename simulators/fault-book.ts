/**
 * The faults that one simulated device has just now, and what they do to its answers.
 *
 * The idea: the device asks before it carries a request out (is it dropped, is it refused) and
 * hands its reply over to be spoilt; how a spoilt reply looks in bytes is the server's business,
 * because lines and TCP frame differently. It refuses to touch the plant and the registers.
 */
import type { PlantFaults } from "./behaviours/behaviour.js";
import { type DeviceFaultName, type FaultValue, numberOf } from "./faults.js";
import { SimProblem } from "./problem.js";

/** A reply as it is to be sent. */
export interface SimReply {
  readonly unit: number;
  readonly pdu: Uint8Array;
  /** Beyond the device's own turnaround. */
  readonly delayMs: number;
  /** One bit is to be wrong; a number chooses it. */
  readonly flip?: number;
  /** Bytes of the frame that are sent. */
  readonly keep?: number | "half";
  /** A byte before the frame. */
  readonly stray?: number;
  /** What was done to it, for the tap. */
  readonly notes: readonly string[];
}

const busyException = 6;
const lateUsualMs = 300;

type Held = FaultValue | true;

export class FaultBook {
  readonly #faults = new Map<DeviceFaultName, Held>();
  #replies = 0;

  /** @throws SimProblem for a value that the fault cannot use. */
  set(name: DeviceFaultName, value: FaultValue | undefined): void {
    switch (name) {
      case "drop":
      case "silent":
        this.#faults.set("drop", value ?? true);
        return;
      case "stuck":
        if (value !== undefined && value !== "trip") {
          throw new SimProblem(`stuck:${value} is not understood; stuck takes nothing or "trip".`);
        }
        this.#faults.set(name, value ?? true);
        return;
      case "following-error":
        this.#faults.set("stuck", "trip");
        return;
      case "clamp":
        clampOf(value);
        this.#faults.set(name, value ?? 0);
        return;
      case "noPart":
        this.#faults.set(name, true);
        return;
      default:
        this.#faults.set(name, value === undefined ? usual(name) : numberOf(name, value, 0));
    }
  }

  /** A fault that only shows that it is there. */
  hold(name: DeviceFaultName, value: FaultValue): void {
    this.#faults.set(name, value);
  }

  end(name: DeviceFaultName): void {
    if (name === "silent") this.#faults.delete("drop");
    else this.#faults.delete(name === "following-error" ? "stuck" : name);
  }

  clear(): void {
    this.#faults.clear();
  }

  view(): Readonly<Record<string, Held>> {
    return Object.fromEntries(this.#faults);
  }

  get delayMs(): number {
    return this.#number("delay") ?? 0;
  }

  get scanMs(): number | undefined {
    return this.#number("scan");
  }

  plant(): PlantFaults {
    const stuck = this.#faults.get("stuck");
    return {
      stuck: stuck !== undefined,
      stuckTrips: stuck === "trip",
      noPart: this.#faults.has("noPart"),
    };
  }

  dropped(): "no" | "request" | "reply" {
    const drop = this.#faults.get("drop");
    if (drop === undefined) return "no";
    if (drop === "replies") return "reply";
    if (typeof drop === "number") return this.#counts("drop", drop) ? "request" : "no";
    return "request";
  }

  /** The exception that every request gets. */
  refusal(): number | undefined {
    const busy = this.#faults.get("busy");
    if (busy === true) return busyException;
    if (typeof busy === "number" && this.#counts("busy", busy)) return busyException;
    return this.#number("exception");
  }

  /** The greatest number that a written point keeps. */
  clampOf(point: string): number | undefined {
    const fault = this.#faults.get("clamp");
    if (fault === undefined || fault === true) return undefined;
    const { only, most } = clampOf(fault);
    return only === undefined || only === point ? most : undefined;
  }

  shape(unit: number, pdu: Uint8Array): SimReply {
    this.#replies += 1;
    const notes: string[] = [];
    const note = (text: string) => notes.push(text);
    const oneIn = this.#number("corrupt");
    const flips = oneIn !== undefined && this.#replies % Math.max(1, oneIn) === 0;
    const keep = this.#faults.get("truncate");
    const stray = this.#number("stray");
    const other = this.#faults.get("wrong-unit");
    const asUnit = other === undefined ? unit : typeof other === "number" ? other : unit + 1;
    const lateMs = this.#number("late");
    this.#faults.delete("late");
    const delayMs = this.delayMs + (lateMs ?? 0);
    if (delayMs > 0) note(`late ${delayMs} ms`);
    if (flips) note("corrupt");
    if (keep !== undefined) note("truncated");
    if (stray !== undefined) note("stray byte");
    if (other !== undefined) note(`as unit ${asUnit & 0xff}`);
    return {
      unit: asUnit & 0xff,
      pdu,
      delayMs,
      ...(flips ? { flip: this.#replies } : {}),
      ...(keep === undefined ? {} : { keep: typeof keep === "number" ? keep : "half" }),
      ...(stray === undefined ? {} : { stray: stray & 0xff }),
      notes,
    };
  }

  #number(name: DeviceFaultName): number | undefined {
    const value = this.#faults.get(name);
    return typeof value === "number" ? value : undefined;
  }

  /** Once less; false when there was none left. */
  #counts(name: DeviceFaultName, left: number): boolean {
    if (left <= 1) this.#faults.delete(name);
    else this.#faults.set(name, left - 1);
    return left >= 1;
  }
}

/** What a fault means when no number is given. */
function usual(name: DeviceFaultName): Held {
  switch (name) {
    case "delay":
      return 100;
    case "late":
      return lateUsualMs;
    case "exception":
      return 4;
    case "corrupt":
      return 1;
    case "stray":
      return 0;
    case "scan":
      return 20;
    default:
      return true;
  }
}

function clampOf(value: FaultValue | undefined) {
  const found = /^(?:([a-z]\w*)=)?(\d+)$/i.exec(String(value));
  if (found === null) {
    throw new SimProblem(
      `clamp:${value} is not understood; write clamp:number or clamp:point=number.`,
    );
  }
  const only = found[1];
  return { most: Number(found[2]), ...(only === undefined ? {} : { only }) };
}

/** What is left of a frame after truncation, a wrong bit and a stray byte. */
export function spoilt(frame: Uint8Array, reply: SimReply): Uint8Array {
  const { flip, keep, stray } = reply;
  let bytes = frame.slice();
  if (flip !== undefined) {
    // The bit wanders over the frame, so that every field is hit in time.
    const bit = (flip * 7) % (8 * bytes.length);
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  }
  if (keep !== undefined) {
    bytes = bytes.slice(0, keep === "half" ? bytes.length >> 1 : Math.min(keep, bytes.length));
  }
  return stray === undefined ? bytes : Uint8Array.of(stray, ...bytes);
}
