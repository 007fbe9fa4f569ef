/**
 * Which trigger at a device belongs to which command.
 *
 * The idea: the wire does not name commands, so each trigger that a device took is given to a
 * command that was published for it and has no verdict yet. Commands without a refusal go first:
 * a trigger is laid at the door of a refused command only when no other could have sent it. It
 * refuses to guess where a trace has no commands at all.
 */
import type { JudgeFacts } from "./judge.js";
import { sortedFrames } from "./sorted-frames.js";
import { exchangeMsOf, isAnswered, oncePerTrace } from "./timeline.js";
import type { LineOf, TraceLine } from "./trace.js";

/** Verbs after which nothing moves that did not move before. */
export const movesNothing: ReadonlySet<string> = new Set([
  "lease",
  "release-lease",
  "query",
  "reset",
  "stop",
  "quickStop",
  "abort",
  "enable",
  "disable",
  "resetFault",
]);

/** Verbs of a pressed button, which move the target again and again. */
const repeats: ReadonlySet<string> = new Set(["jog", "hold"]);

export interface CommandBody {
  readonly args: { readonly [name: string]: unknown };
  readonly epoch: number | undefined;
}

export interface TriggerBook {
  /** The triggers of each command, by its id. */
  readonly byId: ReadonlyMap<string, readonly LineOf<"frame">[]>;
  /** Triggers that no command can have sent. */
  readonly orphans: readonly LineOf<"frame">[];
}

/** Undefined: the text is not a body. */
export function bodyOf(line: LineOf<"command">): CommandBody | undefined {
  try {
    const { args, lease } = JSON.parse(line.body);
    return { args: args ?? {}, epoch: lease?.epoch };
  } catch {
    return undefined;
  }
}

interface Open {
  readonly id: string;
  readonly verb: string;
  readonly epoch: number | undefined;
  closedAt: number;
}

export const triggerBook = oncePerTrace(sortTriggers);

function sortTriggers(trace: readonly TraceLine[], facts: JudgeFacts): TriggerBook {
  const refused = new Set<string>();
  for (const line of trace) {
    if (line.kind === "verdict" && line.verdict === "refused") refused.add(line.id);
  }
  const sorter = new Sorter(facts, refused, sortedFrames(trace, facts));
  for (const line of trace) {
    if (line.kind === "command") sorter.command(line);
    else if (line.kind === "verdict") sorter.verdict(line);
    else if (line.kind === "lease" && line.change === "granted") sorter.granted(line);
    else if (line.kind === "frame") sorter.frame(line);
  }
  return { byId: sorter.byId, orphans: sorter.orphans };
}

type Frames = ReturnType<typeof sortedFrames>;

class Sorter implements TriggerBook {
  readonly byId = new Map<string, LineOf<"frame">[]>();
  readonly orphans: LineOf<"frame">[] = [];
  readonly #facts: JudgeFacts;
  readonly #refused: ReadonlySet<string>;
  readonly #open = new Map<string, Open[]>();
  readonly #known = new Set<string>();
  readonly #frames: Frames;
  #told = false;

  constructor(facts: JudgeFacts, refused: ReadonlySet<string>, frames: Frames) {
    this.#facts = facts;
    this.#refused = refused;
    this.#frames = frames;
  }

  command(line: LineOf<"command">): void {
    this.#told = true;
    const { id, device, verb } = line;
    if (movesNothing.has(verb) || this.#known.has(id)) return;
    this.#known.add(id);
    const epoch = bodyOf(line)?.epoch;
    const open = { id, verb, epoch, closedAt: Number.POSITIVE_INFINITY };
    this.#open.set(device, [...(this.#open.get(device) ?? []), open]);
  }

  verdict({ id, device, at }: LineOf<"verdict">): void {
    for (const open of this.#open.get(device) ?? []) {
      if (open.id === id) open.closedAt = Math.min(open.closedAt, at);
    }
  }

  /** A newer epoch: what named an older one is never run again. */
  granted({ device, epoch, at }: LineOf<"lease">): void {
    for (const open of this.#open.get(device) ?? []) {
      if (open.epoch !== undefined && open.epoch < epoch) {
        open.closedAt = Math.min(open.closedAt, at);
      }
    }
  }

  frame(line: LineOf<"frame">): void {
    const { at, device, pdu, reply, took = isAnswered(reply) } = line;
    if (!this.#told || !took || this.#frames.get(device)?.isTrigger(pdu) !== true) return;
    const since = at - exchangeMsOf(this.#facts);
    const open = (this.#open.get(device) ?? []).filter(({ closedAt }) => closedAt >= since);
    this.#open.set(device, open);
    const free = open.filter(({ id, verb }) => repeats.has(verb) || !this.byId.has(id));
    const sender = free.find(({ id }) => !this.#refused.has(id)) ?? free[0];
    if (sender === undefined) this.orphans.push(line);
    else this.byId.set(sender.id, [...(this.byId.get(sender.id) ?? []), line]);
  }
}
