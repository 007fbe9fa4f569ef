/**
 * What a vendor's tool on the poll lane costs a running saga.
 *
 * The idea: the demo cell runs its pick-and-place a number of times alone, and as often while
 * mbpoll (libmodbus, nothing of ours) reads a drive through the poll lane as fast as it can;
 * alternating, so that the machine's moods hit both. The figure is the ratio of the steps' times.
 * It refuses to judge.
 */
import { spawn } from "node:child_process";
import { CellProcess, makeCellFolder, sleep } from "../fixtures/cell-process.js";

const rounds = 4;
const mbpollMs = 50;

interface RunRecord {
  readonly steps?: readonly {
    readonly name: string;
    readonly durationMs?: number;
  }[];
}
type StepTimes = Map<string, number[]>;

export async function benchLane(): Promise<object> {
  const folder = await makeCellFolder();
  const cell = new CellProcess(folder);
  try {
    await cell.ready();
    await cell.run("home-cell");
    await cell.run("pick-place");
    const alone: StepTimes = new Map();
    const beside: StepTimes = new Map();
    let reads = 0;
    for (let round = 0; round < rounds; round += 1) {
      await timed(cell, alone);
      const tool = readThrough(folder.pollPort);
      await timed(cell, beside);
      reads += await tool.end();
    }
    const ratios = [...alone].map(([step, times]) => {
      const ratio = median(beside.get(step) ?? []) / median(times);
      say(
        `${step.padEnd(20)} ${median(times).toFixed(0).padStart(6)} ms alone, × ${ratio.toFixed(3)}`,
      );
      return ratio;
    });
    say(`${reads} reads of a drive by mbpoll meanwhile`);
    return {
      laneReads: reads,
      stepRatioMedian: round(median(ratios)),
      stepRatioMax: round(Math.max(...ratios)),
    };
  } finally {
    await cell.close();
  }
}

async function timed(cell: CellProcess, into: StepTimes): Promise<void> {
  const { run, state } = await cell.run("pick-place");
  if (state !== "completed") throw new Error(`the saga ended ${state}`);
  const record = await cell.get<RunRecord>(`/runs/${run}`);
  for (const { name, durationMs } of record?.steps ?? []) {
    if (durationMs === undefined) continue;
    into.set(name, [...(into.get(name) ?? []), durationMs]);
  }
}

/** mbpoll, reading status word and position of unit 1 until it is told to end. */
function readThrough(port: number): { end(): Promise<number> } {
  const args = ["-m", "tcp", "-p", String(port), "-a", "1", "-t", "4:hex", "-0", "-r", "12800"];
  const child = spawn("mbpoll", [...args, "-c", "1", "-l", String(mbpollMs), "127.0.0.1"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  let reads = 0;
  child.stdout.on("data", (text: Buffer) => {
    reads += text.toString().split("[12800]").length - 1;
  });
  child.on("error", () => say("mbpoll is not installed: apt-get install mbpoll"));
  return {
    end: async () => {
      child.kill("SIGINT");
      await sleep(100);
      child.kill("SIGKILL");
      return reads;
    },
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
