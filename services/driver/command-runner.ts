/**
 * Takes operations in, runs them one at a time, and tells their verdicts.
 *
 * The idea: the inbox decides whether a command is new, the checks whether it may run, the
 * pipeline machine what happens next; this file stores, answers and runs. A repeated id gets the
 * stored answer and never a second execution, also after a restart [PROTOCOL 11]. It refuses to
 * send a frame that the last look does not allow.
 */

import type { Verdict } from "#drivers/reading.js";
import { isMotion } from "#kernel/config/moving-verbs.js";
import type { Command } from "#kernel/contract/payloads.js";
import { codeOf, textOf } from "#kernel/errors.js";
import type { PlannedCommand } from "./axis-frame.js";
import { argsOf, bodyOf } from "./command-body.js";
import { checkCommand, checkWithoutLease, isUnbounded, refuse } from "./command-checks.js";
import type { CommandParts } from "./command-parts.js";
import { Doubts } from "./doubts.js";
import { tooFast } from "./hold-request.js";
import { runJog } from "./jog-runner.js";
import type { InboxEntry } from "./journal.js";
import { runOperation } from "./operation-runner.js";
import {
  type InboxRow,
  type Interruption,
  nextPipeline,
  type PipelineCommand,
  type PipelineEffect,
  type PipelineInput,
  type PipelineState,
  pipelineIdle,
} from "./pipeline.machine.js";

interface Running {
  readonly command: Command;
  readonly verb: string;
  /** As the drive is to be asked; undefined: it was refused. */
  readonly planned: PlannedCommand | undefined;
  readonly generation: number;
}

/** Of a command that has run in this epoch, longer ago than verdicts are kept. */
const spent: Verdict = {
  verdict: "unknown",
  code: "OUTCOME_UNKNOWN",
  text: "this id had its verdict long ago, and it is not kept any more; nothing was sent again",
};

export class CommandRunner {
  readonly #parts: CommandParts;
  /** Commands whose answer is still due, by id: the running one and refusals being stored. */
  readonly #open = new Map<string, Running>();
  readonly #doubts: Doubts;
  #state: PipelineState = pipelineIdle;
  #token = 0;
  #stored: Promise<void> = Promise.resolve();
  #closed: string | undefined = "the driver is starting";

  constructor(parts: CommandParts) {
    this.#parts = parts;
    const { journal, log } = parts;
    this.#doubts = new Doubts({ journal, log, tell: (...told) => this.#tell(...told) });
  }

  /** The command whose frames may be on the device. */
  get running(): { readonly id: string; readonly verb: string } | undefined {
    const state = this.#state;
    if (state.at === "idle" || state.at === "closing") return undefined;
    return { id: state.command.id, verb: state.command.verb };
  }

  /** A jog runs towards places inside the travel: it needs no watch at the ends. */
  get leashed(): boolean {
    const { running } = this;
    const open = running?.verb === "jog" ? this.#open.get(running.id) : undefined;
    return open?.planned?.place !== undefined;
  }

  /** True while a frame of ours that may move something has no known end. */
  get triggered(): boolean {
    return (this.#state.at === "running" && this.#state.triggered) || this.#state.at === "halting";
  }

  /** A motion of an earlier start has no known end: the device may hold the rest of it. */
  get motionInDoubt(): boolean {
    return this.#doubts.motion;
  }

  /** Rows of an earlier start [PROTOCOL 11]. */
  restore(inbox: readonly InboxEntry[]): void {
    this.#closed = undefined;
    this.#doubts.restore(inbox);
  }

  /** After the full read at standstill. */
  settle(position: number | undefined): void {
    this.#doubts.settle(position);
  }

  /** What is known of a command, for `query`. */
  lookUp(id: string): { status: InboxEntry["status"]; verdict?: Verdict } | undefined {
    const { journal } = this.#parts;
    if (journal.isSpent(id)) return { status: "ended", verdict: spent };
    const entry = this.#doubts.find(id) ?? journal.known(id);
    if (entry === undefined) return undefined;
    const { status, verdict } = entry;
    return verdict === undefined ? { status } : { status, verdict };
  }

  /** Nothing new from here on. */
  refuseAll(reason: string): void {
    this.#closed = reason;
  }

  /** Resolves when the command is stored, or needs no storing. */
  async submit(verb: string, command: Command): Promise<void> {
    const { journal, responder, fresh } = this.#parts;
    const wait = fresh();
    if (wait !== undefined) await wait;
    const known = journal.known(command.id);
    if (known !== undefined) {
      this.#repeat(known, verb, command);
      return;
    }
    if (journal.isSpent(command.id)) {
      responder.verdict(command, spent);
      return;
    }
    if (this.#closed !== undefined) {
      responder.verdict(command, refuse("NOT_READY", this.#closed));
      return;
    }
    const planned = this.#plan(verb, command);
    const refusal = this.#check(verb, command, planned);
    const target = this.#parts.frame.shownPlace(planned?.place);
    const generation = this.#parts.generation();
    this.#open.set(command.id, { command, verb, planned, generation });
    this.#apply({
      kind: "command",
      refusal,
      command: {
        id: command.id,
        verb,
        epoch: command.lease?.epoch ?? 0,
        ...(target === undefined ? {} : { target }),
      },
    });
    await this.#stored;
  }

  #repeat(known: InboxEntry, verb: string, command: Command): void {
    const { responder } = this.#parts;
    if (known.body !== bodyOf(verb, command)) {
      responder.error(command, "DUPLICATE_ID", `id ${command.id} was used for another command`);
      return;
    }
    const found = this.lookUp(known.id);
    if (found?.verdict !== undefined) {
      responder.verdict(command, found.verdict);
      return;
    }
    const accepted = this.#state.at === "running" && this.#state.accepted;
    responder.progress(command, accepted ? "running" : "accepted");
  }

