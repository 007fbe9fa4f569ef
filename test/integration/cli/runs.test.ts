/**
 * The commands on runs against a real coordinator and a real gateway: HTTP, stream and journal.
 *
 * The idea: scripted drivers and a broker in memory behind both services in this process; the
 * commands get the terminal as paper and a keyboard that the test presses. It refuses to assert
 * wall-clock times.
 */
import { mkdtempSync, readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { SagaDefinition } from "#kernel/config/cell.js";
import { runHistorySchema } from "#kernel/contract/run-history.js";
import { createNewId } from "#kernel/edge/ids.js";
import { Api } from "../../../services/cli/client.js";
import { addRunCommands } from "../../../services/cli/run-commands.js";
import { runExportSchema } from "../../../services/cli/run-export.js";
import {
  againMs,
  type LiveParts,
  leftExitCode,
  watchLive,
} from "../../../services/cli/run-live.js";
import { addRunsCommands } from "../../../services/cli/runs-commands.js";
import { buildGateway, type Gateway } from "../../../services/gateway/app.js";
import {
  CoordinatorCell,
  cellConfig,
  move,
  saga,
  step,
} from "../../fixtures/coordinator/coordinator-cell.js";
import { PlayedFanOut } from "../../fixtures/gateway/played-cell.js";

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const newId = createNewId();

const pick = saga(
  "pick",
  ["x", "z"],
  [move("over", "x", 100), step("rest", {}), move("down", "z", 5)],
);
const asking: SagaDefinition = saga(
  "asking",
  ["x"],
  [
    step("ok", {
      action: { kind: "ask", text: "Good part?", choices: ["yes", "no"] },
      timeoutMs: 60_000,
    }),
    move("on", "x", 50),
  ],
);
const inputs: SagaDefinition["inputs"] = {
  height: { kind: "number", unit: "mm", min: 0, max: 200 },
  part: { kind: "text", choices: ["cup", "lid"], default: "cup" },
};
const lift: SagaDefinition = {
  ...saga(
    "lift",
    ["z"],
    [
      step("to", {
        action: {
          kind: "operation",
          operation: {
            device: "z",
            verb: "moveTo",
            args: {},
            worked: {
              position: {
                value: { text: "input.height", expression: { kind: "input", name: "height" } },
              },
            },
          },
        },
      }),
    ],
  ),
  inputs,
};
const long = saga("long", ["z"], [step("wait", { action: { kind: "dwell", forMs: 60_000 } })]);

class Cell {
  readonly coordinator = new CoordinatorCell(cellConfig(["x", "z"], [pick, asking, lift, long]));
  readonly gateway: Gateway;

  constructor() {
    const { bus, config } = this.coordinator;
    const boot = { bootId: "GATEWAY", service: "gateway", version: "0" };
    const ports = { log: quiet, boot, newId, page: new Map(), fanOut: new PlayedFanOut() };
    const links = { main: bus.open("gateway"), stop: bus.open("gateway") };
    const own = { ...config, gateway: { host: "127.0.0.1", port: 0 } };
    this.gateway = buildGateway({ ...ports, ...links }, own);
  }

  get api(): Api {
    const address = this.gateway.server.server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    return new Api(`http://127.0.0.1:${port}/api/v1`, newId);
  }

  async start(): Promise<void> {
    this.coordinator.boot();
    await this.gateway.start();
    await vi.waitFor(async () => expect((await this.api.cell()).allowed).toContain("start"), 5000);
  }
  async end(): Promise<void> {
    await this.gateway.stop("test is over");
    this.coordinator.kill();
  }
}

let cell: Cell;
beforeEach(async () => {
  cell = new Cell();
  await cell.start();
});
afterEach(() => cell.end());

/** A terminal on paper; `press` is its keyboard. */
function terminal() {
  const state = { text: "", raw: [] as boolean[], lines: [] as string[] };
  let key: (data: string) => void = () => {};
  let signal: (kind: "interrupt" | "end") => void = () => {};
  const parts: LiveParts = {
    output: {
      isTTY: true,
      columns: 100,
      rows: 30,
      write: (text: string) => {
        state.text += text;
      },
    },
    input: {
      isTTY: true,
      setRawMode: (raw) => state.raw.push(raw),
      on: (_, listener) => {
        key = listener;
      },
      off: () => {},
      resume: () => {},
      pause: () => {},
    },
    say: (line) => state.lines.push(line),
    onSignal: (listener) => {
      signal = listener;
      return () => {};
    },
    colours: false,
  };
  return {
    state,
    parts,
    press: (data: string) => key(data),
    signal: (kind: "interrupt" | "end") => signal(kind),
    sees: (text: string) => vi.waitFor(() => expect(state.text).toContain(text), 10_000),
  };
}

/** `servocell …` as it is typed, with its lines and its exit code. */
function typed(...args: string[]) {
  return typedAt(cell.api, [], ...args);
}

/** `lines` gets what is said, also where the command fails. */
async function typedAt(api: Api, lines: string[], ...args: string[]) {
  let code = -1;
  const program = new Command("servocell").exitOverride();
  const deps = {
    say: (line: string) => lines.push(line),
    apiOf: () => api,
    newId,
    ends:
      <A extends unknown[]>(command: (...given: A) => Promise<number> | number) =>
      async (...given: A) => {
        code = await command(...given);
      },
  };
  addRunCommands(program, deps);
  addRunsCommands(program, deps);
  await program.parseAsync(["node", "servocell", ...args]);
  return { lines, code };
}

test("run: lines for each step, exit code 0, and the same start again is no second run (id=R1)", async () => {
  const first = await typed("run", "pick", "--id", "R1");
  expect(first.code).toBe(0);
  expect(first.lines[0]).toBe("run R1 of pick");
  expect(first.lines.filter((line) => line.startsWith("✔"))).toHaveLength(4);
  expect(await typed("run", "pick", "--id", "R1")).toMatchObject({ code: 0 });
  expect(cell.coordinator.moves).toEqual(["x moveTo 100", "z moveTo 5"]);
});

test("run --input: a number in its unit reaches the driver; what does not fit is told before", async () => {
  const done = await typed("run", "lift", "--input", "height=1.5 cm", "--id", "I1");
  expect(done.code).toBe(0);
  expect(cell.coordinator.moves).toEqual(["z moveTo 15"]);
  expect((await cell.api.run("I1")).inputs).toEqual({ height: 15, part: "cup" });
  await expect(typed("run", "lift", "--input", "hight=1")).rejects.toThrow("did you mean height?");
  await expect(typed("run", "lift", "--input", "height=1 s")).rejects.toThrow("not in mm");
  await expect(typed("run", "lift", "--input", "height=999")).rejects.toThrow(/height/);
  expect(cell.coordinator.moves).toHaveLength(1);
});

/** Speaks to each connection once, when it has asked, and cuts it. */
async function gatewayThatSays(words: string) {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end(words));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = () => new Promise((resolve) => server.close(resolve));
  return { api: new Api(`http://127.0.0.1:${port}/api/v1`, newId), close };
}

