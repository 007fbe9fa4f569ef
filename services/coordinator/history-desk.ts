/**
 * The history of runs for people: pages of the journal, of runs open, ended and archived.
 *
 * The idea: a look at the past is no command of the cell: it is answered from the store, one
 * question after the other and one page at a time, so that the disk and this loop stay free for
 * motion. It refuses to decide, to remember its answers, and to queue without bound.
 */
import type { Detail } from "#drivers/reading.js";
import type { Command, Response, RunRecord } from "#kernel/contract/payloads.js";
import { historyRowsMax, type RunHistory } from "#kernel/contract/run-history.js";
import { codeOf, ServocellError, textOf } from "#kernel/errors.js";
import type { Boot, Log, MessageLink } from "#kernel/ports.js";
import { nameIn } from "./door-answer.js";
import type { Journal, StoredRun } from "./journal.js";
import type { RunDesk } from "./run-desk.js";
import { recordOf } from "./run-view.js";

/** Characters of the rows of one page; a page has one row at least. */
export const pageCharactersMax = 256 * 1024;
/** Rows of a run whose record is still worked out from its beginning. */
export const replayedRowsMax = 20_000;
/** Questions that may wait. */
export const questionsMax = 16;

export interface HistoryParts {
  readonly main: MessageLink;
  readonly boot: Boot;
  readonly log: Log;
  readonly journal: Pick<Journal, "stored" | "history" | "replayed">;
  readonly runs: Pick<RunDesk, "find">;
  /** False before the start is over, and while the service drains. */
  readonly isOpen: () => boolean;
}

export class HistoryDesk {
  readonly #parts: HistoryParts;
  #waiting = 0;
  #last: Promise<void> = Promise.resolve();

  constructor(parts: HistoryParts) {
    this.#parts = parts;
    parts.main.subscribe("runCommand", { verb: "history" }, ({ payload }) => this.#take(payload));
  }

  #take(command: Command): void {
    const { isOpen, log } = this.#parts;
    if (Date.now() - command.ts > command.ttlMs) return;
    if (!isOpen()) {
      const text = "The coordinator is starting or ending; ask again.";
      this.#refuse(command, new ServocellError("NOT_READY", text));
      return;
    }
    if (this.#waiting >= questionsMax) {
      const text = `${questionsMax} questions for the history of runs wait already.`;
      this.#refuse(command, new ServocellError("BUSY", text));
      return;
    }
    this.#waiting += 1;
    this.#last = this.#last
      .then(() => this.#answer(command))
      .catch((thrown: unknown) => {
        log.warn({ id: command.id, code: codeOf(thrown) }, "A history could not be read.");
        this.#refuse(command, thrown);
      })
      .finally(() => {
        this.#waiting -= 1;
      });
  }

  async #answer(command: Command): Promise<void> {
    // Whoever asked has gone by now.
    if (Date.now() - command.ts > command.ttlMs) return;
    const run = nameIn(command.args, "run");
    const after = command.args.after ?? 0;
    if (typeof after !== "number" || !Number.isInteger(after) || after < 0) {
      throw new ServocellError("VALIDATION_FAILED", "after is the number of a row, 0 or more.");
    }
    const stored = await this.#parts.journal.stored(run);
    if (stored === undefined) {
      throw new ServocellError("NOT_FOUND", `There is no run "${run}" in the journal.`, { run });
    }
    const page = await this.#page(stored, after);
    this.#reply(command, { status: "succeeded", result: { ...page } as unknown as Detail });
  }

  async #page(stored: StoredRun, after: number): Promise<RunHistory> {
    const { journal } = this.#parts;
    // One more than a page holds says whether there is another.
    const found = await journal.history(stored.run, after, historyRowsMax + 1);
    let characters = 0;
    const fitting = found.slice(0, historyRowsMax).filter(({ data }, i) => {
      characters += data.length;
      return i === 0 || characters <= pageCharactersMax;
    });
    const last = fitting.at(-1);
    const more = last !== undefined && fitting.length < found.length;
    const record = after === 0 ? await this.#record(stored.run) : undefined;
    const { run, saga, version, state, by, startedTs, endedTs, inputs } = stored;
    return {
      run,
      saga,
      version,
      state: state as RunHistory["state"],
      by,
      startedAt: startedTs,
      ...(endedTs === undefined ? {} : { endedAt: endedTs }),
      inputs: { ...inputs },
      rows: fitting.map(({ seq, type, at, data }) => {
        return { seq, type, at, data: JSON.parse(data) as RunHistory["rows"][number]["data"] };
      }),
      ...(more ? { next: last.seq } : {}),
      ...(record === undefined ? {} : { record }),
    };
  }

  /** As it is in memory, or as its rows leave it. */
  async #record(id: string): Promise<RunRecord | undefined> {
    const { runs, journal, log } = this.#parts;
    const replayed = () =>
      journal.replayed(id, replayedRowsMax).catch((thrown: unknown) => {
        // Rows of another engine: they are told as they stand.
        log.warn({ run: id, error: textOf(thrown) }, "A run of long ago cannot be replayed.");
        return undefined;
      });
    const run = runs.find(id) ?? (await replayed());
    return run === undefined ? undefined : recordOf(run, () => "as it was then");
  }

  #refuse(command: Command, thrown: unknown): void {
    const detail = thrown instanceof ServocellError ? { ...thrown.detail } : {};
    const error = { code: codeOf(thrown), message: textOf(thrown), detail };
    this.#reply(command, { status: "failed", error });
  }

  #reply(command: Command, answer: Pick<Response, "status" | "result" | "error">): void {
    const { main, boot } = this.#parts;
    const head = { v: 1 as const, ts: Date.now(), bootId: boot.bootId, source: boot.service };
    const response: Response = { ...head, id: command.id, ...answer };
    main.publish("response", { client: command.replyTo }, response).catch(() => undefined);
  }
}