  #plan(verb: string, command: Command): PlannedCommand | undefined {
    const { frame, readings, jogs } = this.#parts;
    const args = argsOf(command.args);
    if (args !== undefined && verb === "jog") return jogs.plan(args);
    return args === undefined ? undefined : frame.plan(verb, args, readings.view.position);
  }

  /** Why a command with these arguments would be refused now, had it a lease. */
  wouldRefuse(verb: string, command: Command, bypass: readonly string[]): Verdict | undefined {
    const { model, interlock } = this.#parts;
    const planned = this.#plan(verb, command);
    const asked = { velocity: Number(command.args.velocity), bypass };
    const fast = tooFast(asked, model.setup.axis);
    if (fast !== undefined) return fast;
    return this.#check(verb, command, planned, (facts) => {
      return checkWithoutLease({ ...facts, interlock: interlock(bypass) });
    });
  }

  #check(
    verb: string,
    command: Command,
    planned: PlannedCommand | undefined,
    check = checkCommand,
  ): Verdict | undefined {
    const { model, readings, surroundings } = this.#parts;
    const args = argsOf(command.args);
    if (args === undefined || planned === undefined)
      return refuse("VALIDATION_FAILED", "arguments must be numbers");
    const { view, points } = readings;
    const nowMs = performance.now();
    const given = command.lease;
    const asked = { nowMs, verb, args, given, place: planned.place, running: this.running };
    const facts = { ...surroundings(), ...asked, view, model };
    const refusal = check(facts);
    if (refusal !== undefined) return refusal;
    const known = [...model.verbs].find((v) => v === verb);
    if (known === undefined) return refuse("NOT_SUPPORTED", `there is no operation ${verb}`);
    // The profile's own word; it is asked again when the operation begins.
    const operation = [...model.verbs].find((v) => v === planned.verb) ?? known;
    const begun = model.begin({ verb: operation, args: planned.args, nowMs, points });
    return begun.ok ? undefined : begun.verdict;
  }

  /** A stop, the end of a lease or a permit ends what runs. */
  interrupt(why: Interruption): void {
    this.#apply({ kind: "interrupted", ...why });
  }

  standstill(position: number | undefined): void {
    this.#apply({ kind: "standstill", position });
  }

  lost(text: string): void {
    this.#apply({ kind: "lost", text });
  }

  #apply(input: PipelineInput): void {
    const step = nextPipeline(this.#state, input);
    if (step === undefined) return;
    this.#state = step.state;
    for (const effect of step.effects) this.#run(effect);
    // Told with its first frame, and not before it.
    if (step.state.at !== "starting") this.#parts.onChange();
  }

  #run(effect: PipelineEffect): void {
    const { responder, outbox } = this.#parts;
    const { command } = effect;
    const open = this.#open.get(command.id);
    switch (effect.kind) {
      case "storeStarted":
        this.#store(command, "started");
        return;
      case "storeVerdict":
        this.#store(command, "verdict", effect.verdict);
        return;
      case "answer":
        if (open !== undefined) responder.progress(open.command, effect.status);
        if (effect.status === "accepted") {
          outbox.emit("axis", "command.accepted", { command: command.id, verb: command.verb });
        }
        return;
      case "answerVerdict":
        this.#open.delete(command.id);
        if (open !== undefined) responder.verdict(open.command, effect.verdict);
        if (command.verb === "jog") this.#jogOver(command.id, effect.verdict);
        this.#tell(command, effect.verdict);
        return;
      case "begin":
        if (open !== undefined) void this.#begin(open, command);
        return;
      case "drop":
        this.#token += 1;
        return;
      default:
        effect satisfies never;
    }
  }

  #jogOver(id: string, verdict: Verdict): void {
    this.#parts.onJogOver(id, verdict.verdict === "done" ? "it is over" : verdict.text);
  }

  #tell(command: { id: string; verb: string }, verdict: Verdict): void {
    const code = verdict.verdict === "done" ? undefined : verdict.code;
    this.#parts.outbox.emit("axis", "command.ended", {
      command: command.id,
      verb: command.verb,
      verdict: verdict.verdict,
      ...(code === undefined ? {} : { code }),
    });
  }

  #store(command: PipelineCommand, row: InboxRow, verdict?: Verdict): void {
    const { journal, log } = this.#parts;
    const { id, verb, epoch, target } = command;
    const known = journal.known(id);
    const sent = this.#open.get(id)?.command;
    const body = known?.body ?? (sent === undefined ? "" : bodyOf(verb, sent));
    const entry: InboxEntry = {
      ...{ id, body, verb, epoch, at: known?.at ?? Date.now() },
      status: row === "verdict" ? "ended" : row,
      ...(verdict === undefined ? {} : { verdict }),
      ...(target === undefined ? {} : { target }),
    };
    this.#stored = journal.save(entry).then(
      () => this.#apply({ kind: "stored", id, row }),
      (thrown) => {
        log.error({ command: id, row, error: textOf(thrown) }, "command not stored");
        const code = codeOf(thrown) === "STORE_FULL" ? "STORE_FULL" : "STORE_FAILED";
        const failed = refuse(code, `${textOf(thrown)}; nothing was sent`);
        // What never began may be asked again; what ended keeps its verdict in memory.
        if (row !== "verdict") journal.forget(id);
        this.#apply({ kind: "storeFailed", id, row, verdict: failed });
      },
    );
  }

  async #begin(open: Running, command: PipelineCommand): Promise<void> {
    const { model, io, breaker, readings, onMotion, frame } = this.#parts;
    this.#token += 1;
    const token = this.#token;
    const { planned } = open;
    const verb = [...model.verbs].find((v) => v === planned?.verb);
    if (verb === undefined || planned === undefined) throw new TypeError(`checked ${command.id}?`);
    const { args } = planned;
    const { points } = readings;
    const begun = model.begin({ verb, args, nowMs: performance.now(), points });
    if (!begun.ok) {
      this.#apply({ kind: "ended", verdict: begun.verdict });
      return;
    }
    const operation = {
      ...{ model, io, breaker, begun: begun.state },
      alive: () => token === this.#token,
      look: (trigger: boolean) => this.#look(open, trigger),
      onAccepted: () => this.#apply({ kind: "deviceAccepted" }),
      // A tap on the button ends in a halt, and not in the quick stop of a drive that may be off.
      keepsPower: open.verb === "jog",
    };
    const { velocity } = open.command.args;
    const ended =
      open.verb === "jog"
        ? await runJog(this.#parts.jogs.motion(operation, planned, Number(velocity)))
        : await runOperation(operation);
    if (ended === undefined || token !== this.#token) return;
    // First: after a homing its place is told in the frame that it has made.
    frame.ended(command.verb, ended, planned.place);
    const verdict = frame.told(ended);
    const done = verdict.verdict === "done";
    if (isMotion(command.verb) && this.triggered) {
      // A velocity that was reached goes on; any other motion that is done is over.
      const goesOn = isUnbounded(command.verb) && args.velocity !== 0;
      onMotion(done ? (goesOn ? command.verb : "none") : "unfinished");
    } else if (command.verb === "disable" && done) onMotion("none");
    this.#apply({ kind: "ended", verdict });
    if (open.verb === "jog") this.#jogOver(open.command.id, verdict);
  }

  /** The last look, in the tick of the handover [PROTOCOL 4]. */
  #look(open: Running, trigger: boolean): boolean {
    const { forbidden, generation, onMotion } = this.#parts;
    const { holder, epoch } = open.command.lease ?? { holder: "", epoch: 0 };
    const why: Interruption | undefined =
      open.generation === generation()
        ? forbidden(open.verb, holder, epoch)
        : { code: "SUPERSEDED", fault: "STOPPED_SHORT", text: "a stop came first" };
    if (why !== undefined) {
      this.#apply({ kind: "interrupted", ...why });
      return false;
    }
    if (trigger) {
      this.#parts.frame.unsettled(open.verb);
      this.#apply({ kind: "trigger" });
      if (isMotion(open.verb) && open.planned !== undefined) {
        const { planned } = open;
        const allowed = () =>
          open.generation === generation() && forbidden(open.verb, holder, epoch) === undefined;
        onMotion(open.verb, { planned, allowed });
      }
    }
    return true;
  }
}
