/**
 * The driver's side of the lanes: one request in flight per device, and replies made values.
 *
 * The idea: commands and polls take turns, commands first; a stop takes no turn at all. What is
 * looked at before a frame is looked at here, in the same tick in which the frame is handed over
 * [PROTOCOL 4]. It refuses to send what its caller no longer allows.
 */
import type { DeviceModel, PointValues, ReadRequest } from "#drivers/device-model.js";
import { matchReply } from "#drivers/pdu.js";
import type { BadReason, Ms } from "#drivers/reading.js";
import type { Exchange, FieldLink, Lane } from "#kernel/ports.js";
import { ReadHoles, type SplitRead } from "./read-holes.js";

export type ReadOutcome =
  | { readonly ok: true; readonly values: PointValues; readonly sentAtMs: Ms }
  | {
      readonly ok: false;
      readonly reason: BadReason;
      /** The device said so itself: it is alive. */
      readonly answered: boolean;
      readonly exception?: number;
    };

type ReadFailure = ReadOutcome & { readonly ok: false };

export type WriteOutcome =
  | { readonly kind: "acked" }
  | { readonly kind: "exception"; readonly exception: number }
  | { readonly kind: "notSent" }
  | { readonly kind: "unknown" };

function joined(values: PointValues, more: PointValues): PointValues {
  const all = new Map(values);
  for (const [point, value] of more) all.set(point, value);
  return all;
}

/** What a write's exchange says, by the match of its reply. */
export function writeOutcome(pdu: Uint8Array, exchange: Exchange): WriteOutcome {
  if (exchange.kind === "notSent") return { kind: "notSent" };
  if (exchange.kind === "unknown") return { kind: "unknown" };
  const reply = matchReply(pdu, exchange.pdu);
  // Function 23 acknowledges by answering its read.
  if (reply.kind === "ack" || reply.kind === "words") return { kind: "acked" };
  if (reply.kind === "exception") return { kind: "exception", exception: reply.code };
  return { kind: "unknown" };
}

export interface DeviceIoListeners {
  /** Every request that came back with values, in order. */
  readonly onValues: (values: PointValues, sentAtMs: Ms) => void;
  /**
   * A write of a command was out while a stop left, and is settled now. Lanes do not keep their
   * order among each other, so it may have reached the device after the stop.
   */
  readonly onOvertaken: () => void;
  /** Until when reads on the poll lane wait; undefined: they need not. @default they need not */
  readonly quiet?: () => Promise<void> | undefined;
  /** How a read is made into two that leave a hole out. @default it cannot be */
  readonly split?: SplitRead;
}

export class DeviceIo {
  readonly #field: FieldLink;
  readonly #model: DeviceModel;
  readonly #listeners: DeviceIoListeners;
  readonly #holes: ReadHoles;
  #busy = false;
  /** Writes, stop frames included, that are not settled and may switch the device off. */
  #writesOut = 0;
  #commandsOut = 0;
  #settledAtMs = Number.NEGATIVE_INFINITY;
  #stops = 0;
  readonly #commands: (() => void)[] = [];
  readonly #polls: (() => void)[] = [];

