/**
 * The events of the cell as the rules take them: each source's in its order, each once.
 *
 * The idea: of every source is known up to which number its events have been dealt with. The next
 * one is handed to the rules when the one before it is decided; what was there before and what
 * comes before its turn is passed over, and the source says it again. The number is written beside
 * what was decided, and then told to the source, which keeps its events until then [PROTOCOL 17].
 * It refuses to acknowledge what is not on the disk.
 */
import type { CellConfig } from "#kernel/config/cell.js";
import { rulesConsumer } from "#kernel/config/cell-events.js";
import { type CloudEvent, idSchema } from "#kernel/contract/payloads.js";
import { hearing } from "#kernel/custody.machine.js";
import type { MessageLink, Row, Statement } from "#kernel/ports.js";
import type { RuleDesk } from "./rule-desk.js";
import type { StoreQueue } from "./store-queue.js";

/** Words to a source are gathered for so long. */
export const ackMs = 100;
/**
 * Sources that are known by their numbers: the drivers of 500 devices, and as many that are not of
 * the cell or no longer. Events of more are taken as they come, and never acknowledged.
 */
const sourcesMax = 1024;

export const readHeard: Statement = { sql: "SELECT source, seq FROM heard ORDER BY source" };

export interface IntakeParts {
  readonly main: MessageLink;
  readonly queue: StoreQueue;
  /** Without rules nobody wants them, and nothing is acknowledged. */
  readonly config: Pick<CellConfig, "rules">;
  readonly rules: Pick<RuleDesk, "happened" | "open" | "close">;
}

interface Source {
  /** Handed over up to here, dealt with, and on the disk. */
  taken: number;
  done: number;
  stored: number;
  /** A word is owed to it. */
  owed: boolean;
  /** What is being decided; the next event waits for it. */
  work: Promise<unknown> | undefined;
}

export class EventIntake {
  readonly #parts: IntakeParts;
  readonly #wanted: boolean;
  readonly #sources = new Map<string, Source>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writing = false;
  #open = false;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
    this.#wanted = (parts.config.rules ?? []).length > 0;
    if (!this.#wanted) return;
    parts.main.onChange((connected) => {
      if (connected) this.#greet();
    });
  }

  load(rows: readonly Row[]): void {
    for (const { source, seq } of rows) {
      const at = Number(seq);
      this.#sources.set(String(source), sourceAt(at));
    }
  }

  /** From now on events are taken, and rules start runs. */
  open(): void {
    this.#open = true;
    this.#parts.rules.open();
    this.#greet();
  }

  close(): void {
    this.#open = false;
    this.#parts.rules.close();
    clearTimeout(this.#timer);
  }

  heard(event: CloudEvent): void {
    if (!this.#wanted || !this.#open) return;
    const { sequence, follows } = event;
    const source = sequence === undefined ? undefined : this.#sourceOf(event.source);
    if (sequence === undefined || source === undefined) {
      void this.#parts.rules.happened(event, []);
      return;
    }
    if (hearing(source.taken, { sequence, follows }) !== "next") {
      source.owed = true;
      this.#soon();
      return;
    }
    source.taken = sequence;
    const mark = markOf(event.source, sequence);
    const before = source.work;
    const work =
      before === undefined
        ? this.#parts.rules.happened(event, [mark])
        : before.then(() => this.#parts.rules.happened(event, [mark]));
    const done = () => {
      source.done = sequence;
      this.#soon();
    };
    if (work === undefined) {
      done();
      return;
    }
    source.work = work.then(() => {
      done();
      if (source.taken === sequence) source.work = undefined;
    });
  }

  #sourceOf(name: string): Source | undefined {
    const known = this.#sources.get(name);
    if (known !== undefined) return known;
    if (this.#sources.size >= sourcesMax || !idSchema.safeParse(name).success) return undefined;
    const source = sourceAt(0);
    this.#sources.set(name, source);
    return source;
  }

  /** Whoever has waited for us while we were away says again what we do not have. */
  #greet(): void {
    for (const source of this.#sources.values()) source.owed = true;
    this.#soon();
  }

  #soon(): void {
    if (!this.#open) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#tell();
    }, ackMs);
  }

  /** First the disk, then the word. */
  async #tell(): Promise<void> {
    if (this.#writing) return;
    const news = [...this.#sources].filter(([, { done, stored }]) => done > stored);
    if (news.length > 0) {
      this.#writing = true;
      const marks = news.map(([name, { done }]) => [name, done] as const);
      const statements = marks.map(([name, done]) => markOf(name, done));
      await this.#parts.queue.write(statements, { durable: false, lazy: true });
      this.#writing = false;
      for (const [name, done] of marks) this.#stored(name, done);
    }
    for (const [name, source] of this.#sources) if (source.owed) this.#say(name, source);
    const more = [...this.#sources.values()].some(({ done, stored }) => done > stored);
    if (more) this.#soon();
  }

  #stored(name: string, seq: number): void {
    const source = this.#sources.get(name);
    if (source === undefined) return;
    source.stored = Math.max(source.stored, seq);
    source.owed = true;
  }

  #say(name: string, source: Source): void {
    const { main } = this.#parts;
    // The next connection says it.
    if (!main.connected) return;
    source.owed = false;
    const word = { v: 1 as const, consumer: rulesConsumer, seq: source.stored };
    main.publish("ackSource", { source: name }, word).catch(() => {
      source.owed = true;
    });
  }
}

function sourceAt(seq: number): Source {
  return { taken: seq, done: seq, stored: seq, owed: false, work: undefined };
}

function markOf(source: string, seq: number): Statement {
  return {
    sql: `INSERT INTO heard (source, seq) VALUES (?, ?)
      ON CONFLICT (source) DO UPDATE SET seq = max(seq, excluded.seq)`,
    params: [source, seq],
  };
}
