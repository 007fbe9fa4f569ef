/**
 * The frame of one axis at work: the driver's places in, the drive's counts out, and back.
 *
 * The idea: readings are unwrapped as they come, commands are turned into the drive's own frame
 * as they leave, and a relative move becomes an absolute one from the place that was commanded
 * last, so that a thousand small moves end where they should (MO-16). What must outlive the
 * process is handed to the journal at standstill. It refuses to call an axis homed whose
 * reference was lost, whatever the drive's own bit says.
 */
import type { DeviceModel, DeviceView } from "#drivers/device-model.js";
import type { Detail, Ms, Reading, Verdict } from "#drivers/reading.js";
import { textOf } from "#kernel/errors.js";
import type { Log } from "#kernel/ports.js";
import {
  type FrameFacts,
  type FrameInput,
  type FrameState,
  frameAtStart,
  nearest,
  nextFrame,
  type StoredFrame,
  toCounter,
  unwrapped,
  within,
} from "./axis-frame.machine.js";
import type { Journal } from "./journal.js";
import type { Outbox } from "./outbox.js";

/** Turns of the axis that a stored count survives without anybody watching. */
const driftTurnsMax = 0.25;

/** What an operation is asked for in the drive's own frame. */
export interface PlannedCommand {
  readonly verb: string;
  readonly args: { readonly [name: string]: number };
  /** Where a move is to end, unwrapped; undefined: it has no such place. */
  readonly place: number | undefined;
}

export interface AxisFrameListeners {
  readonly onReferenceLost: (why: string) => void;
  readonly save: (stored: StoredFrame) => void;
}

export class AxisFrame {
  readonly #model: DeviceModel;
  readonly #facts: FrameFacts | undefined;
  readonly #listeners: AxisFrameListeners;
  #state: FrameState = frameAtStart(undefined);
  #saved: StoredFrame | undefined;
  #homing = false;

  constructor(model: DeviceModel, listeners: AxisFrameListeners) {
    this.#model = model;
    this.#facts = factsOf(model);
    this.#listeners = listeners;
  }

  /** Another one whenever the frame has changed: what was seen in it before counts no longer. */
  get mark(): object {
    return this.#state;
  }

  /** What an earlier start has kept; before the first reading. */
  restore(stored: StoredFrame | undefined): void {
    this.#saved = stored;
    this.#state = frameAtStart(stored);
  }