  constructor(field: FieldLink, model: DeviceModel, listeners: DeviceIoListeners) {
    this.#field = field;
    this.#model = model;
    this.#listeners = listeners;
    this.#holes = new ReadHoles(listeners.split ?? (() => undefined));
    field.onChange(() => this.#holes.forget());
  }

  /** A command's write has no known end: whatever stands still now may start yet. */
  get commanding(): boolean {
    return this.#commandsOut > 0;
  }

  /**
   * Readings sent after this were sent after every write that may have switched it off; undefined:
   * one is still out.
   */
  get quietSinceMs(): Ms | undefined {
    return this.#writesOut > 0 ? undefined : this.#settledAtMs;
  }

  /**
   * A stop frame: no turn, no breaker, handed over before this returns. `keepsPower`: see
   * `commandFrame`; the same stop, sent again, may then go by the readings that it went by.
   */
  stopFrame(pdu: Uint8Array, keepsPower = false): Promise<Exchange> {
    this.#stops += 1;
    return keepsPower ? this.#field.exchange("stop", pdu) : this.#write("stop", pdu);
  }

  /**
   * A command frame. `allowed` is asked in the tick of the handover; false sends nothing.
   * `keepsPower`: it cannot switch the device off, so a reading before it still says whether it is
   * on (docs/adr/0002).
   */
  async commandFrame(
    pdu: Uint8Array,
    allowed: () => boolean,
    keepsPower = false,
  ): Promise<Exchange | undefined> {
    return this.#turn(this.#commands, () => {
      return allowed() ? this.#command(pdu, keepsPower) : Promise.resolve(undefined);
    });
  }

  async #command(pdu: Uint8Array, keepsPower: boolean): Promise<Exchange> {
    const before = this.#stops;
    this.#commandsOut += 1;
    const exchange = await (keepsPower
      ? this.#field.exchange("command", pdu)
      : this.#write("command", pdu));
    this.#commandsOut -= 1;
    const overtaken = this.#stops !== before && exchange.kind !== "notSent";
    if (overtaken) this.#listeners.onOvertaken();
    return exchange;
  }

  async #write(lane: Lane, pdu: Uint8Array): Promise<Exchange> {
    this.#writesOut += 1;
    const exchange = await this.#field.exchange(lane, pdu);
    this.#writesOut -= 1;
    this.#settledAtMs = performance.now();
    return exchange;
  }

  /**
   * One logical read of several requests; the first that fails ends it. What the device refuses for
   * a hole in it is read in parts. On the stop lane, for a stop that has to read before its first
   * frame, it takes no turn either.
   */
  async read(requests: readonly ReadRequest[], lane: Lane): Promise<ReadOutcome> {
    if (lane === "stop") this.#stops += 1;
    let values: PointValues | undefined;
    let firstSentAtMs: Ms | undefined;
    const left = [...this.#holes.all(requests)];
    for (let request = left.shift(); request !== undefined; request = left.shift()) {
      const { came, sentAtMs } = await this.#readOne(request, lane);
      firstSentAtMs ??= sentAtMs;
      if ("values" in came) {
        this.#listeners.onValues(came.values, sentAtMs);
        values = values === undefined ? came.values : joined(values, came.values);
      } else if (!this.#holes.refused(request, came.exception ?? 0)) {
        // Another device may answer when one does again.
        if (!came.answered) this.#holes.forget();
        return came;
      } else {
        left.unshift(...this.#holes.resolved(request));
      }
    }
    const sentAtMs = firstSentAtMs ?? performance.now();
    return { ok: true, values: values ?? new Map(), sentAtMs };
  }

  async #readOne(request: ReadRequest, lane: Lane) {
    if (lane === "poll") await this.#listeners.quiet?.();
    let sentAtMs = 0;
    const ask = () => {
      sentAtMs = performance.now();
      return this.#field.exchange(lane, request.pdu);
    };
    const exchange = await (lane === "stop"
      ? ask()
      : this.#turn(lane === "command" ? this.#commands : this.#polls, ask));
    return { came: this.#valuesOf(request, exchange), sentAtMs };
  }

  #valuesOf(request: ReadRequest, exchange: Exchange): { values: PointValues } | ReadFailure {
    if (exchange.kind !== "reply") return { ok: false, reason: exchange.why, answered: false };
    const decoded = this.#model.decode(request, exchange.pdu);
    if (typeof decoded !== "string") return { values: decoded };
    const failure = { ok: false, reason: decoded, answered: true } as const;
    const [, exception = 0] = exchange.pdu;
    return decoded === "exception" ? { ...failure, exception } : failure;
  }

  async #turn<T>(queue: (() => void)[], work: () => Promise<T>): Promise<T> {
    if (this.#busy) await new Promise<void>((resolve) => queue.push(resolve));
    this.#busy = true;
    try {
      return await work();
    } finally {
      this.#busy = false;
      const next = this.#commands.shift() ?? this.#polls.shift();
      if (next !== undefined) {
        // Taken before anybody else can ask.
        this.#busy = true;
        next();
      }
    }
  }
}
