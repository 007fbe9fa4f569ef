/**
 * The live tree of a run, the lines it is painted in, and the keys beside it.
 * The idea: records in, lines and bytes out. It refuses terminals.
 */
import { expect, test } from "vitest";
import type { RunRecord, RunStep } from "#kernel/contract/payloads.js";
import { LiveScreen, openKeys } from "../../../services/cli/live-screen.js";
import { RunTree } from "../../../services/cli/run-tree.js";

function step(name: string, facts: Partial<RunStep> = {}): RunStep {
  return { name, text: `z.${name}`, status: "pending", safe: "none", ...facts };
}
function run(steps: RunStep[], facts: Partial<RunRecord> = {}): RunRecord {
  return {
    run: "R1",
    saga: "take",
    version: "v",
    state: "running",
    cause: { code: "NONE", text: "" },
    by: { user: "a", role: "operator" },
    startedAt: 1000,
    steps,
    unknowns: [],
    choices: [],
    ...facts,
  };
}
function linesOf(record: RunRecord, size: Partial<{ columns: number; rows: number }> = {}) {
  const tree = new RunTree();
  tree.take(record);
  const view = { nowTs: 4000, columns: 120, rows: 40, colours: false, ...size };
  return tree.lines(view);
}

test("tree: nested by parent, with marks, durations, attempts, times and what went wrong", () => {
  const steps = [
    step("up", { status: "done", durationMs: 840 }),
    step("both", { status: "running", startedAt: 1500, text: "all of 2 branches" }),
    step("a", { parent: 1, status: "running", startedAt: 2000, attempts: 2, times: 3 }),
    step("b", {
      parent: 1,
      status: "refused",
      durationMs: 5,
      error: { code: "INTERLOCKED", text: "z is down" },
    }),
    step("after"),
  ];
  expect(linesOf(run(steps))).toEqual([
    "take  running  3.0 s  run R1",
    " ✔ up       0.84 s  z.up",
    " ▶ both      2.5 s  all of 2 branches",
    " ▶   a       2.0 s  z.a  (3 times, attempt 2)",
    " ✘   b      0.01 s  z.b  z is down (INTERLOCKED)",
    " · after            z.after",
  ]);
});

test("tree: a move shows how far it has come, from where it was seen first (120 → 400 mm)", () => {
  const tree = new RunTree();
  tree.take(run([step("go", { text: "x.moveTo 400 mm", status: "running", startedAt: 1000 })]));
  const view = { nowTs: 2000, columns: 120, rows: 40, colours: false };
  const at = (position: number) => {
    tree.see({ axis: "x", unit: "mm", position, target: 400 });
    return tree.lines(view)[1];
  };
  expect(at(120)).toContain("░░░░░░░░░░ 0 %, 120.0 of 400.0 mm");
  expect(at(260)).toContain("█████░░░░░ 50 %, 260.0 of 400.0 mm");
  expect(at(401)).toContain("██████████ 100 %");
  tree.take(run([step("go", { text: "x.moveTo 400 mm", status: "done", durationMs: 900 })]));
  expect(tree.lines(view)[1]).toBe(" ✔ go    0.90 s  x.moveTo 400 mm");
});

test("tree: no progress is made up where target or position is not known", () => {
  const tree = new RunTree();
  tree.take(run([step("go", { text: "x.moveTo 400 mm", status: "running", startedAt: 1000 })]));
  tree.see({ axis: "x", unit: "mm", target: 400 });
  expect(tree.lines({ nowTs: 2000, columns: 90, rows: 9, colours: false })[1]).not.toContain("%");
});

test("tree: questions with their keys, why it waits, what is not known, the choices and the end", () => {
  const asks = [{ step: "ok", text: "Good part?", choices: ["yes", "no"] }];
  const asked = linesOf(run([step("ok", { status: "running" })], { waits: "held", asks }));
  expect(asked[0]).toBe("take  running  3.0 s  held  run R1");
  expect(asked.at(-1)).toBe("? ok: Good part?  [1] yes  [2] no");
  const ended = linesOf(
    run([step("up", { status: "faulted", durationMs: 1, safe: "done", safeText: "z up" })], {
      state: "needsOperator",
      cause: { code: "DRIVE_FAULT", text: "overload" },
      unknowns: [{ device: "z", text: "may hold a part" }],
      choices: ["retry", "abandon"],
    }),
  );
  expect(ended.slice(1)).toEqual([
    " ✘ up    0.00 s  z.up  ↩ made safe: z up",
    "■ take: needsOperator: overload (DRIVE_FAULT)",
    "  not known: z: may hold a part",
    "  to choose: retry, abandon",
  ]);
});

