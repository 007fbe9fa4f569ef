/**
 * The commands of people and other services: runs and the cell.
 *
 * The idea: a command id is decided once and its answer is kept, so a repeat gets the same words
 * and never a second run. Refusals name the reason and the device. It refuses what the state of
 * the cell does not allow, before anything is written.
 */
import type { Detail } from "#drivers/reading.js";
import type { CellConfig, SagaDefinition } from "#kernel/config/cell.js";
import { startInputs } from "#kernel/config/saga-inputs.js";
import { type Command, commandIdSchema, type Response } from "#kernel/contract/payloads.js";
import { codeOf, type ErrorCode, ServocellError, textOf } from "#kernel/errors.js";
import type { Boot, Log, MessageLink, NewId, Row, Statement } from "#kernel/ports.js";
import type { CellDesk } from "./cell-desk.js";
import type { CellWatch } from "./cell-watch.js";
import type { Journal } from "./journal.js";
import type { LatchDesk } from "./latch-desk.js";
import { openRunsMax, type RunDesk, type RunNews } from "./run-desk.js";
import { isWaiting, type Run } from "./run-state.js";
import { publishedState } from "./run-view.js";
import type { StoreQueue } from "./store-queue.js";

/** Answers that are kept for repeats. */
export const answersMax = 1000;
/** A stamp further ahead than this is no stamp [mqtt-drives-states 7.2]. */
const aheadMsMax = 1000;

type Answer =
  | { readonly ok: true; readonly result: Detail }
  | {
      readonly ok: false;
      readonly code: ErrorCode;
      readonly text: string;
      readonly detail: Detail;
    };

export interface DoorParts {
  readonly config: CellConfig;
  readonly main: MessageLink;
  readonly boot: Boot;
  readonly newId: NewId;
  readonly log: Log;
  readonly runs: RunDesk;
  readonly cell: CellDesk;
  readonly watch: CellWatch;
  readonly latches: LatchDesk;
  readonly journal: Journal;
  readonly queue: StoreQueue;
  /** False before the start is over, and while the service drains. */
  readonly isOpen: () => boolean;
}

export class CommandDoor {
  readonly #parts: DoorParts;
  readonly #answers = new Map<
    string,
    { readonly body: string; readonly answer: Promise<Answer> }
  >();

  constructor(parts: DoorParts) {
    this.#parts = parts;
    const { main } = parts;
    for (const verb of ["start", "cancel", "makeSafe", "abandon", "retry"]) {
      main.subscribe(
        "runCommand",
        { verb },
        ({ payload }) => void this.#take("run", verb, payload),
      );
    }
    for (const verb of ["reset", "clear"]) {
      main.subscribe(
        "cellCommand",
        { verb },
        ({ payload }) => void this.#take("cell", verb, payload),
      );
    }
  }

  /** Answers from before a restart. */
  load(rows: readonly Row[]): void {
    for (const { id, body, answer } of rows.slice(-answersMax)) {
      const kept = Promise.resolve(JSON.parse(String(answer)) as Answer);
      this.#answers.set(String(id), { body: String(body), answer: kept });
    }
  }

