/**
 * The patient operator: keeps production going, and brings the cell back when it does not go.
 *
 * The idea: one look, one thing to do, and the next look; whatever is refused is asked again later,
 * as a person at the page would. Presses at bad moments go the same way. It refuses to know what
 * went wrong, and to look past the gateway.
 */
import type { AxisResource, RunsResource, StopsResource } from "#kernel/contract/resources.js";
import type { SeededRandom } from "#simulators/world/seeded-random.js";
import { monotonicMs, sleep } from "../fixtures/cell-process.js";
import { products } from "./cell-files.js";
import type { Press } from "./schedule.js";

export interface PressedLine {
  readonly kind: "pressed";
  readonly at: number;
  readonly what: string;
  readonly text: string;
}

type Run = RunsResource["runs"][number];
const requestMs = 4_000;
const lookMs = 400;
const openRunsMax = 3;
const ended: readonly string[] = ["completed", "madeSafe"];
const mustHome: readonly string[] = ["x", "y", "z", "lift"];

export interface Look {
  readonly state: string | undefined;
  readonly open: readonly Run[];
  readonly axes: readonly AxisResource[];
}

export class Operator {
  readonly presses: PressedLine[] = [];
  started = 0;
  /** Starts products; without, only what brings the cell back. */
  producing = false;
  /** Why the cell is not back, at the last look. */
  lacks = "nobody has looked";
  readonly #api: string;
  readonly #random: SeededRandom;
  #ended = false;
  #busy: Promise<void> | undefined;

  constructor(api: string, random: SeededRandom) {
    this.#api = api;
    this.#random = random;
  }

  begin(): void {
    this.#busy = this.#go();
  }

  async end(): Promise<void> {
    this.#ended = true;
    await this.#busy;
  }

