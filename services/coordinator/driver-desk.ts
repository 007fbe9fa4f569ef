/**
 * The coordinator's talk with the drivers: requests with one answer, and commands with several.
 *
 * The idea: a request goes out under one id, again after 500 ms, three times in all, and ends with
 * the driver's answer or without one; a command is sent when the run machine says so and its
 * answers go back to that machine. It refuses to queue: an answer that nobody waits for is news
 * for the runs or nothing.
 */
import type { Detail, Json, Verdict } from "#drivers/reading.js";
import type { By, Command, Response } from "#kernel/contract/payloads.js";
import type { Boot, Log, MessageLink } from "#kernel/ports.js";
import { acceptMsMax, sendsMax } from "./run-limits.js";
import type { Flight } from "./run-state.js";

/** Requests that may wait at once: leases, resets and queries of all devices and runs. */
const waitingMax = 1024;
/** Lease and reset requests are worthless later than their last repeat. */
const requestTtlMs = acceptMsMax * sendsMax;

export type Answer =
  | {
      readonly ok: true;
      readonly result: Detail;
      readonly said: { readonly bootId: string; readonly ts: number };
    }
  | { readonly ok: false; readonly code: string; readonly text: string };
/** `epoch`: that of the lease, where it was granted. */
export type LeaseAnswer = Answer & { readonly epoch?: number };
const beatless: Answer = {
  ok: false,
  code: "NOT_READY",
  text: "the coordinator's beats cannot leave; it would lapse",
};
const silent: Answer = { ok: false, code: "NOT_READY", text: "its driver does not answer" };

interface Request {
  readonly id: string;
  readonly device: string;
  readonly verb: string;
  readonly args: { readonly [name: string]: Json };
  readonly lease?: { readonly holder: string; readonly epoch: number };
  /** A person who asks; absent: this service. */
  readonly by?: By;
}

/** A press that a driver is asked to lend its axis for. */
export interface HoldWish {
  readonly hold: string;
  readonly device: string;
  readonly velocity: number;
  readonly bypass: readonly string[];
  readonly holder: string;
  readonly holderBootId: string;
}
export type HoldAnswer =
  | { readonly ok: true; readonly epoch: number }
  | { readonly ok: false; readonly code: string; readonly text: string };

export interface DriverNews {
  onAccepted(id: string): void;
  onRunning(id: string): void;
  onVerdict(id: string, verdict: Verdict): void;
}

export class DriverDesk {
  readonly #link: MessageLink;
  readonly #beats: MessageLink;
  readonly #boot: Boot;
  readonly #log: Log;
  readonly #waiting = new Map<string, (response: Response) => void>();

  constructor(ports: {
    readonly main: MessageLink;
    /** The connection of the beats and stops. */
    readonly stop: MessageLink;
    readonly boot: Boot;
    readonly log: Log;
  }) {
    this.#link = ports.main;
    this.#beats = ports.stop;
    this.#boot = ports.boot;
    this.#log = ports.log;
  }

  /** Why no run may have a lease of the device; undefined: it may. */
  mayLease: (device: string) => (Answer & { readonly ok: false }) | undefined = () => undefined;

  /**
   * A command of which its driver has no record was never sent. False after a start of the PC: its
   * last records may have been on their way to the disk [PROTOCOL 10].
   */
  recordsAreWhole: () => boolean = () => true;

  /**
   * Why a device is not even asked for its lease where the run can do without it: nobody would
   * answer, or it could not be commanded. Undefined: it is asked.
   */
  absent: (device: string) => LeaseAnswer | undefined = () => undefined;

