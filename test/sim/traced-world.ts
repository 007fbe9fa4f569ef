/**
 * A world of the demo cell that is watched: the lines that judges read, from its ports.
 *
 * The idea: the world's own trace passes through, and what it lacks is taken where it happens: at
 * the simulated devices, at the broker and at the coordinator's disk. It refuses to judge.
 */
import type {
  Command,
  Response,
  RunRecord,
  StateAxis,
  StopAck,
} from "#kernel/contract/payloads.js";
import type { Statement } from "#kernel/ports.js";
import type { JudgeFacts } from "#simulators/judges/judge.js";
import type { TraceLine } from "#simulators/judges/trace.js";
import type { CellWorld } from "#simulators/world/cell-world.js";
import { judgeFacts, unitsPerCount } from "#simulators/world/judge-facts.js";
import { demoCell, makeWorld } from "../fixtures/world-cell.js";

export class TracedWorld {
  readonly trace: TraceLine[] = [];
  readonly world: CellWorld;
  readonly #shown = new Map<string, StateAxis>();
  readonly #commands = new Set<string>();
  #stops: readonly { readonly id: string }[] = [];

  constructor(seed: number) {
    this.world = makeWorld(seed, (statements) => this.#committed(statements));
    const own = this.world.trace;
    const push = own.push.bind(own);
    own.push = (...lines) => {
      // Runs are told in full below.
      this.trace.push(...(lines.filter(({ kind }) => kind !== "run") as TraceLine[]));
      return push(...lines);
    };
    this.#watchDevices();
    const { onPublished } = this.world.broker;
    this.world.broker.onPublished = (from, path, payload) => {
      onPublished(from, path, payload);
      this.#published(from, path, payload);
    };
  }

  get #at(): number {
    return this.world.clock.nowMs;
  }

  facts(healedMs: number): JudgeFacts {
    return judgeFacts(demoCell(), { healedMs, endMs: this.#at });
  }

  /** What is found at the end of a healed world. */
  close(): void {
    for (const [device, state] of this.#shown) {
      const truth = this.#truthOf(device);
      const { q, position, moving } = state;
      this.trace.push({
        kind: "lastState",
        at: this.#at,
        device,
        q,
        ...(position === undefined ? {} : { position }),
        ...(moving === undefined ? {} : { moving }),
        truePosition: truth.position,
        trueMoving: truth.moving,
      });
      if (state.lease !== undefined) this.#left("lease", `${device} for ${state.lease.holder}`);
      for (const id of state.latched) this.#left("latch", `${id} of ${device}`);
    }
    for (const { id } of this.#stops) this.#left("latch", id);
  }

  /** Frames may get lost from now on, or no longer. */
  reach(ok: boolean): void {
    const devices = [...this.world.devices.keys()];
    const text = ok ? "frames get lost" : "no frame gets lost";
    this.trace.push({ kind: "fault", at: this.#at, text, reach: { devices, ok } });
  }

  #left(what: "lease" | "latch", text: string): void {
    this.trace.push({ kind: "leftOver", at: this.#at, what, text });
  }

  #truthOf(id: string) {
    const device = this.world.devices.get(id);
    const config = demoCell().devices.find((known) => known.id === id);
    const scale = config === undefined ? undefined : unitsPerCount(config);
    return { position: (device?.position ?? 0) * (scale ?? 1), moving: device?.moving ?? false };
  }

  #watchDevices(): void {
    const { clock, devices } = this.world;
    for (const [device, plant] of devices) {
      const handle = plant.handle.bind(plant);
      plant.handle = (pdu, nowMs) => {
        const reply = handle(pdu, nowMs);
        const hex = Buffer.from(pdu).toString("hex");
        const got = reply === undefined ? {} : { reply: Buffer.from(reply).toString("hex") };
        this.trace.push({ kind: "frame", at: this.#at, device, pdu: hex, ...got });
        return reply;
      };
    }
    const moved = new Set(devices.keys());
    const look = () => {
      for (const device of devices.keys()) {
        const { position, moving } = this.#truthOf(device);
        if (moving || moved.has(device)) {
          this.trace.push({ kind: "truth", at: this.#at, device, moving, position, velocity: 0 });
        }
        if (moving) moved.add(device);
        else moved.delete(device);
      }
      clock.schedule(20, look, "world");
    };
    clock.schedule(0, look, "world");
  }

  #committed(statements: readonly Statement[]): void {
    for (const { sql, params = [] } of statements) {
      const [run = "", , kind, text = ""] = params.map(String);
      if (!sql.includes("INTO run_events") || kind !== "intent") continue;
      const { id } = JSON.parse(text) as { id: string };
      this.trace.push({ kind: "intent", at: this.#at, id, run, step: "", part: "" });
    }
  }

  #published(from: string, path: string, payload: unknown): void {
    const at = this.#at;
    const [room, kind, name = "", verb = ""] = path.split("/");
    const driver = /^driver-([^#]+)#/.exec(from)?.[1];
    if (room === "cmd" && kind === "axis" && !/^(stop|quickStop)$/.test(verb)) {
      const { id, args, lease } = payload as Command;
      const body = JSON.stringify({ verb, args, lease });
      this.#commands.add(id);
      this.trace.push({ kind: "command", at, from, id, device: name, verb, body });
    } else if (room === "res" && kind === "stop") {
      const { id, status, axis } = payload as StopAck;
      if (status === "confirmed") this.#verdict(axis, id, "done");
    } else if (room === "res" && driver !== undefined) {
      const { id, verdict } = payload as Response;
      const isOwn = verdict !== undefined && this.#commands.has(id);
      if (isOwn) this.#verdict(driver, id, verdict.verdict);
    } else if (room === "state" && kind === "axis") {
      this.#shown.set(name, payload as StateAxis);
    } else if (path === "state/run") {
      for (const { run, saga, state, endedAt } of (payload as { runs: RunRecord[] }).runs) {
        this.trace.push({ kind: "run", at, run, saga, state, ended: endedAt !== undefined });
      }
    } else if (path === "state/stop") {
      this.#stops = (payload as { stops: { id: string }[] }).stops;
    }
  }

  #verdict(device: string, id: string, verdict: "done" | "refused" | "faulted" | "unknown"): void {
    const truth = this.#truthOf(device);
    this.trace.push({ kind: "verdict", at: this.#at, id, device, verdict, ...truth });
  }
}
