/**
 * What goes wrong in a world, as data: a list of faults with their moments.
 *
 * The idea: everything that goes wrong and everything that people press stands in one list before
 * the world begins, so a failing list can be made shorter item by item, written to a file and
 * played again. A fault begins at its time, or a moment after the first thing of a kind that then
 * happens, which is how somebody presses at the worst moment. It refuses to act; act.ts does.
 */
import type { CellConfig } from "#kernel/config/cell.js";
import type { FaultName } from "../faults.js";
import { jogFaults } from "./jog-plan.js";
import type { JogPress } from "./jog-press.js";
import { SeededRandom } from "./seeded-random.js";
import type { LinkLoss } from "./world-broker.js";

/** Things that a fault may wait for, so that it strikes in the middle of them. */
export const moments = [
  "command",
  "stop",
  "granted",
  "moving",
  "intent",
  "verdict",
  /** A finger is proved to be on a button. */
  "jog",
] as const;
export type Moment = (typeof moments)[number];

export const pressNames = [
  "start",
  "stop",
  "quickStop",
  "abort",
  "reset",
  "cancel",
  "makeSafe",
  "abandon",
  "hold",
  "unhold",
  "tidyUp",
  "jog",
] as const;
export type PressName = (typeof pressNames)[number];

/** Durations in ms, probabilities 0 to 1. */
export type FaultAction =
  | {
      readonly kind: "messages";
      readonly forMs: number;
      readonly drop: number;
      readonly repeat: number;
      readonly delayMaxMs: number;
    }
  | { readonly kind: "brokerLoss"; readonly forMs: number }
  | {
      readonly kind: "linkLoss";
      readonly node: string;
      readonly forMs: number;
      /** @default "reset" */
      readonly how?: LinkLoss;
    }
  /** Only where wires are of bytes: every kind of byte-faults.ts, so often in an exchange. */
  | { readonly kind: "bytes"; readonly forMs: number; readonly rate: number }
  | {
      readonly kind: "field";
      readonly forMs: number;
      readonly loseRequest: number;
      readonly loseReply: number;
      readonly delayMaxMs: number;
    }
  | { readonly kind: "fieldCut"; readonly bus: string; readonly forMs: number }
  | { readonly kind: "kill"; readonly node: string; readonly backMs: number }
  /** Dies after this many more of its own events: at any await. */
  | {
      readonly kind: "killAtEvent";
      readonly node: string;
      readonly events: number;
      readonly backMs: number;
    }
  | { readonly kind: "stall"; readonly node: string; readonly forMs: number }
  | { readonly kind: "powerLoss"; readonly backMs: number }
  | { readonly kind: "diskFull"; readonly node: string; readonly forMs: number }
  | {
      readonly kind: "diskSlow";
      readonly node: string;
      readonly forMs: number;
      readonly commitMs: number;
    }
  | { readonly kind: "clockJump"; readonly byMs: number }
  | {
      readonly kind: "device";
      readonly device: string;
      readonly fault: FaultName;
      readonly value?: number | string;
      readonly forMs: number;
    }
  | {
      readonly kind: "press";
      readonly what: PressName;
      /** Of a start. */
      readonly saga?: string;
      /** Of a jog. */
      readonly jog?: JogPress;
    };

export type PressAction = FaultAction & { readonly kind: "press" };
export type FaultKind = FaultAction["kind"];

export interface Fault {
  /** Virtual ms since the beginning of the act. */
  readonly atMs: number;
  /** Strikes `plusMs` after the first of these at or after `atMs`; absent: at once. */
  readonly after?: { readonly moment: Moment; readonly plusMs: number };
  readonly action: FaultAction;
}

export interface PlanDevice {
  readonly id: string;
  readonly kind: string;
  /** User units per second; absent: it cannot be jogged. */
  readonly velocityMax?: number;
  /** By its profile and its cell file it has a way to be jogged. */
  readonly jogged?: boolean;
  /** Interlocks that may forbid it to move. */
  readonly interlocks?: readonly string[];
}

/** What a plan is made for. */
export interface PlanFacts {
  readonly nodes: readonly string[];
  readonly buses: readonly string[];
  readonly devices: readonly PlanDevice[];
  readonly sagas: readonly string[];
  /** The world goes down to the bytes, and so do its faults. @default false */
  readonly bytes?: boolean;
}

