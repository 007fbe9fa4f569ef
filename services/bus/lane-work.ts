/**
 * The state of the lane scheduler while one input is worked on.
 *
 * The idea: the state with the verbs of lanes.machine.ts (refuse, repeat, dispatch), which collects
 * effects as it goes; it copies what it changes, and what it began with stays as it was. It
 * refuses to decide what an input means.
 */
import {
  exceptionNeverSent,
  exceptionNoValidReply,
  exceptionReply,
  isReadFunction,
} from "#drivers/pdu.js";
import type { Ms } from "#drivers/reading.js";
import { dataBytes, frameMsMax, readReplyBytes } from "#drivers/wire-time.js";
import { firstOf, orderOf } from "./lane-order.js";
import {
  afterReply,
  afterTimeout,
  afterWait,
  type Held,
  isBehind,
  isSilent,
  keptMs,
  probeIntervalMs,
  probeShare,
  queuedProbeShare,
} from "./lane-silence.js";
import {
  type Axis,
  answerMsMax,
  busyRetryMax,
  changed,
  dueAt,
  firstByteMsDefault,
  type LaneName,
  type LanesEffect,
  type LanesOptions,
  type LanesState,
  type LanesStep,
  linkGraceMs,
  queueMax,
  type Request,
  servedNow,
  stopRepeatMax,
  stopReplyMs,
  stopWindowMs,
  waitingMax,
} from "./lane-state.js";

/** The state while one input is worked on. */
export class Work {
  readonly nowMs: Ms;
  readonly waiting: Request[];
  readonly inFlight: Request[];
  silence: LanesState["silence"];
  #turns: LanesState["turns"];
  readonly #options: LanesOptions;
  #served: LanesState["served"];
  readonly #effects: LanesEffect[] = [];
  /** Carried out before the others: nobody's answer goes before a stop. */
  readonly #stops: LanesEffect[] = [];
  #busy: LanesState["busy"];
  #axes: LanesState["axes"];
  #window: LanesState["stops"];
  #turn: number;
  #heldBy: Held | undefined;
  link: LanesState["link"];
  heardAtMs: Ms;

  constructor(state: LanesState, nowMs: Ms) {
    this.nowMs = nowMs;
    this.waiting = [...state.waiting];
    this.inFlight = [...state.inFlight];
    this.silence = state.silence;
    this.#turns = state.turns;
    this.#options = state.options;
    this.#served = state.served;
    this.#busy = state.busy;
    this.#axes = state.axes;
    this.#window = state.stops;
    this.#turn = state.turn;
    this.#heldBy = state.held;
    this.link = state.link;
    this.heardAtMs = state.heardAtMs;
  }

  step(): LanesStep {
    return { state: this.#state(), effects: this.#stops.concat(this.#effects) };
  }

  #state(): LanesState {
    return {
      options: this.#options,
      link: this.link,
      waiting: this.waiting,
      inFlight: this.inFlight,
      served: this.#served,
      turns: this.#turns,
      turn: this.#turn,
      silence: this.silence,
      held: this.#heldBy,
      busy: this.#busy,
      axes: this.#axes,
      stops: this.#window,
      heardAtMs: this.heardAtMs,
    };
  }

  /** One exchange at a time, and a limit for the first byte. */
  get line(): boolean {
    return this.#options.firstByteMs !== undefined;
  }

  get #shared(): boolean {
    return (this.#options.unitCount ?? 1) > 1;
  }

  answer(request: Request, pdu: Uint8Array): void {
    this.#effects.push({ kind: "answer", key: request.key, pdu });
  }

  answerBad(request: Request): void {
    const code = request.left ? exceptionNoValidReply : exceptionNeverSent;
    this.answer(request, exceptionReply(request.pdu[0] ?? 0, code));
  }

  /** A tool that asks without end fills its own queue, never that of a unit's driver. */
  full({ unit, lane, client }: Request): boolean {
    if (lane === "poll" && this.waiting.length >= waitingMax) return true;
    if (this.waiting.length < queueMax) return false;
    const own = (r: Request) => (lane === "poll" ? r.client === client : r.unit === unit);
    return this.waiting.filter((r) => r.lane === lane && own(r)).length >= queueMax;
  }