function problem(code: string): string {
  const told = { type: "", title: "", status: 503, action: "", detail: "", instance: "" };
  const body = JSON.stringify({ ...told, code, message: code, retry: "no", facts: {} });
  const head = "HTTP/1.1 503 No\r\ncontent-type: application/problem+json\r\n";
  return `${head}connection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

test.each([
  ["the connection is cut", ""],
  ["the gateway heard nothing of the coordinator", problem("OUTCOME_UNKNOWN")],
  ["something between answers", "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n"],
])(
  "run, answer lost (%s): the id, how to look, and how to ask again, are told",
  async (_, words) => {
    const { api, close } = await gatewayThatSays(words);
    const lines: string[] = [];
    await expect(typedAt(api, lines, "run", "pick", "--id", "R9")).rejects.toThrow();
    expect(lines).toEqual([
      "look whether it runs: servocell runs show R9",
      "the same start again, and no second run: add --id R9",
    ]);
    await close();
  },
);

test("run, refused or nobody there: surely nothing runs, and nothing is said of looking", async () => {
  const { api, close } = await gatewayThatSays(problem("SERVICE_OFFLINE"));
  const lines: string[] = [];
  await expect(typedAt(api, lines, "run", "pick")).rejects.toMatchObject({
    code: "SERVICE_OFFLINE",
  });
  await close();
  await expect(typedAt(api, lines, "run", "pick")).rejects.toMatchObject({ code: "OFFLINE" });
  expect(lines).toEqual([]);
});

test("run --watch: the tree is painted to the end; cursor and keyboard are given back", async () => {
  const { state, parts } = terminal();
  const run = await cell.api.startRun({ saga: "pick" });
  expect(await watchLive(cell.api, run, parts)).toBe(0);
  expect(state.text).toMatch(/ ✔ over +\d+\.\d\d s +over/);
  expect(state.text).toContain("✔ pick: completed");
  expect(state.text.endsWith("\u001b[?25h")).toBe(true);
  expect(state.raw).toEqual([true, false]);
});

test("run --watch: the first Ctrl-C leaves the run, which goes on, with exit code 130", async () => {
  const { state, parts, press, sees } = terminal();
  const run = await cell.api.startRun({ saga: "long" });
  const watched = watchLive(cell.api, run, parts);
  await sees("▶ wait");
  press("\u0003");
  await sees("the run goes on; Ctrl-C again now to cancel it");
  expect(await watched).toBe(leftExitCode);
  expect(state.lines.at(-1)).toBe(`run ${run} goes on; see it with: servocell runs show ${run}`);
  expect((await cell.api.run(run)).state).toBe("running");
  expect(state.raw).toEqual([true, false]);
  expect(againMs).toBeLessThan(5000);
});

test("run --watch: a second Ctrl-C at once cancels it and watches it being made safe", async () => {
  const { state, parts, press, sees } = terminal();
  const run = await cell.api.startRun({ saga: "long" });
  const watched = watchLive(cell.api, run, parts);
  await sees("▶ wait");
  press("\u0003");
  press("\u0003");
  expect(await watched).toBe(2);
  expect(state.text).toContain("cancelling: stop, then make safe");
  expect((await cell.api.run(run)).cause.code).toBe("CANCELLED");
});

test("run --watch: the end of the process gives the terminal back, whatever the run does", async () => {
  const { state, parts, signal, press, sees } = terminal();
  const run = await cell.api.startRun({ saga: "long" });
  const watched = watchLive(cell.api, run, parts);
  await sees("▶ wait");
  signal("end");
  expect(state.text.endsWith("\u001b[?25h")).toBe(true);
  expect(state.raw).toEqual([true, false]);
  press("\u0003");
  await cell.api.actOnRun(run, "cancel");
  await watched;
});

test("runs show: a timeline, one document that fits its schema, and a trace in a file", async () => {
  await typed("run", "pick", "--id", "R1");
  const shown = await typed("runs", "show", "R1");
  expect(shown.code).toBe(0);
  expect(shown.lines.filter((line) => / ▶ /.test(line)).map((line) => line.split("▶ ")[1])).toEqual(
    ["over  over", "rest  rest", "down  down"],
  );
  expect(shown.lines.at(-1)).toMatch(/^✔ pick: completed after/);
  const json = await typed("runs", "show", "R1", "--json");
  const document = runExportSchema.parse(JSON.parse(json.lines.join("\n")));
  expect(document.rows.filter(({ type }) => type === "intent")).toHaveLength(2);
  const file = join(mkdtempSync(join(tmpdir(), "trace-")), "run.json");
  expect(await typed("runs", "show", "R1", "--trace", file)).toMatchObject({ code: 0 });
  const { traceEvents } = JSON.parse(readFileSync(file, "utf8"));
  const spans = traceEvents.filter((event: { ph: string }) => event.ph === "X");
  expect(spans).toHaveLength(4);
});

test("runs list, cancel and an unknown run, as they are typed with options before and after", async () => {
  await typed("run", "long", "--id", "L1", "--detach");
  await vi.waitFor(async () => expect((await cell.api.run("L1")).state).toBe("running"), 5000);
  const list = await typed("runs", "list", "--gateway", "http://elsewhere");
  expect(list.lines.some((line) => line.startsWith("L1 ") && line.includes("running"))).toBe(true);
  expect((await typed("runs", "cancel", "L1")).lines).toEqual(["run L1: cancel is asked for"]);
  await vi.waitFor(async () => expect((await cell.api.run("L1")).state).toBe("madeSafe"), 5000);
  await expect(typed("runs", "show", "nobody")).rejects.toThrow('There is no run "nobody"');
  await expect(typed("runs", "resolve", "L1")).rejects.toThrow("--text <why>");
});

test("history over HTTP: what the gateway gives is what the coordinator has, page by page", async () => {
  await typed("run", "pick", "--id", "R1");
  const whole = await cell.api.history("R1", 0);
  const rest = await cell.api.history("R1", 2);
  expect(runHistorySchema.parse(whole).rows.slice(2)).toEqual(rest.rows);
  expect(whole.by.user).toBe("local");
});
