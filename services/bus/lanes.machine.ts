/**
 * Who may use the wire of one endpoint next.
 *
 * The idea: requests wait in three lanes. Stop goes next, beside what is in flight where the wire
 * allows it; on a line nothing else is sent from an order to the last of its stop frames. Commands
 * go before polls; clients and units take turns inside a lane. Every request is answered exactly
 * once and in bounded time: by the device's reply, by exception 0x0A (never on the wire) or by
 * 0x0B (on the wire, no valid reply) [PROTOCOL 4, 9]. A silent unit costs one probe per interval, a
 * busy one a read per pause. It refuses writes on the poll lane, and it knows no sockets, no
 * timers and no registers.
 */
import {
  exceptionNeverSent,
  exceptionNoValidReply,
  exceptionReply,
  isReadFunction,
} from "#drivers/pdu.js";
import {
  busyPauseMs,
  type LanesInput,
  type LanesState,
  type LanesStep,
  type Request,
  type WireOutcome,
} from "./lane-state.js";
import { Work } from "./lane-work.js";

const exceptionIllegalFunction = 0x01;
/** What a device says that cannot give so many values at once [MODBUS 6.3]. */
const exceptionIllegalValue = 0x03;
const exceptionBusy = 0x06;

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
    case "request": {
      const { key, lane, unit, pdu, client, nowMs: sinceMs } = input;
      admit(work, { key, lane, unit, pdu, client, sinceMs, sends: 0, sentAtMs: 0, left: false });
      return true;
    }
    case "wire": {
      const at = work.inFlight.findIndex((r) => r.key === input.key && r.sends === input.attempt);
      const [request] = at < 0 ? [] : work.inFlight.splice(at, 1);
      if (request === undefined) return false;
      settle(work, request, input.result);
      return true;
    }
    case "late":
      work.waited({ unit: input.unit, sentAtMs: 0 }, true);
      return work.heard(input.unit);
    case "clientClosed": {
      const had = work.forget(input.client);
      // A stop that has left once goes on: its repeats belong to the axis, not to the caller.
      const gone = (r: Request) => r.client === input.client && !(r.left && r.lane === "stop");
      return work.drop(gone).length > 0 || had;
    }
    case "axis":
      return work.setAxis(input.unit, input.axis);
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

function admit(work: Work, request: Request): void {
  const { lane, unit } = request;
  const fc = request.pdu[0] ?? 0;
  if (!work.addressable(request)) {
    work.answer(request, exceptionReply(fc, exceptionNeverSent));
    return;
  }
  if (lane === "stop") work.stopCame(unit);
  if (lane === "poll" && !isReadFunction(fc)) {
    work.answer(request, exceptionReply(fc, exceptionIllegalFunction));
  } else if (lane === "poll" && work.tooLong(request.pdu)) {
    work.answer(request, exceptionReply(fc, exceptionIllegalValue));
  } else if (work.overtaken(request) || work.full(request)) {
    work.answer(request, exceptionReply(fc, exceptionNeverSent));
  } else if (!work.reachable(request)) {
    work.answer(request, exceptionReply(fc, exceptionNeverSent));
  } else {
    work.waiting.push(request);
  }
}

function settle(work: Work, request: Request, result: WireOutcome): void {
  if (request.lane === "stop") work.stopSeen(request.unit);
  switch (result.kind) {
    case "reply":
      settleReply(work, request, result.pdu);
      return;
    case "notSent":
      if (request.lane === "stop" && result.why === "link-down") work.repeatStop(request);
      else if (result.why === "not-sent" && gaveWay(work, request)) work.waiting.unshift(request);
      else work.answerBad(request);
      return;
    case "noReply":
      settleNoReply(work, { ...request, left: true }, result);
      return;
    default:
      result satisfies never;
  }
}

/**
 * The line has not sent it because a stop waits: it goes after that, within its own deadline. A
 * write to everybody does not: it would reach the stopped axis after its stop.
 */
function gaveWay(work: Work, request: Request): boolean {
  const { lane, unit } = request;
  if (!work.line || lane === "stop" || unit === 0 || work.overtaken(request)) return false;
  return work.waiting.some((r) => r.lane === "stop");
}

type NoReply = Extract<WireOutcome, { kind: "noReply" }>;

function settleReply(work: Work, request: Request, pdu: Uint8Array): void {
  work.heardAtMs = work.nowMs;
  work.waited(request, true);
  work.passed(request);
  // A gateway that says 0x0A or 0x0B has looked for this unit in vain, as we would have (EX-02).
  if (isException(pdu, exceptionNoValidReply) || isException(pdu, exceptionNeverSent)) {
    work.silent(request);
    work.answer(request, pdu);
    return;
  }
  work.heard(request.unit);
  if (isException(pdu, exceptionBusy) && work.askAgain(request, busyPauseMs)) return;
  work.answer(request, pdu);
}

function settleNoReply(work: Work, request: Request, result: NoReply): void {
  const { why, restMs } = result;
  const timedOut = why === "timeout";
  // It has replied, only nobody knows to what.
  if (restMs !== undefined) {
    work.heardAtMs = work.nowMs;
    work.heard(request.unit);
    if (work.askAgain(request, restMs)) return;
  }
  if (request.lane !== "stop") {
    if (timedOut) work.silent(request);
    // A read that went down with its connection changed nothing: it goes once more (RC-06, TX-03).
    const lost = why === "link-down" && !work.link.up && request.lane === "poll";
    if (lost && request.sends < 2) work.waiting.push(request);
    else work.answerBad(request);
    return;
  }
  // A reply to anybody since then proves the connection: a new one would only cost the
  // neighbours theirs. A line hears nobody else meanwhile, so there the others have their stops
  // first, and only a repeat without a reply to anybody is a reason.
  const proved = work.line
    ? request.sends < 2 || work.heardAtMs >= request.sinceMs
    : work.heardAtMs >= request.sentAtMs;
  if (timedOut && work.line) work.silent(request);
  const again = work.repeatStop(request);
  if (again && timedOut && work.link.up && !proved) work.reconnect();
}

function isException(pdu: Uint8Array, code: number): boolean {
  return ((pdu[0] ?? 0) & 0x80) !== 0 && pdu[1] === code;
}