  /** Unit 0 is everybody on a line: written only where all units take that, read never. */
  addressable({ unit, pdu }: Request): boolean {
    const { unit0 } = this.#options;
    if (unit !== 0 || unit0 === undefined || unit0 === "ordinary") return true;
    return unit0 === "broadcast" && !isReadFunction(pdu[0] ?? 0);
  }

  /** A read whose reply takes the line longer than a stop may wait for one frame [PROTOCOL 9]. */
  tooLong(pdu: Uint8Array): boolean {
    const { charMs } = this.#options;
    const fc = pdu[0] ?? 0;
    if (charMs === undefined || fc < 1 || fc > 4) return false;
    const count = 256 * (pdu[3] ?? 0) + (pdu[4] ?? 0);
    return (readReplyBytes + dataBytes(fc, count)) * charMs > frameMsMax;
  }

  setAxis(unit: number, axis: Axis | undefined): boolean {
    if (this.#axes.get(unit) === axis) return false;
    this.#axes = changed(this.#axes, unit, axis);
    return true;
  }

  stopCame(unit: number): void {
    this.refuse((r) => r.unit === unit && r.lane === "command");
    this.stopSeen(unit);
    if (!this.#options.stopBeside && this.inFlight.length > 0) this.#hurry();
  }

  /** A stop frame has come or is over: the window in which its like are waited for begins anew. */
  stopSeen(unit: number): void {
    const { atMs, had } = this.#window;
    const open = this.nowMs < atMs + stopWindowMs || this.#stopping();
    this.#window = { atMs: this.nowMs, had: new Set(open ? [...had, unit] : [unit]) };
  }

  #stopping(): boolean {
    const stops = (r: Request) => r.lane === "stop";
    return this.waiting.some(stops) || this.inFlight.some(stops);
  }

  #hurry(): void {
    this.#stops.push({ kind: "hurry" });
  }

  /** Takes requests out of the queue without an answer. */
  drop(which: (request: Request) => boolean): readonly Request[] {
    if (this.waiting.length === 0) return [];
    const gone = this.waiting.filter(which);
    if (gone.length > 0) {
      this.waiting.splice(0, this.waiting.length, ...this.waiting.filter((r) => !which(r)));
    }
    return gone;
  }

  /** Takes requests out of the queue and answers them. */
  refuse(which: (request: Request) => boolean): boolean {
    return this.drop(which).map((request) => this.answerBad(request)).length > 0;
  }

  setLink(up: boolean): void {
    this.link = up ? { up } : { up, sinceMs: this.nowMs };
    this.heardAtMs = -1;
    this.#heldBy = undefined;
    // The driver has to know that the connection broke before it writes again.
    if (!up) this.refuse((r) => r.lane === "command");
  }

