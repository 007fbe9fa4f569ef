/**
 * Writes down what happens in a world, in the form that judges read.
 *
 * The idea: one place listens to the broker, the stop sockets, the disks and the plants, and turns
 * what it hears into lines of the trace; the apps do not know of it. It refuses to judge.
 */
import type { Json } from "#drivers/reading.js";
import type { HoldBeat, HoldFeedback } from "#kernel/contract/hold-payloads.js";
import type {
  CloudEvent,
  Command,
  Response,
  StateAxis,
  StopAck,
  StopOrder,
} from "#kernel/contract/payloads.js";
import type { Statement } from "#kernel/ports.js";
import type { TraceLine, VerdictLine } from "../judges/trace.js";
import type { MemoryStopSockets } from "./stop-sockets.js";
import type { VirtualClock } from "./virtual-clock.js";
import type { WorldBroker } from "./world-broker.js";
import type { WorldPlants } from "./world-plants.js";

/** Requests to a driver that ask for no motion and are in no journal. */
const still: ReadonlySet<string> = new Set(["lease", "release-lease", "query", "reset"]);
const stopVerbs = /^cmd\/(cell|axis\/[^/]+)\/(stop|quickStop|abort)$/;
const leaseEvents = /^event\/axis\/([^/]+)\/lease\.(granted|ended)$/;
const choices = /^cmd\/run\/(makeSafe|retry|skip|abandon)$/;
const commands = /^cmd\/axis\/([^/]+)\/([^/]+)$/;

export interface WatchParts {
  readonly clock: VirtualClock;
  readonly broker: WorldBroker;
  readonly stopSockets: MemoryStopSockets;
  readonly plants: WorldPlants;
  readonly devices: ReadonlySet<string>;
  /** The coordinator has to have every event. */
  readonly rules: boolean;
  readonly emit: (line: TraceLine) => void;
  /** The boot of the driver of this device that lives now. */
  readonly bootOf: (device: string) => string;
}

/** `driver-x#3` → `driver-x`. */
function serviceOf(owner: string): string {
  const end = owner.indexOf("#");
  return end < 0 ? owner : owner.slice(0, end);
}

export class WorldWatch {
  readonly #parts: WatchParts;
  readonly #cells = { state: "" };
  readonly #words = new Map<string, string>();
  readonly #grips = new Map<string, boolean>();
  readonly #runs = new Map<string, string>();
  /** What is asked for by each press that a driver was asked to lend its axis for. */
  readonly #presses = new Map<string, { readonly velocity: Json; readonly bypass: Json }>();

  constructor(parts: WatchParts) {
    this.#parts = parts;
    const { broker, stopSockets, emit, clock, bootOf } = parts;
    stopSockets.onDelivered = (device, _kind, { id }) => {
      const boot = bootOf(device);
      emit({ at: clock.nowMs, kind: "stopDelivered", device, id, road: "socket", boot });
    };
    broker.onPublished = (from, path, payload) => this.#published(from, path, payload);
    broker.onDelivered = (to, path, payload) => this.#delivered(to, path, payload);
  }

  /** A disk has taken this. */
  committed(service: string, statements: readonly Statement[]): void {
    for (const { sql, params = [] } of statements) {
      const texts = params.map(String);
      if (sql.startsWith("INSERT INTO outgoing")) this.#kept(service, texts);
      else if (sql.startsWith("INSERT INTO heard")) this.#taken(service, texts);
      else if (sql.includes("INTO run_events")) this.#intent(texts);
    }
  }