  async #take(kind: "run" | "cell", verb: string, command: Command): Promise<void> {
    const body = bodyOf(kind, verb, command);
    const known = this.#answers.get(command.id);
    if (known !== undefined) {
      const text = `The id ${command.id} was used for another command.`;
      const other = refusal("DUPLICATE_ID", text);
      this.#reply(command, known.body === body ? await known.answer : other);
      return;
    }
    const age = Date.now() - command.ts;
    if (age > command.ttlMs || age < -aheadMsMax) {
      this.#reply(command, refusal("EXPIRED", `The command is ${Math.round(age)} ms old.`));
      return;
    }
    if (!this.#parts.isOpen()) {
      // No decision, so nothing to be kept: the same id may come again.
      const text = "The coordinator is starting or ending; nothing was done.";
      this.#reply(command, refusal("NOT_READY", text));
      return;
    }
    const decided = this.#decide(kind, verb, command, body).catch((thrown: unknown) => {
      if (!(thrown instanceof ServocellError)) throw thrown;
      return refusal(codeOf(thrown), textOf(thrown), thrown.detail);
    });
    this.#keep(command.id, body, decided);
    const answer = await decided;
    const words = answer.ok ? {} : { code: answer.code, text: answer.text };
    this.#parts.log.info({ id: command.id, verb, by: command.by, ok: answer.ok, ...words }, verb);
    this.#reply(command, answer);
  }

  #keep(id: string, body: string, answer: Promise<Answer>): void {
    this.#answers.set(id, { body, answer });
    const [oldest] = this.#answers.keys();
    if (this.#answers.size > answersMax && oldest !== undefined) this.#answers.delete(oldest);
  }

  #reply(command: Command, answer: Answer): void {
    const { main, boot } = this.#parts;
    const status = answer.ok ? "succeeded" : answer.code === "EXPIRED" ? "expired" : "failed";
    const { id } = command;
    const head = { v: 1 as const, id, ts: Date.now(), bootId: boot.bootId, source: boot.service };
    const response: Response = answer.ok
      ? { ...head, status, result: { ...answer.result } }
      : {
          ...head,
          status,
          error: { code: answer.code, message: answer.text, detail: { ...answer.detail } },
        };
    main.publish("response", { client: command.replyTo }, response).catch(() => undefined);
  }

  async #decide(
    kind: "run" | "cell",
    verb: string,
    command: Command,
    body: string,
  ): Promise<Answer> {
    if (kind === "cell") return verb === "reset" ? this.#reset(command) : this.#clear();
    return verb === "start" ? this.#start(command, body) : this.#onRun(verb, command, body);
  }

  async #start(command: Command, body: string): Promise<Answer> {
    const { config, runs, newId } = this.#parts;
    const saga = config.sagas.find((known) => known.name === command.args.saga);
    if (saga === undefined) {
      return refusal("NOT_FOUND", `There is no saga "${String(command.args.saga)}" in this cell.`);
    }
    const given = command.args.run;
    if (given !== undefined && !commandIdSchema.safeParse(given).success) {
      return refusal("VALIDATION_FAILED", "A run id is 1 to 64 of A–Z a–z 0–9 _ -.");
    }
    const run = given === undefined ? newId() : String(given);
    const before = given === undefined ? undefined : await this.#repeated(run, saga);
    if (before !== undefined) return before;
    const judged = startInputs(saga, command.args.inputs);
    if (!judged.ok) return refusal("VALIDATION_FAILED", `${judged.problems.join("; ")}.`);
    this.#checkStart(saga);
    const { inputs } = judged;
    const answer: Answer = { ok: true, result: { run, state: "pending" } };
    const start = { run, saga, by: command.by, inputs };
    await runs.start(start, () => keeping(command.id, body, answer));
    return answer;
  }

  /** The same run with the same saga is the same wish; with another it is a mistake. */
  async #repeated(run: string, saga: SagaDefinition): Promise<Answer | undefined> {
    const { runs, journal } = this.#parts;
    const stored = runs.find(run) === undefined ? await journal.sagaOf(run) : undefined;
    // Looked for again: it may have been started while the journal was asked.
    const known = runs.find(run);
    const name = known?.saga.name ?? stored;
    if (name === undefined) return undefined;
    if (name !== saga.name) {
      return refusal("DUPLICATE_ID", `The run ${run} exists and is one of "${name}".`);
    }
    return {
      ok: true,
      result: { run, state: known === undefined ? "ended" : publishedState(known) },
    };
  }

  /** @throws what speaks against it, by name. */
  #checkStart(saga: SagaDefinition): void {
    const { cell, runs, watch, latches, queue } = this.#parts;
    if (queue.trouble !== undefined) {
      const code = queue.trouble === "STORE_FULL" ? "STORE_FULL" : "STORE_FAILED";
      throw new ServocellError(code, "The journal cannot be written; no run is started.");
    }
    const [latch] = latches.book.latches;
    if (latch !== undefined) {
      const text = `The stop ${latch.id} is latched; reset the cell first.`;
      throw new ServocellError("LATCHED", text, { stops: latches.book.latches.map((l) => l.id) });
    }
    if (!cell.allowed.includes("start")) {
      const detail = { state: cell.state.at, allowed: [...cell.allowed] };
      const text = `The cell is ${cell.state.at}; start is not allowed.`;
      throw new ServocellError("STATE_CONFLICT", text, detail);
    }
    for (const run of runs.open) {
      const shared = run.saga.uses.filter((device) => saga.uses.includes(device));
      if (shared.length === 0) continue;
      const text = `The run ${run.run} (${run.saga.name}) has ${shared.join(", ")}.`;
      throw new ServocellError("STATE_CONFLICT", text, { run: run.run, devices: shared });
    }
    if (runs.open.length >= openRunsMax) {
      throw new ServocellError("STATE_CONFLICT", `${openRunsMax} runs are open already.`);
    }
    for (const device of saga.uses) {
      if (!watch.isOnline(device)) {
        const text = `The driver of ${device} is not online; the saga needs it.`;
        throw new ServocellError("NOT_READY", text, { device });
      }
      const breaker = watch.breaker(device);
      if (breaker === "open" || breaker === "half-open") {
        const text = `The breaker of ${device} is ${breaker}; the saga needs this device.`;
        throw new ServocellError("BREAKER_OPEN", text, { device });
      }
    }
  }

  async #onRun(verb: string, command: Command, body: string): Promise<Answer> {
    const { runs } = this.#parts;
    const id = String(command.args.run);
    const run = runs.find(id);
    if (run === undefined) return refusal("NOT_FOUND", `There is no open run "${id}".`);
    const news = newsOf(verb, command.by.user);
    const answerOf = (now: Run): Answer => ({
      ok: true,
      result: { run: id, state: publishedState(now) },
    });
    // Kept beside the choice: a repeat after a restart is no second choice.
    const fed = runs.feed(id, news, (now) => keeping(command.id, body, answerOf(now)));
    if (fed === undefined) {
      const state = publishedState(run);
      return refusal("STATE_CONFLICT", `The run is ${state}; ${verb} means nothing now.`, {
        run: id,
        state,
      });
    }
    await fed.committed;
    return answerOf(runs.find(id) ?? run);
  }

  /** Names what was shown; a stop that came since is not among it and stays [PROTOCOL 2]. */
  async #reset(command: Command): Promise<Answer> {
    const { cell, latches, runs, watch } = this.#parts;
    const given = command.args.stops;
    const named = Array.isArray(given) ? given.map(String) : [];
    const waiting = runs.open.find(isWaiting);
    if (waiting !== undefined) {
      const text = `The run ${waiting.run} is ${waiting.phase.at}; choose makeSafe or abandon first.`;
      return refusal("STATE_CONFLICT", text, { run: waiting.run });
    }
    const unnamed = latches.book.latches.filter(({ id }) => !named.includes(id));
    if (unnamed.length > 0) {
      const ids = unnamed.map(({ id }) => id);
      return refusal("LATCHED", `The reset does not name ${ids.join(", ")}.`, { stops: ids });
    }
    if (!cell.feed({ kind: "reset" }, { code: "RESET", text: `reset by ${command.by.user}` })) {
      return refusal("STATE_CONFLICT", `The cell is ${cell.state.at}; reset is not allowed.`, {
        state: cell.state.at,
        allowed: [...cell.allowed],
      });
    }
    const answer = await latches.reset(named, watch.axes, command.by);
    const ok = answer.ok && latches.book.latches.length === 0;
    cell.feed(
      { kind: "resetDone", ok },
      ok
        ? { code: "RESET", text: `reset by ${command.by.user}` }
        : { code: "LATCHED", text: answer.text },
    );
    if (ok) return { ok: true, result: { state: cell.state.at } };
    const text = answer.text === "" ? "another stop came meanwhile" : answer.text;
    return refusal("LATCHED", `The cell stays stopped: ${text}.`);
  }

  async #clear(): Promise<Answer> {
    const { cell } = this.#parts;
    if (cell.feed({ kind: "clear" }, { code: "CLEARED", text: "cleared; reset is next" })) {
      return { ok: true, result: { state: cell.state.at } };
    }
    return refusal("STATE_CONFLICT", `The cell is ${cell.state.at}; clear is not allowed.`, {
      state: cell.state.at,
      allowed: [...cell.allowed],
    });
  }
}

const pruneRequests: Statement = {
  sql: `DELETE FROM requests WHERE id IN
    (SELECT id FROM requests ORDER BY at DESC LIMIT -1 OFFSET ${answersMax})`,
};

/** An answer that outlives this start, written beside what it tells of. */
function keeping(id: string, body: string, answer: Answer): Statement[] {
  const sql = "INSERT OR IGNORE INTO requests (id, body, answer, at) VALUES (?, ?, ?, ?)";
  return [{ sql, params: [id, body, JSON.stringify(answer), Date.now()] }, pruneRequests];
}

function newsOf(verb: string, user: string): RunNews {
  const text = `${verb} by ${user}`;
  if (verb === "makeSafe" || verb === "retry") return { kind: verb, user };
  return verb === "abandon" ? { kind: "abandon", text } : { kind: "cancelled", text };
}

function refusal(code: ErrorCode, text: string, detail: Detail = {}): Answer {
  return { ok: false, code, text, detail };
}

/** The same for the same wish, whatever the order of the fields. */
function bodyOf(kind: string, verb: string, command: Command): string {
  const names = Object.keys(command.args).sort();
  return JSON.stringify([kind, verb, names.map((name) => [name, command.args[name]])]);
}