  reconnect(): void {
    if (this.#options.reconnects === false) return;
    this.#effects.push({ kind: "reconnect" });
    this.setLink(false);
  }

  /** A command whose unit is being stopped: it was under way when the stop overtook it. */
  overtaken({ lane, unit }: Request): boolean {
    const stops = (r: Request) => r.unit === unit && r.lane === "stop";
    return lane === "command" && (this.waiting.some(stops) || this.inFlight.some(stops));
  }

  /** Whether there is any hope for this request now; a probe of a silent unit is noted. */
  reachable(request: Request): boolean {
    if (request.lane === "stop") return true;
    if (!this.link.up) {
      const graceEndsMs = this.link.sinceMs + linkGraceMs;
      if (request.lane === "command" || this.nowMs >= graceEndsMs) return false;
    }
    const silence = this.silence.get(request.unit);
    if (request.lane === "command" || !silence || !isSilent(silence)) return true;
    const most = this.line ? probeShare : queuedProbeShare;
    const share = this.#shared ? most : undefined;
    const intervalMs = probeIntervalMs(this.silence, request.unit, share);
    if (this.nowMs - silence.probedAtMs < intervalMs) return false;
    this.silence = changed(this.silence, request.unit, { ...silence, probedAtMs: this.nowMs });
    return true;
  }

  /** One more timeout in a row; from the third on the unit's other polls are not sent. */
  silent(request: Request): void {
    const { unit, sentAtMs, heldMs } = request;
    this.waited({ unit, sentAtMs }, false);
    if (isBehind(this.silence, this.#heldBy, { unit, nowMs: this.nowMs })) return;
    const before = this.silence.get(unit);
    const costMs = this.line ? this.nowMs - sentAtMs : keptMs(request, this);
    const after = afterTimeout(before, { sentAtMs, costMs });
    this.silence = changed(this.silence, unit, after);
    if (!this.line && this.#shared && heldMs === undefined) {
      const sinceMs = this.#heldBy?.unit === unit ? this.#heldBy.sinceMs : this.nowMs;
      this.#heldBy = { unit, sinceMs, atMs: this.nowMs };
    }
    if (!isSilent(after)) return;
    if (before === undefined || before.timeouts < after.timeouts) {
      this.#effects.push({ kind: "unit", unit, up: false });
    }
    this.refuse((r) => r.unit === unit && r.lane === "poll");
  }

  /**
   * A request has ended: if it waited behind a probe, that is the probe's cost. A gateway that
   * holds its port for a silent unit is heard again long after nobody waits for that any more.
   */
  waited({ unit, sentAtMs }: Pick<Request, "unit" | "sentAtMs">, heard: boolean): void {
    const held = this.#heldBy;
    if (held === undefined) return;
    const silence = this.silence.get(held.unit);
    if (silence !== undefined && unit !== held.unit) {
      const waited = afterWait(silence, held, { sentAtMs, nowMs: this.nowMs });
      this.silence = changed(this.silence, held.unit, waited);
    }
    this.#heldBy = heard || silence === undefined ? undefined : { ...held, atMs: this.nowMs };
  }

  /** A reply has come: what was sent before its request stands in nobody's way. */
  passed({ unit, sentAtMs, key }: Request): void {
    const heldMs = this.nowMs - sentAtMs;
    for (const [i, other] of this.inFlight.entries()) {
      const earlier = other.sentAtMs < sentAtMs || (other.sentAtMs === sentAtMs && other.key < key);
      if (other.unit === unit || !earlier) continue;
      this.inFlight[i] = { ...other, heldMs: Math.max(heldMs, other.heldMs ?? 0) };
    }
  }

  /** The unit itself has replied; whether that changes anything. */
  heard(unit: number): boolean {
    const wasBusy = this.#busy.has(unit);
    if (wasBusy) this.#busy = changed(this.#busy, unit, undefined);
    const before = this.silence.get(unit);
    if (before === undefined) return wasBusy;
    const after = afterReply(before);
    if (after !== undefined) {
      this.silence = changed(this.silence, unit, after);
      return true;
    }
    this.silence = changed(this.silence, unit, undefined);
    if (before.good > 0) this.#effects.push({ kind: "unit", unit, up: true });
    return true;
  }

  /** The unit is not read for a while; the read waits for that, and goes again a few times. */
  askAgain(request: Request, pauseMs: Ms): boolean {
    const busy = (request.busy ?? 0) + 1;
    if (!isReadFunction(request.pdu[0] ?? 0) || request.lane === "stop") return false;
    this.#busy = changed(this.#busy, request.unit, this.nowMs + pauseMs);
    if (busy > busyRetryMax) return false;
    this.waiting.push({ ...request, busy, left: true });
    return true;
  }

  /** Puts a stop into the queue once more; false: it had its repeats and was answered. */
  repeatStop(request: Request): boolean {
    // On a line a repeat keeps everybody from the wire: a unit that is known silent has one.
    const hopeless = this.line && isSilent(this.silence.get(request.unit));
    if (request.sends > stopRepeatMax || (hopeless && request.left)) {
      this.answerBad(request);
      return false;
    }
    this.waiting.unshift(request);
    return true;
  }

  expire(): boolean {
    if (this.waiting.length === 0) return false;
    return this.refuse((r) => this.nowMs >= dueAt(this, r));
  }

  /** Hands over all that may go now. */
  dispatch(): boolean {
    if (!this.link.up) return false;
    const before = this.#stops.length + this.#effects.length;
    const sent = () => this.#stops.length + this.#effects.length > before;
    const most = this.#options.inFlightMax ?? 1;
    const beside = this.#options.stopBeside;
    for (;;) {
      const stop = beside || this.inFlight.length === 0 ? this.#pick("stop") : undefined;
      if (stop === undefined) break;
      this.#send(stop);
      if (!beside && this.waiting.some((r) => r.lane === "stop")) this.#hurry();
    }
    if (!beside && (this.#stopping() || this.#held())) return sent();
    while (
      this.waiting.length > 0 &&
      this.inFlight.filter((r) => r.lane !== "stop").length < most
    ) {
      const request = this.#pick("command") ?? this.#pick("poll");
      if (request === undefined) break;
      this.#send(request);
    }
    return sent();
  }

  /** Whether the line waits for stop frames of an order that has reached some drivers only. */
  #held(): boolean {
    const { atMs, had } = this.#window;
    if (this.nowMs >= atMs + stopWindowMs) return false;
    return [...this.#axes].some(([unit, axis]) => {
      return axis === "moving" && !had.has(unit) && !isSilent(this.silence.get(unit));
    });
  }

  /** A client is gone; whether it had had a turn. */
  forget(client: number): boolean {
    const had = this.#turns.has(client);
    if (had) this.#turns = changed(this.#turns, client, undefined);
    return had;
  }

  #pick(lane: LaneName): Request | undefined {
    if (this.waiting.length === 0) return undefined;
    const able = this.waiting.filter((r) => r.lane === lane && this.#mayGo(r, lane));
    return able.length < 2 ? able[0] : firstOf(able, orderOf(this.#state(), lane));
  }

  /** One request per unit at a time; the stop path counts only its own. */
  #mayGo({ unit, pdu, key }: Request, lane: LaneName): boolean {
    if (lane === "stop") {
      // The frames of one axis keep their order, repeats included.
      const before = (r: Request) => r.unit === unit && r.lane === "stop" && r.key < key;
      const flies = (r: Request) => r.unit === unit && r.lane === "stop";
      return !this.inFlight.some(flies) && !this.waiting.some(before);
    }
    const busyMs = this.#busy.get(unit);
    if (busyMs !== undefined && this.nowMs < busyMs && isReadFunction(pdu[0] ?? 0)) return false;
    const stopWaits = this.waiting.some((r) => r.unit === unit && r.lane === "stop");
    return !stopWaits && !this.inFlight.some((r) => r.unit === unit);
  }

  #send(request: Request): void {
    const { key, lane, unit, pdu, client, sinceMs, left, busy } = request;
    const sends = request.sends + 1;
    const sentAtMs = this.nowMs;
    this.waiting.splice(this.waiting.indexOf(request), 1);
    this.inFlight.push({ key, lane, unit, pdu, client, sinceMs, left, busy, sends, sentAtMs });
    this.#served = servedNow(this.#served, lane, unit);
    this.#turn += 1;
    this.#turns = changed(this.#turns, client, this.#turn);
    const leftMs = answerMsMax - (this.nowMs - sinceMs);
    const stop = lane === "stop";
    const effects = stop ? this.#stops : this.#effects;
    const { replyTimeoutMs, firstByteMs } = this.#options;
    const timeoutMs = Math.min(stop && !this.line ? stopReplyMs : replyTimeoutMs, leftMs);
    const path = stop ? "stop" : "normal";
    const send = { kind: "send", key, attempt: sends, unit, pdu, timeoutMs, path } as const;
    if (firstByteMs === undefined) effects.push(send);
    else effects.push({ ...send, firstByteMs: firstByteMs.get(unit) ?? firstByteMsDefault });
  }
}