  #kept(source: string, [seq, , text = ""]: readonly string[]): void {
    const { id, subject, type } = JSON.parse(text) as { [name: string]: string };
    const path = `event/${subject}/${type?.replace(/^[a-z]+\./, "")}`;
    const at = this.#parts.clock.nowMs;
    const what = { source, by: source, seq: Number(seq), id: id ?? "", path };
    this.#parts.emit({ at, kind: "event", way: "kept", ...what });
  }

  #taken(by: string, [source = "", seq]: readonly string[]): void {
    const at = this.#parts.clock.nowMs;
    const what = { source, by, seq: Number(seq), id: "", path: "" };
    this.#parts.emit({ at, kind: "event", way: "taken", ...what });
  }

  #intent([run = "", , type, data = ""]: readonly string[]): void {
    if (type !== "intent") return;
    const { id, step, part } = JSON.parse(data) as { [name: string]: string };
    const at = this.#parts.clock.nowMs;
    const what = { id: id ?? "", run, step: step ?? "", part: part ?? "run" };
    this.#parts.emit({ at, kind: "intent", ...what });
  }

  #delivered(to: string, path: string, payload: unknown): void {
    const commanded = path.startsWith("cmd/");
    if (!commanded && !path.startsWith("event/")) return;
    const { devices, emit, clock } = this.#parts;
    const at = clock.nowMs;
    const service = serviceOf(to);
    if (!commanded) {
      const has = service === "coordinator" && this.#parts.rules;
      if (has) this.#event("heard", service, path, payload);
      return;
    }
    if (service === "coordinator") this.#coordinatorHears(at, path, payload);
    const device = service.startsWith("driver-") ? service.slice(7) : undefined;
    if (device === undefined || !devices.has(device)) return;
    const boot = to.replace("#", "-");
    if (path.endsWith("/beat")) emit({ at, kind: "beat", device, boot });
    if (path === `cmd/axis/${device}/jog`) {
      const { hold, epoch, nonce, ttlMs } = payload as HoldBeat;
      const said = nonce === undefined ? {} : { nonce };
      emit({ at, kind: "echo", device, hold, epoch, ttlMs, ...said });
    }
    if (!stopVerbs.test(path)) return;
    const order = payload as StopOrder;
    if (order.axes !== undefined && !order.axes.includes(device)) return;
    emit({ at, kind: "stopDelivered", device, id: order.id, road: "mqtt", boot });
  }

  #coordinatorHears(at: number, path: string, payload: unknown): void {
    const { emit } = this.#parts;
    const [, choice] = choices.exec(path) ?? [];
    if (choice !== undefined) {
      const { args } = payload as Command;
      emit({ at, kind: "chosen", run: String(args.run), choice });
    }
    if (!path.startsWith("cmd/cell/") || !stopVerbs.test(path)) return;
    const { id, axes, latch } = payload as StopOrder;
    if (axes === undefined && latch !== false) emit({ at, kind: "stopHeard", id });
  }

  #published(from: string, path: string, payload: unknown): void {
    const { emit, clock } = this.#parts;
    const at = clock.nowMs;
    if (path.startsWith("event/")) {
      this.#event("published", serviceOf(from), path, payload);
      this.#lease(at, path, payload);
    } else if (path.startsWith("telemetry/hold/")) {
      this.#holdSaid(at, path.slice(15), payload as HoldFeedback);
    } else if (path.startsWith("res/stop/")) this.#stopAck(at, payload as StopAck);
    else if (path.startsWith("res/")) this.#verdict(at, from, payload as Response);
    else if (path.startsWith("state/axis/")) this.#axis(at, path.slice(11), payload as StateAxis);
    else if (path === "state/run") this.#runStates(at, payload);
    else if (path === "state/cell") {
      const { state } = payload as { state: string };
      if (state !== this.#cells.state) emit({ at, kind: "cell", state });
      this.#cells.state = state;
    } else if (path.startsWith("cmd/axis/")) this.#command(at, from, path, payload);
  }

  #lease(at: number, path: string, payload: unknown): void {
    const found = leaseEvents.exec(path);
    if (found === null) return;
    const { epoch, reason } = (payload as { data: { epoch?: number; reason?: string } }).data;
    const change = found[2] === "granted" ? "granted" : "ended";
    const why = reason === undefined ? {} : { reason };
    const device = found[1] ?? "";
    this.#parts.emit({ at, kind: "lease", device, change, epoch: epoch ?? 0, ...why });
  }

  #command(at: number, from: string, path: string, payload: unknown): void {
    const [, device = "", verb = ""] = commands.exec(path) ?? [];
    const { id, args, lease } = payload as Command;
    if (args?.kind === "hold") {
      const { hold, velocity = 0, bypass = [] } = args;
      this.#presses.set(String(hold), { velocity, bypass });
    }
    if (device === "" || still.has(verb) || args === undefined) return;
    const body = JSON.stringify({ verb, args, lease });
    this.#parts.emit({ at, kind: "command", from: serviceOf(from), id, device, verb, body });
  }

  /** The first nonce of a press begins a command that nobody publishes: that of its motion. */
  #holdSaid(at: number, device: string, word: HoldFeedback): void {
    const { emit } = this.#parts;
    const { hold, epoch, state, nonce, reason } = word;
    const args = this.#presses.get(hold);
    if (args !== undefined && state !== "ended") {
      this.#presses.delete(hold);
      const body = JSON.stringify({ verb: "jog", args, lease: { epoch } });
      emit({ at, kind: "command", from: "gateway", id: hold, device, verb: "jog", body });
    }
    const said = nonce === undefined ? {} : { nonce };
    const why = reason === undefined ? {} : { reason };
    emit({ at, kind: "holdSaid", device, hold, epoch, state, ...said, ...why });
  }

  #stopAck(at: number, { axis, id, status }: StopAck): void {
    if (status !== "confirmed") return;
    const { position, moving } = this.#parts.plants.truth(axis);
    const done = { id, device: axis, verdict: "done", position, moving } as const;
    this.#parts.emit({ at, kind: "verdict", ...done });
  }

  #verdict(at: number, from: string, { id, verdict }: Response): void {
    const service = serviceOf(from);
    if (!service.startsWith("driver-") || verdict === undefined) return;
    const device = service.slice(7);
    const truth = this.#parts.plants.truth(device);
    const line: VerdictLine = {
      at,
      kind: "verdict",
      id,
      device,
      verdict: verdict.verdict,
      ...("code" in verdict && { code: verdict.code }),
      position: truth.position,
      moving: truth.moving,
    };
    this.#parts.emit(line);
  }

  #axis(at: number, device: string, state: StateAxis): void {
    this.#held(at, device, state);
    const text = wordsOf(state);
    if (this.#words.get(device) === text) return;
    this.#words.set(device, text);
    this.#parts.emit({ at, kind: "said", device, text });
  }

  #held(at: number, device: string, { gripped }: StateAxis): void {
    if (gripped === undefined || this.#grips.get(device) === gripped) return;
    this.#grips.set(device, gripped);
    this.#parts.emit({ at, kind: "held", device, held: gripped });
  }

  #runStates(at: number, payload: unknown): void {
    type Seen = { run: string; saga: string; state: string; endedAt?: number };
    for (const { run, saga, state, endedAt } of (payload as { runs: Seen[] }).runs) {
      const ended = endedAt !== undefined;
      const now = `${state} ${ended}`;
      if (this.#runs.get(run) === now) continue;
      this.#runs.set(run, now);
      this.#parts.emit({ at, kind: "run", run, saga, state, ended });
    }
  }

  #event(way: "published" | "heard", by: string, path: string, payload: unknown): void {
    const { id, source, sequence: seq } = payload as CloudEvent;
    if (seq === undefined) return;
    const at = this.#parts.clock.nowMs;
    this.#parts.emit({ at, kind: "event", way, source, by, seq, id, path });
  }
}

function wordsOf({ q, state, driveState, homed, enabled, moving, faultCode }: StateAxis): string {
  const flag = (name: string, value: boolean | undefined) => {
    return value === undefined ? `${name} unknown` : value ? name : `not ${name}`;
  };
  const words = [q, state, driveState ?? "drive unknown", flag("enabled", enabled)];
  const fault = faultCode === undefined || faultCode === 0 ? [] : [`fault ${faultCode}`];
  return [...words, flag("homed", homed), flag("moving", moving), ...fault].join(", ");
}

/** What the last retained state of a device says, beside what is true of it. */
export function lastState(
  at: number,
  device: string,
  said: Partial<StateAxis> | undefined,
  truth: { readonly position: number; readonly moving: boolean },
): TraceLine {
  return {
    at,
    kind: "lastState",
    device,
    q: said?.q ?? "missing",
    ...(said?.position !== undefined && { position: said.position }),
    ...(said?.moving !== undefined && { moving: said.moving }),
    truePosition: truth.position,
    trueMoving: truth.moving,
  };
}
