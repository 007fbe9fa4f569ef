/**
 * Who may use the wire of one endpoint next.
 *
 * The idea: requests wait in three lanes. Stop goes next, beside what is in flight where the wire
 * allows it; commands go before polls; units take turns inside a lane. Every request is answered
 * exactly once and in bounded time: by the device's reply, by exception 0x0A (never on the wire)
 * or by 0x0B (on the wire, no valid reply) [PROTOCOL 4, 9]. A unit that has fallen silent costs
 * one probe per interval [DESIGN 8]. It refuses writes on the poll lane, and it knows no sockets,
 * no timers and no registers.
 */
import {
  exceptionNeverSent,
  exceptionNoValidReply,
  exceptionReply,
  isReadFunction,
} from "#drivers/pdu.js";
import type { Ms } from "#drivers/reading.js";
import {
  answerMsMax,
  dueAt,
  type LaneName,
  type LanesEffect,
  type LanesInput,
  type LanesOptions,
  type LanesState,
  type LanesStep,
  linkGraceMs,
  probeMs,
  queueMax,
  type Request,
  type Silence,
  silentAfter,
  stopRepeatMax,
  stopReplyMs,
  type WireOutcome,
} from "./lane-state.js";

const exceptionIllegalFunction = 0x01;

export function next(state: LanesState, input: LanesInput): LanesStep | undefined {
  const work = new Work(state, input.nowMs);
  const known = apply(work, input);
  const expired = work.expire();
  const sent = work.dispatch();
  return known || expired || sent ? work.step() : undefined;
}

/** Whether the input means anything in this state. */
function apply(work: Work, input: LanesInput): boolean {
  switch (input.kind) {
    case "request":
      admit(work, { ...input, sinceMs: input.nowMs, sends: 0, sentAtMs: 0, left: false });
      return true;
    case "wire": {
      const at = work.inFlight.findIndex((r) => r.key === input.key && r.sends === input.attempt);
      const [request] = at < 0 ? [] : work.inFlight.splice(at, 1);
      if (request === undefined) return false;
      settle(work, request, input.result);
      return true;
    }
    case "clientClosed":
      // A stop that has left once goes on: its repeats belong to the axis, not to the caller.
      return work.drop((r) => r.client === input.client && !r.left).length > 0;
    case "link":
      if (input.up === work.link.up) return false;
      work.setLink(input.up);
      return true;
    case "tick":
      return false;
    default:
      input satisfies never;
      return false;
  }
}

function admit(work: Work, { lane, unit, ...rest }: Request): void {
  const request: Request = { lane, unit, ...rest };
  if (lane === "stop") {
    work.refuse((r) => r.unit === unit && r.lane === "command");
  }
  const fc = request.pdu[0] ?? 0;
  if (lane === "poll" && !isReadFunction(fc)) {
    work.answer(request, exceptionReply(fc, exceptionIllegalFunction));
  } else if (work.overtaken(request) || work.count(unit, lane) >= queueMax) {
    work.answer(request, exceptionReply(fc, exceptionNeverSent));
  } else if (!work.reachable(request)) {
    work.answer(request, exceptionReply(fc, exceptionNeverSent));
  } else {
    work.waiting.push(request);
  }
}

function settle(work: Work, request: Request, result: WireOutcome): void {
  switch (result.kind) {
    case "reply":
      work.heardAtMs = work.nowMs;
      // A gateway that says 0x0B has waited for this unit in vain, as we would have.
      if (isException(result.pdu, exceptionNoValidReply)) work.silent(request);
      else work.silence.delete(request.unit);
      work.answer(request, result.pdu);
      return;
    case "notSent":
      if (request.lane === "stop" && result.why === "link-down") work.repeatStop(request);
      else work.answerBad(request);
      return;
    case "noReply": {
      const sent = { ...request, left: true };
      if (request.lane !== "stop") {
        if (result.why === "timeout") work.silent(request);
        work.answerBad(sent);
        return;
      }
      // A reply to anybody since then proves the connection: a new one would only cost the
      // neighbours theirs.
      const proved = work.heardAtMs >= request.sentAtMs;
      const again = work.repeatStop(sent);
      if (again && result.why === "timeout" && work.link.up && !proved) work.reconnect();
      return;
    }
    default:
      result satisfies never;
  }
}

function isException(pdu: Uint8Array, code: number): boolean {
  return ((pdu[0] ?? 0) & 0x80) !== 0 && pdu[1] === code;
}

/** The state while one input is worked on. */
class Work {
  readonly nowMs: Ms;
  readonly waiting: Request[];
  readonly inFlight: Request[];
  readonly silence: Map<number, Silence>;
  readonly #options: LanesOptions;
  readonly #served: { [L in LaneName]: number };
  readonly #effects: LanesEffect[] = [];
  /** Carried out before the others: nobody's answer goes before a stop. */
  readonly #stops: LanesEffect[] = [];
  link: LanesState["link"];
  heardAtMs: Ms;

  constructor(state: LanesState, nowMs: Ms) {
    this.nowMs = nowMs;
    this.waiting = [...state.waiting];
    this.inFlight = [...state.inFlight];
    this.silence = new Map(state.silence);
    this.#options = state.options;
    this.#served = { ...state.served };
    this.link = state.link;
    this.heardAtMs = state.heardAtMs;
  }

