/**
 * One round: production, harm at planned moments, healing, the operator's way back, the sentence.
 *
 * The idea: a round begins and ends with a healthy cell, so that it is judged by itself: by the
 * judges of worlds on its own trace, and by two questions that only real processes raise: is the
 * cell back in time, and does it still do its work? It refuses to go on with a cell that is not.
 */
import type { CellConfig } from "#kernel/config/cell.js";
import type { AxisResource, StopsResource } from "#kernel/contract/resources.js";
import { judge } from "#simulators/judges/all.js";
import type { Finding, JudgeFacts } from "#simulators/judges/judge.js";
import type { TraceLine } from "#simulators/judges/trace.js";
import { judgeFacts, unitsPerCount } from "#simulators/world/judge-facts.js";
import { monotonicMs, sleep } from "../fixtures/cell-process.js";
import type { Harm } from "./harm.js";
import type { Lateness } from "./link-worker.js";
import type { Observer } from "./observer.js";
import type { Operator } from "./operator.js";
import type { PlayedCell } from "./played-cell.js";
import { traceOf } from "./round-trace.js";
import type { RoundPlan } from "./schedule.js";
import { simState } from "./sim-socket.js";
import type { TapLines } from "./tap-lines.js";

/** The operator has the cell back within this. */
const backMs = 90_000;
const proofMs = 30_000;
const proofsMax = 3;
/** After the last run: what moves now, moves by itself. */
const restMs = 1_500;
const goodMs = 5_000;
/** A machine with two busy cores; `npm run chaos` judges promises, benchmarks judge speed. */
const slackMs = 300;
const recoverMs = 6_000;
/**
 * Where timers are later than this all the time, replies on a line come too late and leases lapse:
 * then it is right that the cell is not back.
 */
const busyMs = 30;
/** What the observer may have missed before a trigger that no command explains. */
const deafMs = 6_000;

export interface RoundParts {
  readonly cell: PlayedCell;
  readonly config: CellConfig;
  readonly observer: Observer;
  readonly operator: Operator;
  readonly harm: Harm;
  readonly tap: TapLines;
}
type Say = (name: string, text: string) => void;
export interface Sentence {
  readonly trace: readonly TraceLine[];
  readonly findings: readonly Finding[];
  /** Findings that the observer's deafness, or a machine that is too slow, may explain. */
  readonly excused: readonly Finding[];
  readonly runs: number;
  /** Seconds until the operator had the cell back. */
  readonly backS: number;
  readonly late: Lateness;
}

/** Until the cell is idle, good and homed; false: not in time. */
export async function broughtBack(operator: Operator, limitMs = backMs): Promise<boolean> {
  operator.producing = false;
  const end = monotonicMs() + limitMs;
  while (monotonicMs() < end) {
    if (operator.isBack(await operator.look())) return true;
    await sleep(300);
  }
  return false;
}

export async function playRound(parts: RoundParts, plan: RoundPlan): Promise<Sentence> {
  const { cell, config, observer, operator, harm, tap } = parts;
  await cell.late();
  tap.readOn();
  tap.begin();
  observer.take();
  for (const list of [harm.notes, cell.nodes, operator.presses, observer.deaf]) list.length = 0;
  const fromMs = monotonicMs();
  const others: TraceLine[] = [];
  await lookAtPlants(parts);
  operator.producing = true;
  await harm.follow(plan.faults, plan.forMs);
  operator.producing = false;
  await harm.heal();
  const findings: Finding[] = [];
  const say: Say = (name, text) => {
    findings.push({ judge: name, at: monotonicMs() - fromMs, text });
  };
  const healingMs = monotonicMs();
  const isBack = await broughtBack(operator);
  const backS = Math.round((monotonicMs() - healingMs) / 1000);
  if (!isBack) say("back", `not back ${backMs / 1000} s after the faults: ${operator.lacks}`);
  const backAtMs = monotonicMs() - fromMs;
  const rests = isBack && (await provesItself(operator, say));
  // A cell that does not come to rest has no end to be judged by.
  const healedMs = rests ? backAtMs : Number.POSITIVE_INFINITY;
  if (rests) {
    await sleep(restMs);
    others.push(...(await lastWords(parts)));
  }
  const late = await cell.late();
  tap.readOn();
  const endMs = monotonicMs() - fromMs;
  const facts = forProcesses(judgeFacts(config, { healedMs, endMs }), late.maxMs);
  const lines = [...cell.nodes, ...operator.presses, ...others].filter((one) => one.at >= fromMs);
  const heard = observer.take();
  const trace = traceOf({ tap, heard, harm, others: lines, facts, fromMs });
  const all = [...judge(trace, facts), ...findings];
  const deaf = observer.deaf.map(([from, to]) => [from - fromMs, to - fromMs] as const);
  const isBusy = late.oftenMs > busyMs;
  const isExcused = (one: Finding) => isUnheard(one, deaf) || (isBusy && one.judge === "back");
  const judged = all.filter((one) => !isExcused(one));
  const runs = new Set(trace.flatMap((line) => (line.kind === "run" ? [line.run] : []))).size;
  return { trace, findings: judged, excused: all.filter(isExcused), runs, backS, late };
}

