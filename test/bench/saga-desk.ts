/**
 * The engine of the coordinator on a real file, with drivers that do nothing at once.
 *
 * The idea: the real desk, machine, journal, outbox, queue and worker; only the wire is left out,
 * so what is timed is what a durable step costs. It refuses to skip anything that is written.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CellConfig, SagaDefinition } from "#kernel/config/cell.js";
import { openStore } from "#kernel/edge/sqlite-store.js";
import type { Log, MessageLink, Store } from "#kernel/ports.js";
import type { DriverDesk } from "../../services/coordinator/driver-desk.js";
import { EventOutbox } from "../../services/coordinator/event-outbox.js";
import { Journal } from "../../services/coordinator/journal.js";
import { JournalArchive } from "../../services/coordinator/journal-archive.js";
import { RunDesk } from "../../services/coordinator/run-desk.js";
import type { Flight } from "../../services/coordinator/run-state.js";
import { coordinatorSchema } from "../../services/coordinator/schema.js";
import type { StopDesk } from "../../services/coordinator/stop-desk.js";
import { StoreQueue } from "../../services/coordinator/store-queue.js";

export const quiet: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** `steps` operations of one device, each with a makeSafe, as a saga file would give them. */
export function noopSaga(device: string, steps: number): SagaDefinition {
  const operation = { device, verb: "enable", args: {} };
  return {
    name: `noop-${steps}`,
    title: "Steps that do nothing",
    version: "1",
    file: "noop.yaml",
    uses: [device],
    onRestart: "makeSafe",
    steps: Array.from({ length: steps }, (_, i) => ({
      name: `step-${i}`,
      text: `Does nothing for the ${i}th time`,
      timeoutMs: 5000,
      action: { kind: "operation", operation },
      makeSafe: { kind: "still" },
    })),
  };
}

/** A broker that takes everything at once. */
const link: MessageLink = {
  connected: true,
  publish: async () => undefined,
  subscribe: () => undefined,
  onChange: () => undefined,
  close: async () => undefined,
};

export class BenchDesk {
  readonly store: Store;
  readonly queue: StoreQueue;
  readonly journal: Journal;
  readonly archive: JournalArchive;
  readonly runs: RunDesk;
  readonly outbox: EventOutbox;
  /** Called with every command that leaves. */
  onSend: (flight: Flight) => void = () => undefined;
  /** False: the driver of this command has died, and says nothing. */
  takes: (flight: Flight) => boolean = () => true;
  readonly #dir: string;
  readonly #ends = new Map<string, () => void>();
  #epoch = 0;
  #ids = 0;

  private constructor(dir: string, store: Store) {
    this.#dir = dir;
    this.store = store;
    this.queue = new StoreQueue(store, quiet);
    this.journal = new Journal(this.queue, "bench");
    this.archive = new JournalArchive({ queue: this.queue, log: quiet });
    this.journal.onEnded = (run) => {
      this.archive.nudge();
      this.#ends.get(run)?.();
      this.#ends.delete(run);
    };
    const newId = () => {
      this.#ids += 1;
      return `01BENCH${String(this.#ids).padStart(19, "0")}`;
    };
    const boot = { bootId: "bench", service: "coordinator", version: "bench" };
    const config = { cell: "bench" };
    this.outbox = new EventOutbox({ main: link, log: quiet, newId, boot, config }, this.queue);
    const drivers = {
      lease: async () => {
        this.#epoch += 1;
        return { ok: true, result: {}, epoch: this.#epoch };
      },
      release: async () => undefined,
      send: (flight: Flight) => this.#send(flight),
    };
    this.runs = new RunDesk({
      config: { interlocks: [], devices: [] } as unknown as CellConfig,
      journal: this.journal,
      outbox: this.outbox,
      drivers: drivers as unknown as DriverDesk,
      stops: { order: () => undefined } as unknown as StopDesk,
      lookup: () => undefined,
      unlatch: async () => ({ ok: true, text: "" }),
      onChange: () => undefined,
      onWithdrawn: () => undefined,
      boot,
      log: quiet,
      newId,
    });
  }

  static async open(dir = mkdtempSync(join(tmpdir(), "servocell-saga-"))): Promise<BenchDesk> {
    const desk = new BenchDesk(dir, await openStore(join(dir, "saga.db"), coordinatorSchema));
    const { numbered } = await desk.journal.load("bench");
    desk.outbox.restore(numbered);
    desk.outbox.open();
    return desk;
  }

  get file(): string {
    return join(this.#dir, "saga.db");
  }

  /** Resolves when the end of the run is on the disk. */
  async run(saga: SagaDefinition): Promise<void> {
    const run = `01RUN${String(process.hrtime.bigint()).padStart(21, "0")}`;
    const ended = new Promise<void>((resolve) => this.#ends.set(run, resolve));
    const by = { user: "bench", role: "service" };
    await this.runs.start({ run, saga, by }, () => []);
    await ended;
  }

  /** Ends the process' part; the file stays as it is. */
  async leave(): Promise<void> {
    this.archive.close();
    this.runs.close();
    await this.queue.close();
  }

  async close(): Promise<void> {
    await this.leave();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #send(flight: Flight): void {
    this.onSend(flight);
    if (!this.takes(flight)) return;
    queueMicrotask(() => {
      const run = this.runs.owner(flight.id);
      const verdict = { verdict: "done", result: {} } as const;
      if (run !== undefined) this.runs.feed(run, { kind: "verdict", id: flight.id, verdict });
    });
  }
}