test.each([
  { rows: 8, at: 0 },
  { rows: 8, at: 25 },
  { rows: 8, at: 49 },
  { rows: 4, at: 30 },
])("tree: what does not fit is counted, the running step stays in sight (%j)", ({ rows, at }) => {
  const steps = Array.from({ length: 50 }, (_, i) =>
    step(`s${i}`, i < at ? { status: "done", durationMs: 1 } : i > at ? {} : { status: "running" }),
  );
  const lines = linesOf(run(steps), { rows });
  expect(lines.length).toBeLessThanOrEqual(rows);
  expect(lines.some((line) => line.startsWith(` ▶ s${at} `))).toBe(true);
  const left = lines.flatMap((line) => /… (\d+) (?:before|after)/.exec(line)?.[1] ?? []);
  const shown = lines.filter((line) => /^ [✔▶·] /.test(line)).length;
  expect(left.reduce((sum, count) => sum + Number(count), shown)).toBe(50);
});

test("tree: a long line is cut below the terminal's width, colours stand around the cut text", () => {
  const tree = new RunTree();
  tree.take(run([step("up", { status: "running", text: "x".repeat(200) })]));
  const [, line = ""] = tree.lines({ nowTs: 1, columns: 40, rows: 9, colours: true });
  expect(line.startsWith("\u001b[36m")).toBe(true);
  expect(line.endsWith("…\u001b[0m")).toBe(true);
  expect(line.slice(5, -4)).toHaveLength(39);
});

class Paper {
  text = "";
  columns = 80;
  rows = 10;
  write(text: string): void {
    this.text += text;
  }
  take(): string {
    const { text } = this;
    this.text = "";
    return text;
  }
}

test("screen: each paint goes back over the last one, and the cursor comes back once", () => {
  const paper = new Paper();
  const screen = new LiveScreen(paper);
  screen.paint(["a", "b"]);
  expect(paper.take()).toBe("\u001b[?25l\ra\u001b[K\nb\u001b[K\n\u001b[J");
  screen.paint(["c"]);
  expect(paper.take()).toBe("\r\u001b[2Ac\u001b[K\n\u001b[J");
  screen.close();
  screen.close();
  expect(paper.take()).toBe("\u001b[?25h");
});

test("screen: never more lines than the terminal has; another width begins on a clear screen", () => {
  const paper = new Paper();
  const screen = new LiveScreen(paper);
  screen.paint(Array.from({ length: 30 }, (_, i) => `${i}`));
  expect(paper.take().match(/\n/g)).toHaveLength(9);
  paper.columns = 60;
  screen.paint(["x"]);
  expect(paper.take()).toContain("\u001b[H\u001b[2Jx");
});

test("keys: one by one, sequences are none; the line mode is given back once", () => {
  const modes: boolean[] = [];
  let listener: ((data: string) => void) | undefined;
  const input = {
    isTTY: true,
    setRawMode: (raw: boolean) => modes.push(raw),
    on: (_: "data", listen: (data: string) => void) => {
      listener = listen;
    },
    off: () => {
      listener = undefined;
    },
    resume: () => {},
    pause: () => {},
  };
  const keys: string[] = [];
  const open = openKeys(input, (key) => keys.push(key));
  listener?.("12");
  listener?.("\u001b[A");
  listener?.("\u0003");
  expect(keys).toEqual(["1", "2", "\u0003"]);
  open.close();
  open.close();
  expect(modes).toEqual([true, false]);
  expect(listener).toBeUndefined();
});

test("keys: what is no keyboard is left as it is", () => {
  const modes: boolean[] = [];
  const input = {
    isTTY: false,
    setRawMode: (raw: boolean) => modes.push(raw),
    on: () => {
      throw new Error("not asked for");
    },
    off: () => {},
    resume: () => {},
    pause: () => {},
  };
  openKeys(input, () => {}).close();
  expect(modes).toEqual([]);
});
