/**
 * The rules of the cell: events that start sagas.
 *
 * The idea: the id of the run is made from the rule and the event, so the row of the run is the
 * record that this event has been met: a second start of it is the same wish and nothing happens,
 * also after a restart. The start goes through the same door as a person's. It refuses to start
 * what the door refuses, and says so as an event.
 */
import { createHash } from "node:crypto";
import type { Detail } from "#drivers/reading.js";
import { eventLevels } from "#kernel/cloud-event.js";
import type { CellConfig } from "#kernel/config/cell.js";
import {
  evaluateExpression,
  eventScope,
  type Scope,
  type Value,
} from "#kernel/config/expression.js";
import type { RuleConfig } from "#kernel/config/saga.js";
import type { CloudEvent, Command } from "#kernel/contract/payloads.js";
import { codeOf, type ErrorCode, ServocellError, textOf } from "#kernel/errors.js";
import type { Boot, Log, Statement } from "#kernel/ports.js";
import { type Answer, bodyOf, refusal } from "./door-answer.js";
import type { StartDoor } from "./door-start.js";
import type { EventOutbox } from "./event-outbox.js";
import {
  nextRule,
  nextTelling,
  type RuleState,
  ruleAtBoot,
  type Telling,
  tellingAtBoot,
  type WhyIgnored,
} from "./rule.machine.js";
import type { Cause } from "./run-state.js";
import { eventValues } from "./run-values.js";

/** A start by a rule is worth this long; it is decided at once. */
const startTtlMs = 5000;

/** What is ignored for these is a refusal: somebody may have counted on the start. */
const refusals: { readonly [W in WhyIgnored]?: ErrorCode } = {
  old: "EXPIRED",
  ahead: "EXPIRED",
  rate: "STATE_CONFLICT",
};

export interface RuleParts {
  readonly config: CellConfig;
  readonly boot: Boot;
  readonly log: Log;
  readonly outbox: EventOutbox;
  readonly door: Pick<StartDoor, "start" | "knows">;
}

/** `beside`: to be written with what is decided. */
interface Happening {
  readonly event: CloudEvent;
  readonly openTs: number;
  readonly beside: readonly Statement[];
}
interface Start {
  readonly event: CloudEvent;
  readonly scope: Scope;
  readonly beside: readonly Statement[];
}

export class RuleDesk {
  readonly #parts: RuleParts;
  readonly #rules: readonly RuleConfig[];
  readonly #states = new Map<string, RuleState>();
  readonly #tellings = new Map<string, Telling>();
  #openTs: number | undefined;

  constructor(parts: RuleParts) {
    this.#parts = parts;
    this.#rules = parts.config.rules ?? [];
  }

  /** From now on; what has happened before starts nothing. */
  open(): void {
    this.#openTs = Date.now();
  }

  close(): void {
    this.#openTs = undefined;
  }

  /**
   * Undefined: no rule means it; else it resolves when all that do have decided. `beside` is
   * written with the decision where there is one alone.
   */
  happened(event: CloudEvent, beside: readonly Statement[]): Promise<unknown> | undefined {
    const openTs = this.#openTs;
    if (openTs === undefined) return undefined;
    const { kind, id, type } = eventLevels(event);
    const meant = this.#rules.filter(({ on }) => {
      return on.kind === kind && on.type === type && (on.id === undefined || on.id === id);
    });
    if (meant.length === 0) return undefined;
    const own = meant.length === 1 ? beside : [];
    return Promise.all(meant.map((rule) => this.#met(rule, { event, openTs, beside: own })));
  }

  async #met(rule: RuleConfig, { event, openTs, beside }: Happening): Promise<void> {
    const scope = eventScope(eventValues(event.data as Detail));
    if (rule.on.where !== undefined) {
      const where = evaluateExpression(rule.on.where.expression, scope);
      if (!where.ok || where.value !== true) return;
    }
    const nowMs = performance.now();
    const input = {
      kind: "event",
      id: event.id,
      eventTs: Date.parse(event.time),
      nowTs: Date.now(),
      openTs,
      nowMs,
    } as const;
    const decision = this.#apply(rule, input);
    const { log } = this.#parts;
    if (decision?.kind === "ignored") {
      const { why, text } = decision;
      log.info({ rule: rule.name, event: event.id, why, text }, "An event starts nothing.");
      const code = refusals[why];
      // Said again because nobody has heard that it was met: there is nothing to be told.
      if (code === undefined || (await this.#parts.door.knows(runIdOf(rule, event)))) return;
      this.#refuse(rule, event, { code, text }, beside);
    }
    if (decision?.kind !== "start") return;
    const answer = await this.#start(rule, { event, scope, beside });
    if (answer.ok) {
      const { run } = answer.result;
      log.info({ rule: rule.name, event: event.id, run }, "A rule has started a run.");
      return;
    }
    this.#apply(rule, { kind: "refused", startedMs: nowMs });
    this.#refuse(rule, event, answer, beside);
  }

  /** Told as an event, but no flood of refusals becomes a flood of events. */
  #refuse(
    rule: RuleConfig,
    event: CloudEvent,
    { code, text }: Cause,
    beside: readonly Statement[],
  ): void {
    const { config, outbox, log } = this.#parts;
    const before = this.#tellings.get(rule.name) ?? tellingAtBoot;
    const { state, told, untold } = nextTelling(before, performance.now());
    this.#tellings.set(rule.name, state);
    if (!told) return;
    log.warn({ mark: "rule.refused", rule: rule.name, event: event.id, code, untold, text }, text);
    const more = untold === 0 ? {} : { untold };
    const data = { rule: rule.name, saga: rule.saga, event: event.id, code, text, ...more };
    outbox.emit("cell", config.cell, "rule.refused", data, beside);
  }

  #apply(rule: RuleConfig, input: Parameters<typeof nextRule>[1]) {
    const state = this.#states.get(rule.name) ?? ruleAtBoot;
    const turn = nextRule(state, input, rule);
    if (turn !== undefined) this.#states.set(rule.name, turn.state);
    return turn?.decision;
  }

  async #start(rule: RuleConfig, { event, scope, beside }: Start): Promise<Answer> {
    const inputs: { [name: string]: Value } = {};
    for (const [name, given] of Object.entries(rule.inputs)) {
      if (typeof given !== "object") {
        inputs[name] = given;
        continue;
      }
      const worked = evaluateExpression(given.expression, scope);
      if (!worked.ok) {
        return refusal("VALIDATION_FAILED", `The input ${name}: ${worked.reason}.`);
      }
      inputs[name] = worked.value;
    }
    const id = runIdOf(rule, event);
    const args: Detail = { saga: rule.saga, run: id, inputs, wait: rule.wait };
    const command: Command = {
      v: 1,
      id,
      ts: Date.now(),
      ttlMs: startTtlMs,
      by: { user: `rule ${rule.name}`, role: "service" },
      replyTo: this.#parts.boot.service,
      args: { ...args },
    };
    const body = bodyOf("run", "start", command);
    try {
      return await this.#parts.door.start({ verb: "start", command, body }, beside);
    } catch (thrown) {
      if (!(thrown instanceof ServocellError)) throw thrown;
      return refusal(codeOf(thrown), textOf(thrown), thrown.detail);
    }
  }
}

/** The same for the same event, whatever else has happened. */
function runIdOf(rule: RuleConfig, event: CloudEvent): string {
  const hash = createHash("sha256")
    .update(JSON.stringify([rule.name, event.id]))
    .digest("hex");
  return `rule-${hash.slice(0, 32)}`;
}
