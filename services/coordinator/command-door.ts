/**
 * The commands of people and other services: runs and the cell.
 *
 * The idea: a command id is decided once and its answer is kept, so a repeat gets the same words
 * and never a second run. Refusals name the reason and the device. It refuses what the state of
 * the cell does not allow, before anything is written.
 */
import type { Command, Response } from "#kernel/contract/payloads.js";
import { codeOf, ServocellError, textOf } from "#kernel/errors.js";
import type { Boot, Log, MessageLink, Row } from "#kernel/ports.js";
import { storedJson } from "#kernel/stored-json.js";
import { type Answer, type Asked, answersMax, bodyOf, refusal } from "./door-answer.js";
import { CellDoor, type CellDoorParts, cellVerbs } from "./door-cell.js";
import { RunDoor, runVerbs } from "./door-run.js";
import { StartDoor, type StartParts } from "./door-start.js";

/** A stamp further ahead than this is no stamp [mqtt-drives-states 7.2]. */
const aheadMsMax = 1000;

type Kind = "run" | "cell";

export interface DoorParts extends StartParts, CellDoorParts {
  readonly main: MessageLink;
  readonly boot: Boot;
  readonly log: Log;
  /** False before the start is over, and while the service drains. */
  readonly isOpen: () => boolean;
}

export class CommandDoor {
  readonly #parts: DoorParts;
  readonly #answers = new Map<
    string,
    { readonly body: string; readonly answer: Promise<Answer> }
  >();

  /** Also for the rules of the cell. */
  readonly starts: StartDoor;
  readonly #run: RunDoor;
  readonly #cell: CellDoor;

  constructor(parts: DoorParts) {
    this.#parts = parts;
    const { main } = parts;
    this.starts = new StartDoor(parts);
    this.#run = new RunDoor(parts.runs);
    this.#cell = new CellDoor(parts);
    for (const verb of ["start", ...runVerbs]) {
      main.subscribe("runCommand", { verb }, ({ payload }) => this.#enter("run", verb, payload));
    }
    for (const verb of cellVerbs) {
      main.subscribe("cellCommand", { verb }, ({ payload }) => this.#enter("cell", verb, payload));
    }
  }

  /** Answers from before a restart. */
  load(rows: readonly Row[]): void {
    for (const { id, body, answer } of rows.slice(-answersMax)) {
      const kept = Promise.resolve(storedJson<Answer>(answer, `the answer to ${id}`));
      this.#answers.set(String(id), { body: String(body), answer: kept });
    }
  }

  #enter(kind: Kind, verb: string, command: Command): void {
    void this.#take(kind, { verb, command, body: bodyOf(kind, verb, command) });
  }

  async #take(kind: Kind, asked: Asked): Promise<void> {
    const { verb, command, body } = asked;
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
    const decided = this.#decide(kind, asked).catch((thrown: unknown) => {
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

  #decide(kind: Kind, asked: Asked): Promise<Answer> {
    if (kind === "cell") return this.#cell.on(asked);
    return asked.verb === "start" ? this.starts.start(asked) : this.#run.on(asked);
  }
}