export interface PlanOptions {
  readonly seed: number;
  /** How long faults may begin, ms. */
  readonly forMs: number;
  /** Faults on average in that time, presses apart. */
  readonly faults: number;
  /** Starts and other presses on average in that time. */
  readonly presses: number;
  /** Starts are among the presses. @default true */
  readonly starts?: boolean;
  /** Buttons are held among the presses. @default true */
  readonly jogs?: boolean;
  /** Only these kinds. @default all */
  readonly only?: readonly FaultKind[];
}

export function planFacts(cell: CellConfig): PlanFacts {
  return {
    nodes: ["bus", ...cell.devices.map(({ id }) => `driver-${id}`), "coordinator", "gateway"],
    buses: cell.buses.map(({ id }) => id),
    devices: cell.devices.map(({ id, profile, setup: { axis, acceptNoWatchdog } }) => ({
      ...{ id, kind: profile.kind },
      ...(axis !== undefined && { velocityMax: axis.velocityMax }),
      jogged: profile.retarget !== undefined || acceptNoWatchdog !== undefined,
      interlocks: cell.interlocks.flatMap(({ name, moves }) => (moves.includes(id) ? [name] : [])),
    })),
    sagas: cell.sagas.map(({ name }) => name),
  };
}

/** The list for a seed, in the order of time. The same arguments give the same list. */
export function planFaults(facts: PlanFacts, options: PlanOptions): readonly Fault[] {
  const random = new SeededRandom(options.seed);
  const { forMs, only } = options;
  const plan: Fault[] = [];
  const count = random.whole(Math.ceil(options.faults / 2), Math.ceil(options.faults * 1.5));
  for (let i = 0; i < count; i += 1) {
    const action = anyFault(facts, random);
    plan.push({ ...moment(random, forMs, 0.7), action });
  }
  const presses = random.whole(Math.ceil(options.presses / 2), Math.ceil(options.presses * 1.5));
  for (let i = 0; i < presses; i += 1) {
    if (options.jogs !== false && random.chance(jogShare)) {
      plan.push(...jogFaults(facts, random, Math.round(random.between(0, forMs))));
      continue;
    }
    const action = anyPress(facts, random, options.starts !== false);
    const worst = action.what === "start" ? 0.1 : 0.7;
    plan.push({ ...moment(random, forMs, worst), action });
  }
  const wanted = plan.filter(({ action }) => only === undefined || only.includes(action.kind));
  return wanted.sort((a, b) => a.atMs - b.atMs);
}

function moment(random: SeededRandom, forMs: number, worst: number): Omit<Fault, "action"> {
  const atMs = Math.round(random.between(0, forMs));
  if (!random.chance(worst)) return { atMs };
  const plusMs = Math.round(random.between(0, random.chance(0.5) ? 3 : 300) * 10) / 10;
  return { atMs, after: { moment: random.pick(moments) ?? "command", plusMs } };
}

/**
 * From the loss of its power to a device that answers. Stop frames are repeated for 300 ms; that
 * none of them meets a device that has been started anew meanwhile is assumed (docs/adr/0024).
 */
const rebootMsMin = 500;
const otherPresses = pressNames.filter((name) => name !== "start" && name !== "jog");
/** Buttons that are held, among so many presses. */
const jogShare = 1 / 3;
/** Starts among so many presses. */
const startShare = 7 / 16;

function anyPress(
  facts: PlanFacts,
  random: SeededRandom,
  starts: boolean,
): FaultAction & { kind: "press" } {
  const kind = "press";
  const saga = random.pick(facts.sagas) ?? "";
  if (starts && random.chance(startShare)) return { kind, what: "start", saga };
  return { kind, what: random.pick(otherPresses) ?? "stop" };
}

type Maker = (facts: PlanFacts, random: SeededRandom) => FaultAction;

const ms = (random: SeededRandom, from: number, to: number) => Math.round(random.between(from, to));

