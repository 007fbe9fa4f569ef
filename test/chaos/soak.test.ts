/**
 * One short round of chaos on real processes, and chaos that is killed itself.
 *
 * The idea: the same program as `npm run chaos`, with a fixed seed; what it started carries its
 * mark, so the test can see that nothing of it is left, however it ended. It refuses to repeat a
 * round that failed: the plan is fixed, and the trace is kept.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { until } from "../fixtures/cell-process.js";
import { markVariable } from "./keeper.js";

const main = join(process.cwd(), "dist", "test", "chaos", "main.js");
const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
});

class Chaos {
  readonly child: ChildProcess;
  output = "";
  code: number | null | undefined;

  constructor(...args: readonly string[]) {
    this.child = spawn(process.execPath, [main, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    children.push(this.child);
    const keep = (data: Buffer) => {
      this.output += data.toString();
    };
    this.child.stdout?.on("data", keep);
    this.child.stderr?.on("data", keep);
    this.child.on("exit", (code) => {
      this.code = code;
    });
  }

  /** Processes that this one has started, by id. */
  get started(): readonly string[] {
    const mark = `${markVariable}=${this.child.pid}-`;
    return readdirSync("/proc").filter((entry) => {
      try {
        return readFileSync(`/proc/${entry}/environ`, "utf8").includes(mark);
      } catch {
        return false;
      }
    });
  }

  get dir(): string {
    return /minutes, in (\S+)$/m.exec(this.output)?.[1] ?? "";
  }
}

test("one round of chaos (seed 5, 15 s of faults): the promises hold, and nothing is left", async () => {
  const chaos = new Chaos("--seed", "5", "--rounds", "1", "--window", "15");
  await until("chaos ended", () => chaos.code !== undefined, 280_000);
  expect(chaos.output).toContain('"violations":0');
  expect(chaos.code, chaos.output).toBe(0);
  expect(chaos.output.trimEnd().split("\n").at(-1)).toMatch(/^CHAOS \{.*"rounds":1,/);
  const seen = /(\d+) runs, (\d+) lines/.exec(chaos.output);
  expect([Number(seen?.[1]) > 2, Number(seen?.[2]) > 3000], chaos.output).toEqual([true, true]);
  expect([chaos.started, existsSync(chaos.dir)]).toEqual([[], false]);
}, 300_000);

test("chaos is killed while its cell starts: all that it started ends, its folder goes", async () => {
  const chaos = new Chaos("--seed", "5", "--rounds", "1");
  await until("the cell starts", () => chaos.started.length > 3, 60_000);
  expect(existsSync(chaos.dir)).toBe(true);
  chaos.child.kill("SIGKILL");
  await until("nothing of it runs", () => chaos.started.length === 0, 60_000);
  await until("its folder is gone", () => !existsSync(chaos.dir), 20_000);
}, 150_000);