  step(): LanesStep {
    return { state: this.#state(), effects: [...this.#stops, ...this.#effects] };
  }

  #state(): LanesState {
    return {
      options: this.#options,
      link: this.link,
      waiting: this.waiting,
      inFlight: this.inFlight,
      served: this.#served,
      silence: this.silence,
      heardAtMs: this.heardAtMs,
    };
  }

  answer(request: Request, pdu: Uint8Array): void {
    this.#effects.push({ kind: "answer", key: request.key, pdu });
  }

  answerBad(request: Request): void {
    const code = request.left ? exceptionNoValidReply : exceptionNeverSent;
    this.answer(request, exceptionReply(request.pdu[0] ?? 0, code));
  }

  count(unit: number, lane: LaneName): number {
    return this.waiting.filter((r) => r.unit === unit && r.lane === lane).length;
  }

  /** Takes requests out of the queue without an answer. */
  drop(which: (request: Request) => boolean): readonly Request[] {
    const gone = this.waiting.filter(which);
    if (gone.length > 0) {
      this.waiting.splice(0, this.waiting.length, ...this.waiting.filter((r) => !which(r)));
    }
    return gone;
  }

  /** Takes requests out of the queue and answers them. */
  refuse(which: (request: Request) => boolean): boolean {
    const gone = this.drop(which);
    for (const request of gone) this.answerBad(request);
    return gone.length > 0;
  }

  setLink(up: boolean): void {
    this.link = up ? { up } : { up, sinceMs: this.nowMs };
    this.heardAtMs = -1;
    // The driver has to know that the connection broke before it writes again.
    if (!up) this.refuse((r) => r.lane === "command");
  }

  reconnect(): void {
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
    if (request.lane === "command" || !silence || silence.timeouts < silentAfter) return true;
    if (this.nowMs - silence.probedAtMs < probeMs) return false;
    this.silence.set(request.unit, { ...silence, probedAtMs: this.nowMs });
    return true;
  }

  /** One more timeout in a row; from the third on the unit's other polls are not sent. */
  silent(request: Request): void {
    const before = this.silence.get(request.unit);
    const timeouts = Math.min((before?.timeouts ?? 0) + 1, silentAfter);
    const probedAtMs = Math.max(request.sentAtMs, before?.probedAtMs ?? 0);
    this.silence.set(request.unit, { timeouts, probedAtMs });
    if (timeouts >= silentAfter) {
      this.refuse((r) => r.unit === request.unit && r.lane === "poll");
    }
  }

  /** Puts a stop first in the queue once more; false: it had its repeats and was answered. */
  repeatStop(request: Request): boolean {
    if (request.sends > stopRepeatMax) {
      this.answerBad(request);
      return false;
    }
    this.waiting.unshift(request);
    return true;
  }

  expire(): boolean {
    const state = this.#state();
    return this.refuse((r) => this.nowMs >= dueAt(state, r));
  }

  /** Hands over all that may go now. */
  dispatch(): boolean {
    if (!this.link.up) return false;
    const before = this.#stops.length + this.#effects.length;
    const sent = () => this.#stops.length + this.#effects.length > before;
    const most = this.#options.inFlightMax ?? 1;
    for (;;) {
      const stopMayGo = this.#options.stopBeside || this.inFlight.length === 0;
      const stop = stopMayGo ? this.#pick("stop") : undefined;
      if (stop === undefined) break;
      this.#send(stop);
    }
    if (!this.#options.stopBeside && this.waiting.some((r) => r.lane === "stop")) {
      return sent();
    }
    while (this.inFlight.filter((r) => r.lane !== "stop").length < most) {
      if (!this.#options.stopBeside && this.inFlight.some((r) => r.lane === "stop")) break;
      const request = this.#pick("command") ?? this.#pick("poll");
      if (request === undefined) break;
      this.#send(request);
    }
    return sent();
  }

  /** The next unit's oldest request of a lane, among the units that may be asked now. */
  #pick(lane: LaneName): Request | undefined {
    let best: Request | undefined;
    const turn = (unit: number) => (unit - this.#served[lane] + 511) % 256;
    for (const request of this.waiting) {
      if (request.lane !== lane || this.#unitBusy(request.unit, lane)) continue;
      if (best === undefined || turn(request.unit) < turn(best.unit)) best = request;
    }
    return best;
  }

  /** One request per unit at a time; the stop path counts only its own. */
  #unitBusy(unit: number, lane: LaneName): boolean {
    if (lane === "stop") return this.inFlight.some((r) => r.unit === unit && r.lane === "stop");
    const stopWaits = this.waiting.some((r) => r.unit === unit && r.lane === "stop");
    return stopWaits || this.inFlight.some((r) => r.unit === unit);
  }

  #send(request: Request): void {
    const sent = { ...request, sends: request.sends + 1, sentAtMs: this.nowMs };
    this.waiting.splice(this.waiting.indexOf(request), 1);
    this.inFlight.push(sent);
    this.#served[request.lane] = request.unit;
    const leftMs = answerMsMax - (this.nowMs - request.sinceMs);
    const stop = request.lane === "stop";
    const effects = stop ? this.#stops : this.#effects;
    effects.push({
      kind: "send",
      key: request.key,
      attempt: sent.sends,
      unit: request.unit,
      pdu: request.pdu,
      timeoutMs: Math.min(stop ? stopReplyMs : this.#options.replyTimeoutMs, leftMs),
      path: stop ? "stop" : "normal",
    });
  }
}
