/**
 * The judge of what a coordinator commands: intents first, one body an id, nothing after a stop.
 *
 * The idea: it sits at the broker and at the coordinator's store, and compares what is published
 * with what is on the disk, with what was published before, and with the stops that have reached
 * that coordinator. It refuses to look into the runs.
 */
import type { Command, StopOrder } from "#kernel/contract/payloads.js";
import type { Statement } from "#kernel/ports.js";
import type { CellWorld } from "#simulators/world/cell-world.js";

/** Requests of the coordinator that move nothing. */
const still: ReadonlySet<string> = new Set(["lease", "release-lease", "query", "reset"]);

interface Held {
  readonly stop: string;
  readonly atMs: number;
}

export class CommandJudge {
  readonly problems: string[] = [];
  readonly #world: CellWorld;
  readonly #intents = new Set<string>();
  readonly #bodies = new Map<string, string>();
  /** Runs by the key that their ids begin with. */
  readonly #runs = new Map<string, { readonly run: string; readonly uses: readonly string[] }>();
  /** Runs that wait for a person, by their key. */
  readonly #held = new Map<string, Held>();
  readonly #resets = new Set<string>();

  constructor(world: CellWorld) {
    this.#world = world;
    const { onPublished, onDelivered } = world.broker;
    world.broker.onPublished = (from, path, payload) => {
      onPublished(from, path, payload);
      if (from.startsWith("coordinator#")) this.#published(path, payload);
    };
    world.broker.onDelivered = (to, path, payload) => {
      onDelivered(to, path, payload);
      if (to.startsWith("coordinator#")) this.#delivered(path, payload);
    };
  }

  /** What the coordinator's disk has. */
  committed(statements: readonly Statement[]): void {
    for (const { sql, params = [] } of statements) {
      const [first, second, third, fourth] = params.map(String);
      if (sql.includes("INTO run_events") && third === "intent") {
        this.#intents.add((JSON.parse(fourth ?? "") as { id: string }).id);
      } else if (sql.includes("INTO runs ")) {
        const { uses } = JSON.parse(third ?? "") as { uses: string[] };
        this.#runs.set(second ?? "", { run: first ?? "", uses });
      }
    }
  }

  #delivered(path: string, payload: unknown): void {
    const verb = path.split("/").at(-1) ?? "";
    if (/^cmd\/cell\/(stop|quickStop|abort)$/.test(path)) this.#stopped(payload as StopOrder);
    if (/^cmd\/cell\/reset$/.test(path)) {
      const { stops } = (payload as Command).args;
      if (Array.isArray(stops)) for (const id of stops) this.#resets.add(String(id));
    }
    if (!path.startsWith("cmd/run/") || !["makeSafe", "retry"].includes(verb)) return;
    const { run } = (payload as Command).args;
    for (const [key, known] of this.#runs) if (known.run === run) this.#held.delete(key);
  }

  #stopped({ id, latch, axes }: StopOrder): void {
    // A copy that was under way while a person named it in a reset holds nothing.
    if (latch === false || this.#resets.has(id)) return;
    for (const [key, { uses }] of this.#runs) {
      if (axes !== undefined && !uses.some((device) => axes.includes(device))) continue;
      this.#held.set(key, { stop: id, atMs: this.#world.clock.nowMs });
    }
  }

  #published(path: string, payload: unknown): void {
    const [cmd, axis, device, verb = ""] = path.split("/");
    if (cmd !== "cmd" || axis !== "axis" || still.has(verb)) return;
    const { id, args, lease } = payload as Command;
    if (args === undefined) return;
    const what = `${this.#world.clock.nowMs.toFixed(2)} ms: ${id} ${device} ${verb}`;
    const body = JSON.stringify([device, verb, args, lease]);
    if ((this.#bodies.get(id) ?? body) !== body) this.problems.push(`${what}: two bodies`);
    this.#bodies.set(id, body);
    if (!this.#intents.has(id)) this.problems.push(`${what}: its intent is not on the disk`);
    const held = this.#held.get(id.slice(0, id.lastIndexOf("-")));
    if (held === undefined) return;
    this.problems.push(`${what}: after stop ${held.stop} (${held.atMs.toFixed(2)} ms)`);
  }
}