  async #go(): Promise<void> {
    while (!this.#ended) {
      await this.#once().catch(() => undefined);
      await sleep(lookMs);
    }
  }

  async look(): Promise<Look> {
    const [cell, runs, axes] = await Promise.all([
      this.get<{ state: string }>("/cell"),
      this.get<RunsResource>("/runs"),
      this.get<{ axes: AxisResource[] }>("/axes"),
    ]);
    const open = (runs?.runs ?? []).filter(({ state, endedAt }) => {
      return endedAt === undefined && !ended.includes(state);
    });
    return {
      state: runs === undefined ? undefined : cell?.state,
      open,
      axes: axes?.axes ?? [],
    };
  }

  /** Idle, nothing open, every axis good, powered and homed. */
  isBack({ state, open, axes }: Look): boolean {
    const bad = axes.filter((axis) => !isReady(axis));
    this.lacks = [
      ...(state === "Idle" ? [] : [`the cell is ${state ?? "silent"}`]),
      ...open.map(({ run, saga, state: at, cause }) => `${saga} ${run} is ${at} (${cause.code})`),
      ...bad.map(({ axis, q, state: at, homed, enabled, latched, reasons }) => {
        const why = JSON.stringify({ q, at, homed, enabled, latched, reasons });
        return `${axis} is not ready ${why}`;
      }),
    ].join("; ");
    return state === "Idle" && open.length === 0 && axes.length > 0 && bad.length === 0;
  }

  async #once(): Promise<void> {
    const look = await this.look();
    const waiting = look.open.find(({ choices }) => choices.length > 0);
    if (waiting !== undefined) return this.#choose(waiting);
    switch (look.state) {
      case "Aborted":
        return this.#ask("/clear");
      case "Stopped":
      case "Complete":
        return this.#ask("/reset", { stops: await this.#latched() });
      case "Held":
        return this.#ask("/unhold");
      case "Suspended":
        return this.#ask("/unsuspend");
      case "Idle":
      case "Execute":
        return this.#start(look);
      default:
        return undefined;
    }
  }

  async #choose({ run, choices }: Run): Promise<void> {
    const safe = choices.includes("makeSafe") && this.#random.chance(0.5);
    const word = safe ? "makeSafe" : choices.includes("abandon") ? "abandon" : choices[0];
    if (word !== undefined) await this.#ask(`/runs/${run}/${word}`);
  }

  async #start({ open, axes }: Look): Promise<void> {
    const unready = axes.some((axis) => !isReady(axis) && axis.q === "good");
    if (open.some(({ saga }) => saga === "home-cell")) return;
    if (unready && open.length === 0) return this.#ask("/runs", { saga: "home-cell" });
    if (!this.producing || unready || open.length >= openRunsMax) return;
    const free = products.filter((name) => !open.some(({ saga }) => saga === name));
    const saga = this.#random.pick(free);
    if (saga === undefined) return;
    this.started += 1;
    await this.#ask("/runs", { saga });
  }

  async #latched(): Promise<readonly string[]> {
    const stops = await this.get<StopsResource>("/stops");
    return (stops?.latched ?? []).map(({ id }) => id);
  }

  /** A press at a bad moment, whatever the cell is doing. */
  async press(what: Press, device: string): Promise<void> {
    switch (what) {
      case "stop":
      case "quickStop":
      case "abort":
        return this.#ask("/stop", { kind: what });
      case "axisStop":
        return this.#ask(`/axes/${device}/stop`);
      case "cancel": {
        const { open } = await this.look();
        const run = this.#random.pick(open);
        return run === undefined ? undefined : this.#ask(`/runs/${run.run}/cancel`);
      }
      case "hold":
        return this.#ask("/hold");
      case "start": {
        this.started += 1;
        return this.#ask("/runs", { saga: this.#random.pick(products) });
      }
      case "reset":
        return this.#ask("/reset", { stops: await this.#latched() });
      default:
        return what satisfies never;
    }
  }

  /** Runs a saga to its end; its record, or why there is none. */
  async prove(saga: string, limitMs: number): Promise<string> {
    const started = await this.#post("/runs", { saga });
    const { run } = started.body as { run?: string };
    if (run === undefined) return `not started: ${JSON.stringify(started.body)}`;
    const end = monotonicMs() + limitMs;
    let last = "no word";
    while (monotonicMs() < end) {
      const record = await this.get<Run>(`/runs/${run}`);
      if (record !== undefined) last = `${record.state} ${JSON.stringify(record.cause)}`;
      if (record?.state === "completed") return "completed";
      if (record?.endedAt !== undefined || (record?.choices.length ?? 0) > 0) return last;
      await sleep(200);
    }
    return `${last} after ${limitMs} ms`;
  }

  async get<T>(path: string): Promise<T | undefined> {
    try {
      const response = await fetch(`${this.#api}${path}`, {
        signal: AbortSignal.timeout(requestMs),
      });
      return response.ok ? ((await response.json()) as T) : undefined;
    } catch {
      return undefined;
    }
  }

  async #ask(path: string, body: object = {}): Promise<void> {
    await this.#post(path, body);
  }

  async #post(path: string, body: object): Promise<{ status: number; body: unknown }> {
    const at = monotonicMs();
    const asked = Object.keys(body).length === 0 ? path : `${path} ${JSON.stringify(body)}`;
    const line = { kind: "pressed" as const, at, what: path.split("/").at(-1) ?? "" };
    try {
      const response = await fetch(`${this.#api}${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(requestMs),
      });
      const answer: unknown = await response.json();
      const short = response.ok ? "" : ` ${(answer as { code?: string }).code ?? ""}`;
      this.presses.push({ ...line, text: `${asked} → ${response.status}${short}` });
      return { status: response.status, body: answer };
    } catch (thrown) {
      const why = thrown instanceof Error ? thrown.message : String(thrown);
      this.presses.push({ ...line, text: `${asked} → ${why}` });
      return { status: 0, body: {} };
    }
  }
}

function isReady({ axis, q, state, enabled, homed, moving }: AxisResource): boolean {
  if (q !== "good" || state !== "active" || moving === true) return false;
  return !mustHome.includes(axis) || (enabled === true && homed === true);
}
