/**
 * How near eight axes on one RTU line come to what the wire itself allows.
 *
 * The idea: cycle times are read at the simulator, which paces bytes like a UART, and stand beside
 * the computed limit (frames + silence + turnaround) and beside bare modbus-serial in a loop;
 * then with silent units; then 100,000 silences on lines in parallel; then a gateway with a dead
 * unit beside Node-RED. `--quick` is for tests: short windows and no peer. It refuses to judge.
 */
import { loadavg } from "node:os";
import type { LineView } from "#simulators/line-server.js";
import { benchGateway } from "./line-gateway.js";
import {
  cpuMsOf,
  cycleMs,
  end,
  exchangeMs,
  LineRig,
  LineSimulator,
  monotonicMs,
  ready,
  sleep,
  unitsAll,
} from "./line-rig.js";

const quick = process.argv.includes("--quick");
const settleMs = quick ? 500 : 2_000;
const windowMs = quick ? 2_000 : 10_000;
/** Units fall silent, and the bus has learnt it. */
const learnMs = quick ? 1_500 : 6_000;
const bareTimeoutMs = 50;
const gapsWanted = quick ? 500 : 100_000;
const gapsWanted9600 = quick ? 20 : 5_000;
const gapsLimitMs = quick ? 10_000 : 420_000;
const gapBauds = [9_600, 19_200, 38_400, 57_600, 115_200];

interface Measured {
  readonly cycleMs: number;
  readonly cpuPercent: number;
  readonly violations: number;
  /** Mean silence before a request, and how late this machine was with a reply, ms. */
  readonly gapMs: number;
  readonly lateMs: number;
}

function measuredOf(line: LineView, cycle: number, cpuPercent: number): Measured {
  return {
    cycleMs: cycle,
    cpuPercent,
    violations: line.violations,
    gapMs: line.briefGapsMsSum / Math.max(1, line.briefGaps),
    lateMs: line.lateMsSum / Math.max(1, line.replies),
  };
}

export async function benchLine(): Promise<object> {
  say(`load of the machine before: ${loadavg()[0]?.toFixed(2)} on 2 cores`);
  const slow = await cyclesAt(19_200);
  const fast = await cyclesAt(115_200);
  const gaps = await countGaps();
  const gateway = await benchGateway({ quick, say });
  return {
    cycleRatio19200: round(slow.ratio),
    cycleRatio115200: round(fast.ratio),
    deadPenalty1: round(Math.max(slow.penalty1, fast.penalty1)),
    deadPenalty3: round(Math.max(slow.penalty3, fast.penalty3)),
    gapViolations: gaps.violations + slow.violations + fast.violations,
    gaps: gaps.gaps,
    gaps9600: gaps.gaps9600,
    ...gateway,
  };
}

/** All units alive; then one and three of eight silent, beside the living ones alone. */
async function cyclesAt(baud: number) {
  const limit = 8 * exchangeMs(baud);
  say(`${baud} baud 8E1: the wire's limit for 8 units is ${limit.toFixed(1)} ms a cycle`);
  const alive = await measure(baud, { asked: unitsAll, silent: [] });
  tell("servocell", alive, limit);
  tell("modbus-serial in a loop", await measureBare(baud, []), limit);
  const penalties: number[] = [];
  let violations = alive.violations;
  for (const silent of [[8], [6, 7, 8]]) {
    const living = unitsAll.filter((unit) => !silent.includes(unit));
    const alone = await measure(baud, { asked: living, silent: [] });
    const beside = await measure(baud, { asked: unitsAll, silent });
    const limitLiving = living.length * exchangeMs(baud);
    const name = `${silent.length} of 8 silent`;
    tell(`servocell, ${living.length} units and nothing else`, alone, limitLiving);
    tell(`servocell, ${name}`, beside, limitLiving);
    tell(`modbus-serial, ${name}`, await measureBare(baud, silent), limitLiving);
    penalties.push(beside.cycleMs / alone.cycleMs);
    violations += alone.violations + beside.violations;
  }
  const [penalty1 = Number.NaN, penalty3 = Number.NaN] = penalties;
  return { ratio: alive.cycleMs / limit, penalty1, penalty3, violations };
}

