/**
 * The judge of custody: every event that a source has kept is published in order, under one
 * number, and every durable consumer has them all.
 *
 * The idea: the disk of the source says which events there are; where nobody sees it, what was
 * published does. A consumer may hear a number before its turn: then it must hear it again in
 * turn. One that is killed knows what its own disk had taken and must hear the rest again. What a
 * power cut takes from a disk is asked of nobody. It refuses to read what an event says.
 */
import type { Finding, Judge, JudgeFacts } from "./judge.js";
import type { LineOf, TraceLine } from "./trace.js";

type Found = Omit<Finding, "judge">;
type EventLine = LineOf<"event">;

/** How long before the end an event may still be on its way. */
const graceMs = 3000;

/** What one source has said, and how far each consumer has come with it. */
interface Source {
  /** By number: the only id that it may have. */
  readonly ids: Map<number, string>;
  /** Numbers that consumers have to have, with the moment and the start of their first line. */
  readonly asked: Map<number, { readonly at: number; published: boolean; readonly start: number }>;
  /** The same numbers, rising. */
  order: number[];
  seesDisk: boolean;
  /** Nobody knows what a power cut has left of the numbers up to here. */
  unsure: number;
  /** Newest number that was published for the first time. */
  newest: number;
  /** Counts the starts of the service, and that of the newest number. */
  starts: number;
  newestStart: number;
  readonly readers: Map<string, Reader>;
}

interface Reader {
  /** All that is asked up to here has been heard in turn. */
  has: number;
  /** Its disk has all up to here. */
  taken: number;
}

export const events: Judge = {
  name: "events",
  promise: "No event is lost, renumbered or out of order, for every durable consumer.",
  find(trace: readonly TraceLine[], facts: JudgeFacts): readonly Found[] {
    const custody = new Custody();
    for (const line of trace) {
      if (line.kind === "event") custody.event(line);
      else if (line.kind === "started") custody.started(serviceOf(line.node));
      else if (line.kind === "killed") custody.killed(serviceOf(line.node));
      else if (line.kind === "fault" && line.what === "powerLoss") custody.powerLoss();
    }
    return Number.isFinite(facts.healedMs)
      ? [...custody.found, ...custody.end(facts)]
      : custody.found;
  },
};

function serviceOf(node: string): string {
  return node.replace(/#.*$/, "");
}

class Custody {
  readonly found: Found[] = [];
  readonly #sources = new Map<string, Source>();
  /** Whoever has heard of any source has to hear of all. */
  readonly #consumers = new Set<string>();
  /** Those whose disk is seen. */
  readonly #writers = new Set<string>();

  event(line: EventLine): void {
    const { at, way, source: name, by, seq, id } = line;
    const source = this.#source(name);
    if (way === "taken") {
      this.#taken(source, line);
      return;
    }
    const known = source.ids.get(seq);
    if (known === undefined) source.ids.set(seq, id);
    else if (known !== id) this.#find(at, `${name}: number ${seq} is ${id}, and was ${known}`);
    if (way === "kept") this.#kept(source, line);
    else if (way === "published") this.#published(source, line);
    else {
      this.#consumers.add(by);
      const reader = readerOf(source, by);
      if (nextOf(source, reader.has) === seq) reader.has = seq;
    }
  }

  started(service: string): void {
    const source = this.#sources.get(service);
    if (source !== undefined) source.starts += 1;
  }

  /** What it had heard and not taken is gone with it. */
  killed(service: string): void {
    if (!this.#writers.has(service)) return;
    for (const { readers } of this.#sources.values()) {
      const reader = readers.get(service);
      if (reader !== undefined) reader.has = reader.taken;
    }
  }

  /** Of what no disk had for certain nobody knows; what is published again is asked again. */
  powerLoss(): void {
    for (const source of this.#sources.values()) {
      // A second cut, before anything is said, makes nobody surer of what the first one left.
      source.unsure = Math.max(source.unsure, source.newest, source.order.at(-1) ?? 0);
      source.asked.clear();
      source.order = [];
      for (const reader of source.readers.values()) reader.has = reader.taken;
    }
  }

  end({ endMs }: JudgeFacts): Found[] {
    const found: Found[] = [];
    for (const [name, source] of this.#sources) {
      const due = [...source.asked].filter(([, { at }]) => at <= endMs - graceMs);
      for (const [seq, { published }] of due) {
        if (published) continue;
        found.push({ at: endMs, text: `${name}: number ${seq} was kept and never published` });
      }
      const last = Math.max(0, ...due.map(([seq]) => seq));
      for (const by of this.#consumers) {
        const { has, taken } = readerOf(source, by);
        const got = this.#writers.has(by) ? Math.min(has, taken) : has;
        const text = `${by} from ${name}: has ${got} of ${last} in turn`;
        if (got < last) found.push({ at: endMs, text });
      }
    }
    return found;
  }

  #find(at: number, text: string): void {
    this.found.push({ at, text });
  }

  #source(name: string): Source {
    const known = this.#sources.get(name);
    if (known !== undefined) return known;
    const source: Source = {
      ids: new Map(),
      asked: new Map(),
      order: [],
      seesDisk: false,
      unsure: 0,
      newest: 0,
      starts: 0,
      newestStart: 0,
      readers: new Map(),
    };
    this.#sources.set(name, source);
    return source;
  }

  #kept(source: Source, { at, seq }: EventLine): void {
    source.seesDisk = true;
    if (!source.asked.has(seq)) ask(source, seq, { at, published: false, start: source.starts });
  }

  #published(source: Source, { at, seq, source: name, path }: EventLine): void {
    const asked = source.asked.get(seq);
    if (asked?.published === true) return;
    const { newest, starts, newestStart, seesDisk, unsure } = source;
    const start = asked?.start ?? starts;
    // What an earlier start has left may follow behind what is new.
    const late = seq < newest && start === starts && seq > unsure;
    const skips = !seesDisk && newest > 0 && seq > newest + 1 && newestStart === starts;
    if (late || skips) this.#find(at, `${name}: number ${seq} (${path}) follows ${newest}`);
    ask(source, seq, { at: asked?.at ?? at, published: true, start });
    if (seq <= newest) return;
    source.newest = seq;
    source.newestStart = starts;
  }

  #taken(source: Source, { at, by, source: name, seq }: EventLine): void {
    const reader = readerOf(source, by);
    this.#writers.add(by);
    if (seq <= reader.taken) return;
    reader.taken = seq;
    const missed = nextOf(source, reader.has);
    if (missed === undefined || missed > seq) return;
    this.#find(at, `${by} from ${name}: has taken ${seq} and never heard ${missed} in turn`);
    reader.has = seq;
  }
}

function readerOf({ readers }: Source, by: string): Reader {
  const known = readers.get(by);
  if (known !== undefined) return known;
  const reader = { has: 0, taken: 0 };
  readers.set(by, reader);
  return reader;
}

function ask(
  { asked, order }: Source,
  seq: number,
  what: { readonly at: number; published: boolean; readonly start: number },
): void {
  if (!asked.has(seq)) order.splice(placeOf(order, seq), 0, seq);
  asked.set(seq, what);
}

/** The next number that is asked after this one. */
function nextOf({ order }: Source, after: number): number | undefined {
  return order[placeOf(order, after)];
}

/** Where the first number stands that is higher. */
function placeOf(order: readonly number[], seq: number): number {
  let [low, high] = [0, order.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((order[middle] ?? 0) <= seq) low = middle + 1;
    else high = middle;
  }
  return low;
}
