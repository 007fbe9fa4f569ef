/**
 * The page's connection to the gateway: the stream of what is, and the requests it makes.
 *
 * The idea: one store holds the last snapshot with its changes, and the connection counts only
 * while beats come; a missing beat shows within a second. Requests carry a key of their own and
 * fail with the gateway's sentence. It refuses to guess what the cell does.
 */
import type { CloudEvent, RunRecord } from "#kernel/contract/payloads.js";
import type {
  AxisResource,
  CellResource,
  DeviceResource,
  Problem,
  SnapshotResource,
  StopsResource,
} from "#kernel/contract/resources.js";

/** Beats come every 300 ms; the banner has to be there within 1 s. */
const silenceMsMax = 850;
/** A stream that is silent for so long is opened anew. */
const reopenMs = 3000;
const eventsMax = 30;
/** Of the ended ones; an open one is never left out. */
const runsMax = 20;
const requestMsMax = 6000;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export class Live {
  snapshot: Mutable<SnapshotResource> | undefined;
  events: CloudEvent[] = [];
  /** True while beats come. */
  connected = false;
  /** Whether the gateway has the broker. */
  broker = false;
  #source: EventSource | undefined;
  #beatAtMs = Number.NEGATIVE_INFINITY;
  #openedAtMs = Number.NEGATIVE_INFINITY;
  #offsetMs = 0;
  #asked = false;
  readonly #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** The gateway's wall clock, so ages are right on a panel whose clock is not. */
  now(): number {
    return Date.now() + this.#offsetMs;
  }

  /** Commands need the stream, the broker and the right; STOP needs none of them. */
  get mayCommand(): boolean {
    return this.connected && this.broker && this.snapshot?.you.role === "operator";
  }

  open(): void {
    this.#connect();
    setInterval(() => this.#look(), 100);
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.resume();
      else this.makeRoom();
    });
  }

  /** A browser has six connections to a gateway, for all its tabs: this one is for others now. */
  makeRoom(): void {
    this.#source?.close();
    this.#source = undefined;
    this.#openedAtMs = performance.now();
  }

  /** Takes it again, if it was given away. */
  resume(): void {
    if (this.#source === undefined) this.#connect();
  }

  #connect(): void {
    this.#source?.close();
    this.#openedAtMs = performance.now();
    const source = new EventSource("/api/v1/stream");
    this.#source = source;
    const on = <T>(name: string, take: (data: T) => void) => {
      source.addEventListener(name, (message: MessageEvent<string>) => {
        take(JSON.parse(message.data) as T);
        this.#change();
      });
    };
    source.addEventListener("error", () => this.#lose());
    on<SnapshotResource>("snapshot", (snapshot) => {
      this.snapshot = { ...snapshot };
      this.#heard(snapshot.ts, snapshot.cell.broker);
    });
    on<{ ts: number; broker: boolean }>("beat", (beat) => this.#heard(beat.ts, beat.broker));
    on<CellResource>("cell", (cell) => this.#put((s) => (s.cell = cell)));
    on<AxisResource>("axis", (axis) =>
      this.#put((s) => (s.axes = s.axes.map((a) => (a.axis === axis.axis ? axis : a)))),
    );
    on<DeviceResource>("device", (device) =>
      this.#put(
        (s) => (s.devices = s.devices.map((d) => (d.device === device.device ? device : d))),
      ),
    );
    on<RunRecord>("run", (run) => this.#put((s) => (s.runs = withRun(s.runs, run))));
    on<StopsResource>("stop", (stops) => this.#put((s) => (s.stops = stops)));
    on<CloudEvent>("event", (event) => {
      this.events = [event, ...this.events.filter((e) => e.id !== event.id)].slice(0, eventsMax);
    });
  }

  #put(change: (snapshot: Mutable<SnapshotResource>) => void): void {
    if (this.snapshot !== undefined) change(this.snapshot);
  }

  #heard(ts: number, broker: boolean): void {
    this.#beatAtMs = performance.now();
    this.#offsetMs = ts - Date.now();
    this.connected = true;
    this.broker = broker;
  }

  #look(): void {
    const now = performance.now();
    // Nobody looks; timers of hidden pages run late, too.
    if (document.visibilityState !== "visible" && this.#source === undefined) return;
    if (now - this.#beatAtMs > silenceMsMax) this.#lose();
    const closed = this.#source?.readyState === EventSource.CLOSED;
    const silentMs = now - Math.max(this.#beatAtMs, this.#openedAtMs);
    // A stream that was refused stays closed, and one on a dead network stays open.
    if (silentMs > reopenMs || (closed && now - this.#openedAtMs > 1000)) this.#connect();
  }

  #lose(): void {
    if (!this.connected) return;
    this.connected = false;
    this.#change();
  }

  #change(): void {
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame(() => {
      this.#asked = false;
      this.#changed();
    });
  }
}

function withRun(runs: readonly RunRecord[], run: RunRecord): RunRecord[] {
  const others = runs.filter((r) => r.run !== run.run);
  const sorted = [run, ...others].sort((a, b) => b.startedAt - a.startedAt);
  return sorted.filter((r, place) => place < runsMax || r.endedAt === undefined);
}

/** A key for one tap; also on a panel that is reached without TLS. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return `page-${[...bytes].map((b) => b.toString(16).padStart(2, "0")).join("")}`;
}

export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly text: string };

export async function post<T>(path: string, body?: object, key = newKey()): Promise<Answer<T>> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), requestMsMax);
  try {
    const reply = await fetch(`/api/v1${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": key },
      body: body === undefined ? null : JSON.stringify(body),
      signal: limit.signal,
      keepalive: true,
    });
    const answer: unknown = await reply.json();
    if (reply.ok) return { ok: true, value: answer as T };
    const problem = answer as Problem;
    return { ok: false, text: `${problem.message} ${problem.action} (${problem.code})` };
  } catch {
    return { ok: false, text: "The gateway did not answer." };
  } finally {
    clearTimeout(timer);
  }
}
