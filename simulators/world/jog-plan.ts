/**
 * Presses of jog buttons for a plan, and what goes wrong while they are held.
 *
 * The idea: a press by itself seldom meets anything, so most are drawn with a companion that waits
 * for the first proof of the finger: a gateway that is stalled with the release queued, a killed
 * one, a stop, another finger. It refuses to look at the cell: what is refused is tried as well.
 */
import type { Fault, FaultAction, PlanDevice, PlanFacts } from "./fault-plan.js";
import { fingerEnds } from "./jog-press.js";
import type { SeededRandom } from "./seeded-random.js";

/** Of an axis' speed, and of that which a hold past an interlock may have. */
const speedShareMax = 0.6;
const slowShareMax = 0.12;
const forMsMax = 2500;
const companionShare = 0.7;
const ableShare = 0.9;
const patientShare = 0.7;
const patienceMsMax = 15_000;
/** Most buttons are let go as they should be. */
const ends = [...fingerEnds, "letGo", "letGo"] as const;

const ms = (random: SeededRandom, from: number, to: number) => Math.round(random.between(from, to));

/** A press at this moment, and what comes with it; empty: the cell has nothing to jog. */
export function jogFaults(facts: PlanFacts, random: SeededRandom, atMs: number): readonly Fault[] {
  const device = deviceOf(facts, random);
  if (device === undefined) return [];
  const press: Fault = { atMs, action: jogPress(device, random) };
  if (!random.chance(companionShare)) return [press];
  const action = companion(facts, device, random);
  const plusMs = ms(random, 0, forMsMax / 2);
  return [press, { atMs, after: { moment: "jog", plusMs }, action }];
}

/** Mostly one that can be jogged at all. */
function deviceOf({ devices }: PlanFacts, random: SeededRandom): PlanDevice | undefined {
  const axes = devices.filter(({ velocityMax }) => velocityMax !== undefined);
  const able = axes.filter(({ jogged }) => jogged === true);
  return random.pick(able.length > 0 && random.chance(ableShare) ? able : axes);
}

function jogPress(device: PlanDevice, random: SeededRandom): FaultAction {
  const { id, velocityMax = 0, interlocks = [] } = device;
  const maintenance = random.chance(0.3);
  const past = maintenance && interlocks.length > 0 && random.chance(0.6);
  const share = random.between(0.02, past ? slowShareMax : speedShareMax);
  const sign = random.chance(0.5) ? 1 : -1;
  const jog = {
    device: id,
    velocity: (sign * Math.round(velocityMax * share * 10)) / 10,
    forMs: ms(random, 60, forMsMax),
    end: random.pick(ends) ?? "letGo",
    ...(random.chance(patientShare) && { patienceMs: patienceMsMax }),
    mode: maintenance ? "Maintenance" : "Manual",
    ...(past && { bypass: interlocks }),
  } as const;
  return { kind: "press", what: "jog", jog };
}

function companion(facts: PlanFacts, device: PlanDevice, random: SeededRandom): FaultAction {
  const driver = `driver-${device.id}`;
  const backMs = ms(random, 100, 2000);
  const forMs = ms(random, 50, 1500);
  const makers: readonly (() => FaultAction)[] = [
    () => ({ kind: "stall", node: "gateway", forMs }),
    () => ({ kind: "stall", node: "gateway", forMs }),
    () => ({ kind: "kill", node: "gateway", backMs }),
    () => ({ kind: "linkLoss", node: "gateway", forMs }),
    () => ({ kind: "kill", node: "coordinator", backMs }),
    () => ({ kind: "kill", node: driver, backMs }),
    () => ({ kind: "stall", node: driver, forMs }),
    () => ({ kind: "linkLoss", node: driver, forMs }),
    () => ({ kind: "brokerLoss", forMs }),
    () => ({ kind: "press", what: random.pick(["stop", "quickStop", "abort"] as const) ?? "stop" }),
    () => ({ kind: "press", what: "start", saga: random.pick(facts.sagas) ?? "" }),
    () => jogPress(device, random),
    () => jogPress(deviceOf(facts, random) ?? device, random),
  ];
  return (random.pick(makers) ?? makers[0])?.() ?? { kind: "stall", node: "gateway", forMs };
}
