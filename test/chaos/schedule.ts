/**
 * What goes wrong in a round, and when: a plan from a seed.
 *
 * The idea: the plan is data, drawn whole before the round begins, so a seed names it; what comes
 * of it depends on real time and is never twice the same. Weights keep every kind frequent enough
 * to be met in ten minutes. It refuses to act.
 */
import { SeededRandom } from "#simulators/world/seeded-random.js";
import type { LinkMode } from "./links.js";

export type Fault =
  | { readonly kind: "kill"; readonly service: string }
  | { readonly kind: "stall"; readonly service: string; readonly forMs: number }
  /** The supervisor is killed; `up` comes again after the pause. */
  | { readonly kind: "supervisor"; readonly pauseMs: number }
  | { readonly kind: "broker"; readonly pauseMs: number }
  | {
      readonly kind: "link";
      readonly link: string;
      readonly mode: Exclude<LinkMode, "pass">;
      readonly client?: string;
      readonly forMs: number;
    }
  | {
      readonly kind: "device";
      readonly device: string;
      readonly fault: string;
      readonly value?: string | number;
      readonly forMs: number;
    }
  | { readonly kind: "unplug"; readonly forMs: number }
  | { readonly kind: "disk"; readonly forMs: number }
  | { readonly kind: "clock"; readonly service: string; readonly shiftMs: number }
  | { readonly kind: "press"; readonly what: Press; readonly device: string };
export const presses = [
  "stop",
  "quickStop",
  "abort",
  "axisStop",
  "cancel",
  "hold",
  "start",
  "reset",
] as const;
export type Press = (typeof presses)[number];

export interface Planned {
  /** From the beginning of the round. */
  readonly atMs: number;
  readonly fault: Fault;
}
export interface RoundPlan {
  readonly faults: readonly Planned[];
  readonly forMs: number;
}

export const deviceIds = ["x", "y", "z", "gripper", "lift", "belt"] as const;
const services = [
  ...deviceIds.map((id) => `driver-${id}`),
  "bus",
  "bus-rail",
  "coordinator",
  "gateway",
] as const;
/** Faults of devices, with values to choose from. */
const deviceFaults: readonly (readonly [string, readonly (string | number | undefined)[]])[] = [
  ["trip", [undefined, "hold"]],
  ["stuck", [undefined, "trip"]],
  ["reboot", [200, 1500]],
  ["drop", [undefined, 3, "replies"]],
  ["delay", [30, 90, 250]],
  ["late", [150, 400]],
  ["corrupt", [1, 4]],
  ["busy", [2, undefined]],
  ["exception", [4]],
];
/** Relative frequency of each kind. */
const weights: readonly (readonly [Fault["kind"], number])[] = [
  ["kill", 16],
  ["stall", 12],
  ["supervisor", 3],
  ["broker", 6],
  ["link", 14],
  ["device", 18],
  ["unplug", 5],
  ["disk", 3],
  ["clock", 6],
  ["press", 17],
];

export interface PlanFacts {
  /** The broker stands behind the link. */
  readonly outside: boolean;
  readonly disk: boolean;
}

/** Round `round` of a seed; `windowMs`: how long things go wrong. @default 20 to 40 s */
export function planRound(
  seed: number,
  round: number,
  facts: PlanFacts,
  windowMs?: number,
): RoundPlan {
  const random = new SeededRandom(seed * 1_000 + round);
  const drawnMs = Math.round(random.between(20_000, 40_000));
  const forMs = windowMs ?? drawnMs;
  const count = Math.round((random.whole(10, 24) * forMs) / 30_000);
  const faults = Array.from({ length: count }, (): Planned => {
    // The first seconds belong to production, so that there is something to harm.
    const atMs = Math.round(random.between(2_000, forMs));
    return { atMs, fault: draw(random, facts) };
  });
  return { forMs, faults: faults.sort((a, b) => a.atMs - b.atMs) };
}

function draw(random: SeededRandom, facts: PlanFacts): Fault {
  const kind = weighted(random);
  const service = random.pick(services) ?? "bus";
  const forMs = Math.round(random.between(100, 3_000));
  switch (kind) {
    case "kill":
      return { kind, service };
    case "stall": {
      const all = facts.outside ? services : [...services, "broker"];
      return { kind, service: random.pick(all) ?? "bus", forMs };
    }
    case "supervisor":
      return { kind, pauseMs: Math.round(random.between(0, 3_000)) };
    case "broker":
      return { kind, pauseMs: Math.round(random.between(100, 3_000)) };
    case "link":
      return drawLink(random, facts, forMs);
    case "device":
      return drawDevice(random);
    case "unplug":
      return { kind, forMs };
    case "disk":
      return facts.disk ? { kind, forMs: 2 * forMs + 1_000 } : { kind: "kill", service };
    case "clock": {
      const steps = [-3_600_000, -5_000, -400, 400, 5_000, 6 * 3_600_000];
      return { kind, service, shiftMs: random.pick(steps) ?? 400 };
    }
    case "press": {
      const device = random.pick(deviceIds) ?? "x";
      return { kind, what: random.pick(presses) ?? "stop", device };
    }
    default:
      return kind satisfies never;
  }
}

function drawLink(random: SeededRandom, { outside }: PlanFacts, forMs: number): Fault {
  const modes = ["hole", "holeUp", "holeDown", "reset", "refuse"] as const;
  const mode = random.pick(modes) ?? "hole";
  const links = ["gantry", "tool", ...(outside ? ["broker", "broker"] : [])];
  const link = random.pick(links) ?? "gantry";
  const whose = random.pick(["all", "one", "one"]);
  // Who stops has a second connection for it, harmed for itself.
  const client = random.pick(services.flatMap((one) => [one, `${one}-stop`]));
  const one = link === "broker" && whose === "one" && client !== undefined ? { client } : {};
  return { kind: "link", link, mode, forMs, ...one };
}

function drawDevice(random: SeededRandom): Fault {
  const [fault, values] = random.pick(deviceFaults) ?? ["trip", [undefined]];
  const value = random.pick(values);
  const device = random.pick(deviceIds) ?? "x";
  const forMs = Math.round(random.between(300, 4_000));
  return { kind: "device", device, fault, forMs, ...(value === undefined ? {} : { value }) };
}

function weighted(random: SeededRandom): Fault["kind"] {
  const total = weights.reduce((sum, [, weight]) => sum + weight, 0);
  let left = random.between(0, total);
  for (const [kind, weight] of weights) {
    left -= weight;
    if (left <= 0) return kind;
  }
  return "press";
}

/** One line for people. */
export function textOf(fault: Fault): string {
  const { kind, ...facts } = fault;
  const words = Object.entries(facts).map(([name, value]) => `${name}=${value}`);
  return [kind, ...words].join(" ");
}
