/**
 * What a person reads of chaos: the story around a finding, and the counts at the end.
 *
 * The idea: a finding names its seed and round and shows what came before it, without the reads
 * that go on all the time; the whole trace is kept beside. It refuses to judge.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Finding } from "#simulators/judges/judge.js";
import { isRead } from "#simulators/judges/timeline.js";
import type { TraceLine } from "#simulators/judges/trace.js";

const linesShown = 60;

export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** One line for people; times count from `from`. */
export function lineText(line: TraceLine, from: number): string {
  const { kind, at, ...facts } = line;
  const device = "device" in facts ? `${facts.device} ` : "";
  const words = Object.entries(facts)
    .filter(([name]) => name !== "device")
    .map(([name, value]) => {
      const text = typeof value === "number" ? String(Math.round(value * 1000) / 1000) : value;
      return `${name}=${typeof text === "object" ? JSON.stringify(text) : text}`;
    });
  return `${((at - from) / 1000).toFixed(3).padStart(8)} ${kind.padEnd(13)} ${device}${words.join(" ")}`;
}

/** What a person does not follow: reads, and truths while something moves. */
function isNoise(line: TraceLine): boolean {
  if (line.kind === "truth" || line.kind === "beat") return true;
  return line.kind === "frame" && isRead(line.pdu);
}

/** The last lines before a finding and the few after it. */
export function storyOf(trace: readonly TraceLine[], finding: Finding): readonly string[] {
  const from = trace[0]?.at ?? 0;
  const told = trace.filter((line) => {
    if (isNoise(line)) return false;
    const other = "device" in line && line.device !== undefined && line.device !== finding.device;
    return !(line.kind === "frame" && other);
  });
  const upTo = told.filter((line) => line.at <= finding.at + 300);
  return upTo.slice(-linesShown).map((line) => {
    return `${line.at <= finding.at ? " " : "+"} ${lineText(line, from)}`;
  });
}

export function findingText({ judge, at, device, text }: Finding, from: number): string {
  const where = device === undefined ? "" : ` ${device}`;
  return `${judge}${where} at ${((at - from) / 1000).toFixed(3)} s: ${text}`;
}

/** Writes the whole trace; where it is. */
export function keepTrace(dir: string, name: string, trace: readonly TraceLine[]): string {
  mkdirSync(dir, { recursive: true });
  const file = join(dir, `${name}.jsonl`);
  writeFileSync(file, `${trace.map((line) => JSON.stringify(line)).join("\n")}\n`);
  return file;
}

export interface Totals {
  kills: number;
  violations: number;
  runs: number;
  rounds: number;
  minutes: number;
}

export function sumUp(totals: Totals, counts: ReadonlyMap<string, number>): void {
  say("");
  for (const [what, count] of [...counts].sort()) say(`${String(count).padStart(6)} × ${what}`);
  say(`CHAOS ${JSON.stringify(totals)}`);
}