async function measure(
  baud: number,
  { asked, silent }: { readonly asked: readonly number[]; readonly silent: readonly number[] },
): Promise<Measured> {
  const rig = new LineRig(baud);
  try {
    await rig.start();
    await rig.silence(silent);
    await rig.poll(asked);
    await sleep(silent.length > 0 ? learnMs : settleMs);
    const cpuBefore = rig.busCpuMs();
    const fromMs = monotonicMs();
    await sleep(windowMs);
    const toMs = monotonicMs();
    const cpuPercent = (100 * (rig.busCpuMs() - cpuBefore)) / (toMs - fromMs);
    const healthy = asked.filter((unit) => !silent.includes(unit));
    const cycle = cycleMs(rig.frames(fromMs, toMs), healthy);
    return measuredOf(await rig.line(), cycle, cpuPercent);
  } finally {
    await rig.close();
  }
}

async function measureBare(baud: number, silent: readonly number[]): Promise<Measured> {
  const simulator = new LineSimulator(baud);
  try {
    await simulator.start();
    await simulator.silence(silent);
    const args = [simulator.path, String(baud), String(bareTimeoutMs), unitsAll.join(",")];
    const child = await ready("dist/test/bench/line-bare.js", args);
    try {
      await sleep(settleMs);
      const before = cpuMsOf(child.pid ?? 0);
      const fromMs = monotonicMs();
      await sleep(windowMs);
      const toMs = monotonicMs();
      const cpuPercent = (100 * (cpuMsOf(child.pid ?? 0) - before)) / (toMs - fromMs);
      const healthy = unitsAll.filter((unit) => !silent.includes(unit));
      const cycle = cycleMs(simulator.frames(fromMs, toMs), healthy);
      return measuredOf(await simulator.line(), cycle, cpuPercent);
    } finally {
      await end(child);
    }
  } finally {
    await simulator.close();
  }
}

/** Lines of all speeds in parallel, until enough silences were judged by their simulators. */
async function countGaps() {
  const rigs = gapBauds.map((baud) => new LineRig(baud));
  const startedMs = performance.now();
  try {
    for (const rig of rigs) {
      await rig.start();
      await rig.poll(unitsAll);
    }
    for (;;) {
      await sleep(quick ? 500 : 2_000);
      const lines = await Promise.all(rigs.map((rig) => rig.line()));
      const gaps = lines.reduce((sum, one) => sum + one.gaps, 0);
      const gaps9600 = lines[0]?.gaps ?? 0;
      const late = performance.now() - startedMs > gapsLimitMs;
      if (!late && (gaps < gapsWanted || gaps9600 < gapsWanted9600)) continue;
      for (const one of lines) {
        const shortest = one.shortestGapMs.toFixed(3);
        const counts = `${one.gaps} gaps, ${one.violations} below t3.5, ${one.disturbed} not judged`;
        say(`  ${String(one.baud).padStart(6)} baud: ${counts}, the shortest ${shortest} ms`);
      }
      const violations = lines.reduce((sum, one) => sum + one.violations, 0);
      return { gaps, gaps9600, violations };
    }
  } finally {
    await Promise.all(rigs.map((rig) => rig.close()));
  }
}

function tell(what: string, measured: Measured, limitMs: number): void {
  const ratio = (measured.cycleMs / limitMs).toFixed(3);
  const cycle = `${measured.cycleMs.toFixed(1).padStart(6)} ms a cycle, × ${ratio} of the limit`;
  const times = `gap ${measured.gapMs.toFixed(2)} ms, simulator late ${measured.lateMs.toFixed(2)} ms`;
  const rest = `${times}, ${measured.cpuPercent.toFixed(0)} % CPU, ${measured.violations} gaps below t3.5`;
  say(`  ${what.padEnd(38)} ${cycle}, ${rest}`);
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