/** The cell does its work; a machine that is late for a moment may stop a run, as it should. */
async function proofOf(operator: Operator): Promise<string> {
  let last = "";
  for (let tries = 0; tries < proofsMax; tries += 1) {
    last = await operator.prove("gantry", proofMs);
    if (last === "completed" || !(await broughtBack(operator))) return last;
  }
  return last;
}

/** One more run, and rest after it; false: it does not come to rest. */
async function provesItself(operator: Operator, say: Say): Promise<boolean> {
  const proof = await proofOf(operator);
  if (proof !== "completed") say("back", `${proofsMax} runs in the healed cell: ${proof}`);
  const rests = await broughtBack(operator);
  if (!rests) say("back", `not at rest: ${operator.lacks}`);
  return rests;
}

/** Bounds of the product, and what a loaded machine adds. */
function forProcesses(facts: JudgeFacts, machineLateMs: number): JudgeFacts {
  const more = slackMs + machineLateMs;
  return {
    ...facts,
    devices: facts.devices.map((one) => ({ ...one, pollMs: one.pollMs + more / 3 })),
    stopBeginMs: facts.stopBeginMs + more,
    standstillMs: facts.standstillMs + more,
    exchangeMs: 100 + machineLateMs,
    recoverMs,
  };
}

/** Words that the observer may have missed are nobody's fault. */
function isUnheard(
  { judge: name, at, text }: Finding,
  deaf: readonly (readonly [number, number])[],
) {
  const byWords =
    name === "once" || name === "honest-verdicts" || / started to move without/.test(text);
  return byWords && deaf.some(([from, to]) => from <= at + deafMs / 3 && to >= at - deafMs);
}

async function lookAtPlants({ cell, tap }: RoundParts): Promise<void> {
  const { devices } = await simState(cell.simControl);
  const at = monotonicMs();
  for (const [id, view] of Object.entries(devices)) tap.truth(at, id, view);
}

/** A late answer on a busy machine is stale for a moment; what lasts is shown. */
async function allGood(operator: Operator): Promise<readonly AxisResource[]> {
  const end = monotonicMs() + goodMs;
  for (;;) {
    const axes = (await operator.get<{ axes: AxisResource[] }>("/axes"))?.axes ?? [];
    const good = axes.length > 0 && axes.every(({ q }) => q === "good");
    if (good || monotonicMs() > end) return axes;
    await sleep(100);
  }
}

/** What is shown, what is true, and what is left over at the end of a healed round. */
async function lastWords(parts: RoundParts): Promise<TraceLine[]> {
  const { cell, config, operator } = parts;
  await lookAtPlants(parts);
  const axes = await allGood(operator);
  const { devices } = await simState(cell.simControl);
  const stops = await operator.get<StopsResource>("/stops");
  const at = monotonicMs();
  const states = config.devices.flatMap((device): TraceLine[] => {
    const shown = axes.find(({ axis }) => axis === device.id);
    const plant = devices[device.id];
    if (shown === undefined || plant === undefined) return [];
    const units = unitsPerCount(device);
    const { q, position, moving } = shown;
    const place = units === undefined || position === undefined ? {} : { position };
    return [
      {
        ...{ kind: "lastState" as const, at, device: device.id, q, ...place },
        ...(moving === undefined ? {} : { moving }),
        truePosition: plant.position * (units ?? 1),
        trueMoving: plant.moving,
      },
    ];
  });
  const left = axes.flatMap(({ axis, lease, latched }): TraceLine[] => [
    ...(lease === undefined
      ? []
      : [
          {
            kind: "leftOver",
            at,
            what: "lease",
            text: `${axis} ${JSON.stringify(lease)}`,
          } as const,
        ]),
    ...latched.map(
      (id) => ({ kind: "leftOver", at, what: "latch", text: `${axis} ${id}` }) as const,
    ),
  ]);
  const latches = (stops?.latched ?? []).map(({ id }): TraceLine => {
    return { kind: "leftOver", at, what: "latch", text: id };
  });
  return [...states, ...left, ...latches];
}