const makers: readonly Maker[] = [
  (_, random) => ({
    kind: "messages",
    forMs: ms(random, 500, 8000),
    drop: random.between(0, 0.3),
    repeat: random.between(0, 0.4),
    delayMaxMs: random.between(1, 60),
  }),
  (_, random) => ({ kind: "brokerLoss", forMs: ms(random, 100, 4000) }),
  (facts, random) => ({
    kind: "linkLoss",
    node: nodeOf(facts, random),
    forMs: ms(random, 20, 3000),
  }),
  (_, random) => ({
    kind: "field",
    forMs: ms(random, 500, 8000),
    loseRequest: random.between(0, 0.08),
    loseReply: random.between(0, 0.08),
    delayMaxMs: random.between(2, 30),
  }),
  (facts, random) => ({
    kind: "fieldCut",
    bus: random.pick(facts.buses) ?? "",
    forMs: ms(random, 50, 3000),
  }),
  (facts, random) => ({ kind: "kill", node: nodeOf(facts, random), backMs: ms(random, 100, 3000) }),
  (facts, random) => ({
    kind: "killAtEvent",
    node: nodeOf(facts, random),
    events: random.whole(1, 60),
    backMs: ms(random, 100, 3000),
  }),
  (facts, random) => ({ kind: "stall", node: nodeOf(facts, random), forMs: ms(random, 50, 3000) }),
  (_, random) => ({ kind: "powerLoss", backMs: ms(random, 1000, 15_000) }),
  (facts, random) => ({
    kind: "diskFull",
    node: diskOf(facts, random),
    forMs: ms(random, 200, 5000),
  }),
  (facts, random) => ({
    kind: "diskSlow",
    node: diskOf(facts, random),
    forMs: ms(random, 200, 5000),
    commitMs: random.between(20, 500),
  }),
  (_, random) => ({
    kind: "clockJump",
    byMs: Math.round(random.between(-1, 1) * 10 ** random.between(2, 7.4)),
  }),
  deviceFault,
  deviceFault,
  deviceFault,
];

const bytesFault: Maker = (_, random) => ({
  kind: "bytes",
  forMs: ms(random, 500, 10_000),
  rate: random.between(0.001, 0.02),
});

const deepMakers: readonly Maker[] = [
  ...makers,
  bytesFault,
  bytesFault,
  bytesFault,
  (facts, random) => ({
    kind: "linkLoss",
    node: nodeOf(facts, random),
    forMs: ms(random, 20, 3000),
    how: "halfOpen",
  }),
];

function nodeOf(facts: PlanFacts, random: SeededRandom): string {
  return random.pick(facts.nodes) ?? "coordinator";
}

/** A gateway keeps nothing. */
function diskOf({ nodes }: PlanFacts, random: SeededRandom): string {
  return random.pick(nodes.filter((name) => name !== "gateway")) ?? "coordinator";
}

function anyFault(facts: PlanFacts, random: SeededRandom): FaultAction {
  const make = random.pick(facts.bytes === true ? deepMakers : makers) ?? deviceFault;
  return make(facts, random);
}

/** Faults within what real devices do; `clamp` and `scan` would be another device. */
function deviceFault(facts: PlanFacts, random: SeededRandom): FaultAction {
  const device = random.pick(facts.devices);
  const kind = "device";
  const forMs = ms(random, 200, 6000);
  const base = { kind, device: device?.id ?? "", forMs } as const;
  const choice = random.whole(0, 8);
  if (choice === 0) return { ...base, fault: "stuck" };
  if (choice === 1) return { ...base, fault: "following-error" };
  if (choice === 2) return { ...base, fault: "trip" };
  if (choice === 3) return { ...base, fault: "reboot", value: ms(random, rebootMsMin, 2000) };
  if (choice === 4) return { ...base, fault: "drop", forMs: ms(random, 50, 2500) };
  if (choice === 5) return { ...base, fault: "drop", value: "replies", forMs: ms(random, 20, 600) };
  if (choice === 6) return { ...base, fault: "busy", value: random.whole(1, 20) };
  if (choice === 7) return { ...base, fault: "exception", value: 4, forMs: ms(random, 20, 800) };
  return { ...base, fault: device?.kind === "gripper" ? "noPart" : "trip" };
}

/** A fault in words, for timelines. */
export function faultText({ action }: Fault): string {
  const { kind, ...rest } = action;
  const shown = Object.entries(rest).map(([name, value]) => {
    if (typeof value === "object") return `${name} ${JSON.stringify(value)}`;
    const text = typeof value === "number" ? Math.round(value * 1000) / 1000 : value;
    return `${name} ${text}`;
  });
  return [kind, ...shown].join(" · ");
}
