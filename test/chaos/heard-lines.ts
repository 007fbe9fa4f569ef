/**
 * What was heard at the broker, as lines of a trace.
 *
 * The idea: an event or a command is placed where its sender's stamp says, because the broker may
 * be stalled or the message repeated; a state counts when it is heard. Every line says only what
 * the message says. It refuses messages that no judge knows.
 */
import type { TraceLine } from "#simulators/judges/trace.js";
import type { Heard } from "./observer.js";
import type { WallTimes } from "./wall-times.js";

type Json = Readonly<Record<string, unknown>>;

/** An acknowledged stop; when it was delivered is worked out beside the frames. */
export interface StopAckHeard {
  readonly device: string;
  readonly id: string;
  readonly boot: string;
  readonly orderedAt: number;
  readonly ackedAt: number;
}
export interface HeardLines {
  readonly lines: TraceLine[];
  readonly acks: StopAckHeard[];
}

/** Plants as a verdict sees them. */
export type PlantAt = (
  device: string,
  at: number,
  target?: number,
) => { readonly position: number; readonly moving: boolean };

/** What a command asks for. */
interface Known {
  readonly device: string;
  readonly verb: string;
  readonly target?: number;
}

export function heardLines(
  heard: readonly Heard[],
  times: WallTimes,
  plantAt: PlantAt,
): HeardLines {
  const reader = new Reader(times, plantAt);
  for (const one of heard) reader.read(one);
  return reader;
}

/** Answers of these say nothing of an axis. */
const silent: readonly string[] = ["lease", "release-lease", "query", "reset"];

class Reader implements HeardLines {
  readonly lines: TraceLine[] = [];
  readonly acks: StopAckHeard[] = [];
  readonly #times: WallTimes;
  readonly #plantAt: PlantAt;
  readonly #events = new Set<string>();
  readonly #verdicts = new Set<string>();
  readonly #orders = new Map<string, number>();
  readonly #acked = new Set<string>();
  readonly #runs = new Map<string, string>();
  readonly #boots = new Set<string>();
  readonly #commands = new Map<string, Known>();

  constructor(times: WallTimes, plantAt: PlantAt) {
    this.#times = times;
    this.#plantAt = plantAt;
  }

  read({ at, topic, retained, payload }: Heard): void {
    const [room = "", kind = "", id = "", type = ""] = topic.split("/");
    if (room === "event") this.#event(at, kind, id, type, payload);
    else if (room === "cmd" && /^(stop|quickStop|abort)$/.test(topic.split("/").at(-1) ?? "")) {
      const order = String(payload.id);
      if (!this.#orders.has(order)) this.#orders.set(order, at);
    } else if (room === "cmd" && kind === "axis") this.#command(at, id, type, payload);
    else if (room === "res" && kind === "stop") this.#stopAck(at, id, payload);
    else if (room === "res") this.#response(at, payload);
    else if (topic === "state/run") this.#run(at, payload);
    else if (topic === "state/cell") {
      this.lines.push({ kind: "cell", at, state: String(payload.state) });
    } else if (room === "avail" && !retained) this.#avail(at, kind, payload);
  }

  #event(at: number, kind: string, id: string, type: string, event: Json): void {
    const key = String(event.id);
    if (this.#events.has(key) || kind !== "axis") return;
    this.#events.add(key);
    if (type !== "lease.granted" && type !== "lease.ended") return;
    const source = String(event.source);
    const then = this.#times.monotonic(source, Date.parse(String(event.time)), at) ?? at;
    const { epoch, reason } = event.data as { epoch?: number; reason?: string };
    this.lines.push({
      kind: "lease",
      at: then,
      device: id,
      change: type === "lease.granted" ? "granted" : "ended",
      epoch: epoch ?? 0,
      ...(reason === undefined ? {} : { reason }),
    });
  }

  #command(at: number, device: string, verb: string, command: Json): void {
    const id = String(command.id);
    const from = String(command.replyTo);
    const stamped = this.#times.monotonic(from, Number(command.ts), at) ?? at;
    const { position } = (command.args ?? {}) as { position?: unknown };
    const place = typeof position === "number" ? { target: position } : {};
    this.#commands.set(id, { device, verb, ...place });
    const body = JSON.stringify({ verb, args: command.args, lease: command.lease });
    this.lines.push({ kind: "command", at: stamped, from, id, device, verb, body });
  }

  #stopAck(at: number, device: string, ack: Json): void {
    const { id, bootId, status } = ack as { id: string; bootId: string; status: string };
    if (status === "confirmed") {
      const then = this.#times.monotonic(`driver-${device}`, Number(ack.ts), at) ?? at;
      this.#verdict(then, id, device, { verdict: "done" });
    }
    const key = `${device} ${id} ${bootId}`;
    if (status !== "received" || this.#acked.has(key)) return;
    this.#acked.add(key);
    const orderedAt = this.#orders.get(id) ?? at;
    this.acks.push({ device, id, boot: bootId, orderedAt, ackedAt: at });
  }

  #response(at: number, response: Json): void {
    const id = String(response.id);
    const command = this.#commands.get(id);
    const verdict = response.verdict as { verdict?: string; code?: string } | undefined;
    if (command === undefined || verdict?.verdict === undefined) return;
    if (silent.includes(command.verb)) return;
    const source = String(response.source);
    const then = this.#times.monotonic(source, Number(response.ts), at) ?? at;
    this.#verdict(then, id, command.device, verdict);
  }

  #verdict(at: number, id: string, device: string, said: { verdict?: string; code?: string }) {
    const key = `${device} ${id}`;
    if (this.#verdicts.has(key)) return;
    const verdict = (["done", "refused", "faulted", "unknown"] as const).find(
      (one) => one === said.verdict,
    );
    if (verdict === undefined) return;
    this.#verdicts.add(key);
    const { code } = said;
    const more = code === undefined ? {} : { code };
    const plant = this.#plantAt(device, at, this.#commands.get(id)?.target);
    this.lines.push({ kind: "verdict", at, id, device, verdict, ...more, ...plant });
  }

  #run(at: number, state: Json): void {
    type Run = { run: string; saga: string; state: string; endedAt?: number };
    for (const { run, saga, state: now, endedAt } of (state.runs ?? []) as readonly Run[]) {
      const ended = endedAt !== undefined;
      if (this.#runs.get(run) === `${now} ${ended}`) continue;
      this.#runs.set(run, `${now} ${ended}`);
      this.lines.push({ kind: "run", at, run, saga, state: now, ended });
    }
  }

  /** A service has said for the first time that it is there: only now can it be counted on. */
  #avail(at: number, service: string, { status, bootId }: Json): void {
    const boot = String(bootId);
    if (status === "offline" || this.#boots.has(boot)) return;
    this.#boots.add(boot);
    this.lines.push({ kind: "started", at, node: `${service}#${boot.slice(-4)}` });
  }
}