  /** A view fresh from the drive. */
  observe(view: DeviceView): void {
    if (this.#facts === undefined) return;
    const { position, homed, fault, faultCode } = view;
    const last = this.#state.last?.atMs ?? Number.NEGATIVE_INFINITY;
    if (position.ok && position.atMs > last) {
      const { value, atMs } = position;
      this.#apply({
        kind: "read",
        position: value,
        atMs,
        homed: homed.ok ? homed.value : undefined,
        homing: this.#homing,
      });
    }
    const alarm = fault.ok && fault.value && faultCode.ok ? faultCode.value : undefined;
    const facts = alarm === undefined ? undefined : this.#model.alarm?.(alarm);
    if (facts?.positionLost === true) {
      this.#apply({ kind: "positionLost", why: `alarm ${alarm}: ${facts.title}` });
    }
  }

  /** The same view in the frame of the axis: position unwrapped, homed only while it counts. */
  see(view: DeviceView): DeviceView {
    const facts = this.#facts;
    if (facts === undefined) return view;
    const { position, homed } = view;
    const { wraps, lost } = this.#state;
    return {
      ...view,
      ...(position.ok && wraps !== 0
        ? { position: { ...position, value: unwrapped(this.#state, position.value, facts) } }
        : {}),
      ...(lost === undefined ? {} : { homed: unhomed(homed) }),
    };
  }

  /** For people: a modulo axis within its turn. */
  shown(view: DeviceView): DeviceView {
    const modulo = this.#model.setup.axis?.modulo;
    const { position } = view;
    if (modulo === undefined || !position.ok) return view;
    return { ...view, position: { ...position, value: within(position.value, modulo) } };
  }

  /** A place as people are told it. */
  shownPlace(place: number | undefined): number | undefined {
    return place === undefined ? undefined : within(place, this.#model.setup.axis?.modulo);
  }

  /** A command in user units, as the drive has to be asked. */
  plan(
    verb: string,
    args: { readonly [name: string]: number },
    position: Reading<number>,
  ): PlannedCommand {
    const facts = this.#facts;
    if (facts === undefined) return { verb, args, place: placeOf(verb, args, position) };
    if (verb === "moveTo" && args.position !== undefined) {
      const place = this.#towards(args.position, position);
      return { verb, args: { ...args, position: this.#counted(place, facts) }, place };
    }
    const { distance, ...others } = args;
    if (verb !== "moveBy" || distance === undefined || !position.ok) {
      return { verb, args, place: undefined };
    }
    const place = this.#base(position.value, facts) + distance;
    // From the exact place that was commanded, so that rounding does not add up. A device without
    // absolute moves counts for itself.
    if (!this.#model.verbs.has("moveTo")) return { verb, args, place };
    return { verb: "moveTo", args: { ...others, position: this.#counted(place, facts) }, place };
  }

  /** Something of ours, or a stop, moves the axis from here on. */
  unsettled(verb: string): void {
    this.#homing = verb === "home";
    this.#apply({ kind: "unsettled" });
  }

  ended(verb: string, verdict: Verdict, place: number | undefined): void {
    this.#homing = false;
    if (verdict.verdict !== "done") return;
    if (verb === "home") this.#apply({ kind: "homed" });
    else if ((verb === "moveTo" || verb === "moveBy") && place !== undefined) {
      this.#apply({ kind: "arrived", at: place });
    }
  }

  /** Contact was lost, or the drive has rebooted. */
  gap(): void {
    this.#apply({ kind: "gap" });
  }

  /** Places in a verdict, from the drive's frame into that of the axis. */
  told(verdict: Verdict): Verdict {
    const facts = this.#facts;
    const modulo = this.#model.setup.axis?.modulo;
    if (facts === undefined || (this.#state.wraps === 0 && modulo === undefined)) return verdict;
    const place = (value: number) => within(unwrapped(this.#state, value, facts), modulo);
    const told = (detail: Detail): Detail =>
      Object.fromEntries(
        Object.entries(detail).map(([key, value]) => [
          key,
          typeof value === "number" && placeKeys.has(key) ? place(value) : value,
        ]),
      );
    if (verdict.verdict === "done") return { ...verdict, result: told(verdict.result) };
    return verdict.detail === undefined ? verdict : { ...verdict, detail: told(verdict.detail) };
  }

  /** At standstill: what a later start needs is kept, where it differs from what is. */
  keep(): void {
    const { last, wraps, lost } = this.#state;
    const facts = this.#facts;
    if (facts === undefined || last === undefined) return;
    const saved = this.#saved ?? { wraps: 0, position: last.position };
    const away = wraps !== 0 && Math.abs(last.position - saved.position) > facts.tolerance;
    if (saved.wraps === wraps && saved.lost === lost && !away) return;
    const next = { wraps, position: last.position, ...(lost === undefined ? {} : { lost }) };
    this.#saved = next;
    this.#listeners.save(next);
  }

  #counted(place: number, facts: FrameFacts): number {
    const counted = toCounter(this.#state, place, facts);
    const { span } = facts;
    if (span === undefined || this.#model.counter?.targetsWrap !== true) return counted;
    return within(counted + span / 2, span) - span / 2;
  }

  #towards(target: number, position: Reading<number>): number {
    const modulo = this.#model.setup.axis?.modulo;
    if (modulo === undefined || !position.ok) return target;
    return nearest(target, position.value, modulo);
  }

  #base(position: number, facts: FrameFacts): number {
    const { commanded } = this.#state;
    if (commanded === undefined) return position;
    return Math.abs(position - commanded) <= facts.tolerance ? commanded : position;
  }

  #apply(input: FrameInput): void {
    const facts = this.#facts;
    const step = facts === undefined ? undefined : nextFrame(this.#state, input, facts);
    if (step === undefined) return;
    this.#state = step.state;
    for (const effect of step.effects) this.#listeners.onReferenceLost(effect.why);
  }
}

/** Who has to know: the operator when a reference is lost, the journal what to keep. */
export function frameListeners(parts: {
  readonly model: DeviceModel;
  readonly journal: Journal;
  readonly outbox: Outbox;
  readonly log: Log;
}): AxisFrameListeners {
  const { model, journal, outbox, log } = parts;
  return {
    onReferenceLost: (why) => {
      log.error({ mark: "reference.lost", why }, "the position reference is lost: home the axis");
      const text = `${model.setup.device} has lost its position reference: ${why}; home it again`;
      outbox.emit("axis", "fault", { text });
    },
    save: (stored) => {
      journal.saveFrame(stored).catch((thrown: unknown) => {
        log.warn({ error: textOf(thrown) }, "the count of the axis was not stored");
      });
    },
  };
}

/** Keys of results and details that are places of the axis. */
const placeKeys: ReadonlySet<string> = new Set(["position", "actual", "target"]);

function placeOf(
  verb: string,
  args: { readonly [name: string]: number },
  position: Reading<number>,
): number | undefined {
  if (verb === "moveTo") return args.position;
  if (verb !== "moveBy" || args.distance === undefined || !position.ok) return undefined;
  return position.value + args.distance;
}

function unhomed(homed: Reading<boolean>): Reading<boolean> {
  const atMs: Ms = homed.ok || homed.reason !== "not-in-profile" ? homed.atMs : 0;
  return { ok: true, value: false, atMs };
}

/** Undefined for a device without a place: an inverter, a gripper, remote I/O. */
function factsOf({ setup, counter }: DeviceModel): FrameFacts | undefined {
  const { axis } = setup;
  if (axis === undefined || axis.unit === "percent") return undefined;
  return {
    span: counter?.span,
    endless: axis.travel === undefined,
    velocityMax: axis.velocityMax,
    tolerance: axis.tolerance,
    driftMax: driftTurnsMax * axis.perRev,
  };
}