  listen(news: DriverNews): void {
    this.#link.subscribe("response", { client: this.#boot.service }, ({ payload }) => {
      const waiter = this.#waiting.get(payload.id);
      if (waiter !== undefined) waiter(payload);
      else if (payload.status === "accepted") news.onAccepted(payload.id);
      else if (payload.status === "running") news.onRunning(payload.id);
      else news.onVerdict(payload.id, verdictOf(payload));
    });
  }

  /** Once; the machine repeats it. Without a broker the machine's own limit runs out. */
  send(flight: Flight): void {
    const { id, device, verb, args, epoch, ttlMs } = flight;
    const lease = { holder: this.#boot.service, epoch };
    this.#publish({ id, device, verb, args, lease }, ttlMs);
  }

  /** Not asked for while the beats that would keep it alive cannot leave [PROTOCOL 3]. */
  async lease(id: string, device: string): Promise<LeaseAnswer> {
    if (!this.#beats.connected) return beatless;
    const refused = this.mayLease(device);
    if (refused !== undefined) return refused;
    const args = { holder: this.#boot.service, bootId: this.#boot.bootId };
    const answer = await this.#request({ id, device, verb: "lease", args });
    if (!answer.ok) return answer;
    const { epoch } = answer.result;
    if (typeof epoch === "number") return { ...answer, epoch };
    return { ok: false, code: "INTERNAL", text: "a lease was granted without an epoch" };
  }

  /**
   * A lease of kind hold for another service: it lives by the echoes of a person's client. `id` is
   * the request's; the hold's own is that of the motion's command.
   */
  async hold(id: string, wish: HoldWish, by: By): Promise<HoldAnswer> {
    const { hold, device, velocity, bypass, holder, holderBootId } = wish;
    const { service: granter, bootId: granterBootId } = this.#boot;
    const who = { holder, bootId: holderBootId, granter, granterBootId };
    const args = { kind: "hold", hold, velocity, bypass: [...bypass], ...who };
    const answer = await this.#request({ id, device, verb: "lease", args, by });
    if (!answer.ok) return answer;
    const { epoch } = answer.result;
    if (typeof epoch === "number") return { ok: true, epoch };
    return { ok: false, code: "INTERNAL", text: "a hold was lent without an epoch" };
  }

  async release(id: string, device: string, epoch: number): Promise<void> {
    const lease = { holder: this.#boot.service, epoch };
    await this.#request({ id, device, verb: "release-lease", args: {}, lease });
  }

  /** What the driver knows of a command; no answer leaves it unknown. */
  async query(id: string, device: string, command: string): Promise<Verdict> {
    const answer = await this.#request({ id, device, verb: "query", args: { id: command } });
    const unknown = (text: string): Verdict => ({
      verdict: "unknown",
      code: "OUTCOME_UNKNOWN",
      text,
    });
    if (!answer.ok) return unknown(`its driver could not say: ${answer.text}`);
    const { known, status, verdict } = answer.result;
    if (known !== true && !this.recordsAreWhole()) {
      return unknown("its driver has no record of it, and the PC was started anew meanwhile");
    }
    if (known !== true) {
      const text = "the command never reached its driver; nothing was sent";
      return { verdict: "refused", code: "EXPIRED", text };
    }
    if (status === "received") {
      const text = "the command was received and never started";
      return { verdict: "refused", code: "SUPERSEDED", text };
    }
    const told = verdict as Verdict | undefined;
    return told ?? unknown("the command was started and has no verdict");
  }

  /** Names exactly the latches to be taken away; the answer lists what is left. */
  async reset(id: string, device: string, stops: readonly string[]): Promise<Answer> {
    return this.#request({ id, device, verb: "reset", args: { stops: [...stops] } });
  }

  #publish(request: Request, ttlMs: number): void {
    const { id, device, verb, args, lease, by } = request;
    const command: Command = {
      v: 1,
      id,
      ts: Date.now(),
      ttlMs,
      by: by ?? { user: this.#boot.service, role: "service" },
      replyTo: this.#boot.service,
      ...(lease === undefined ? {} : { lease: { ...lease } }),
      args: { ...args },
    };
    this.#link.publish("axisCommand", { axis: device, verb }, command).catch((thrown) => {
      this.#log.debug({ id, device, verb, error: String(thrown) }, "A command could not be sent.");
    });
  }

  async #request(request: Request): Promise<Answer> {
    if (this.#waiting.size >= waitingMax) return silent;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let sends = 0;
    const answer = new Promise<Answer>((resolve) => {
      const send = () => {
        if (sends === sendsMax) {
          resolve(silent);
          return;
        }
        sends += 1;
        timer = setTimeout(send, acceptMsMax);
        this.#publish(request, requestTtlMs);
      };
      this.#waiting.set(request.id, (response) => {
        const ended = answerOf(response);
        if (ended !== undefined) resolve(ended);
      });
      send();
    });
    const settled = await answer;
    clearTimeout(timer);
    this.#waiting.delete(request.id);
    return settled;
  }
}

function answerOf(response: Response): Answer | undefined {
  const { status, error, verdict } = response;
  if (status === "accepted" || status === "running") return undefined;
  if (status === "succeeded") {
    const result = response.result ?? (verdict?.verdict === "done" ? verdict.result : {});
    return { ok: true, result, said: { bootId: response.bootId, ts: response.ts } };
  }
  const refused = verdict?.verdict === "done" ? undefined : verdict;
  const code = error?.code ?? refused?.code ?? "INTERNAL";
  return { ok: false, code, text: error?.message ?? refused?.text ?? status };
}

/** A terminal answer without a verdict is read as the worst that it may mean [PROTOCOL 15]. */
function verdictOf(response: Response): Verdict {
  const { status, error, verdict, result } = response;
  if (verdict?.verdict === "done") return { verdict: "done", result: verdict.result };
  if (verdict !== undefined) {
    const { detail, ...rest } = verdict;
    return detail === undefined ? rest : { ...rest, detail };
  }
  if (status === "succeeded") return { verdict: "done", result: result ?? {} };
  const code = error?.code ?? (status === "expired" ? "EXPIRED" : "OUTCOME_UNKNOWN");
  const text = error?.message ?? `the driver says ${status}`;
  if (status === "expired") return { verdict: "refused", code, text };
  return { verdict: status === "unknown" ? "unknown" : "faulted", code, text };
}
