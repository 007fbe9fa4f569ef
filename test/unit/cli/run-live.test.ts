/**
 * Keys and signals beside a run that is watched: answers, leaving, cancelling.
 * The idea: a gateway played by the test, a terminal on paper, a clock that the test moves. It
 * refuses sockets.
 */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { RunRecord } from "#kernel/contract/payloads.js";
import { ServocellError } from "#kernel/errors.js";
import { Api, type RunAct } from "../../../services/cli/client.js";
import {
  againMs,
  type LiveParts,
  leftExitCode,
  watchLive,
} from "../../../services/cli/run-live.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

class PlayedApi extends Api {
  readonly asked: { action: RunAct; body: object | undefined }[] = [];
  record: RunRecord;
  refuses: ServocellError | undefined;

  constructor(record: RunRecord) {
    super("http://nowhere/api/v1", () => "id");
    this.record = record;
  }
  override async run() {
    return this.record as Awaited<ReturnType<Api["run"]>>;
  }
  override async stream(signal: AbortSignal) {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
  }
  override async actOnRun(_: string, action: RunAct, body?: object) {
    if (this.refuses !== undefined) throw this.refuses;
    this.asked.push({ action, body });
  }
}

function record(facts: Partial<RunRecord> = {}): RunRecord {
  return {
    run: "R1",
    saga: "take",
    version: "v",
    state: "running",
    cause: { code: "NONE", text: "" },
    by: { user: "a", role: "operator" },
    startedAt: 0,
    steps: [{ name: "ok", text: "ok", status: "running", safe: "none" }],
    unknowns: [],
    choices: [],
    ...facts,
  };
}

const asks = [
  { step: "ok", text: "Good?", choices: ["yes", "no"] },
  { step: "other", text: "Sure?", choices: ["maybe"] },
];

function watched(api: PlayedApi, tty = true) {
  let key: (data: string) => void = () => {};
  let signal: (kind: "interrupt" | "end") => void = () => {};
  const seen = { text: "", lines: [] as string[] };
  const parts: LiveParts = {
    output: {
      isTTY: tty,
      write: (text: string) => {
        seen.text += text;
      },
    },
    input: {
      isTTY: true,
      setRawMode: () => {},
      on: (_, listener) => {
        key = listener;
      },
      off: () => {},
      resume: () => {},
      pause: () => {},
    },
    say: (line) => seen.lines.push(line),
    onSignal: (listener) => {
      signal = listener;
      return () => {};
    },
    colours: false,
  };
  const ended = watchLive(api, "R1", parts);
  return { seen, ended, press: (data: string) => key(data), interrupt: () => signal("interrupt") };
}

const wait = (ms: number) => vi.advanceTimersByTimeAsync(ms);

async function finish(api: PlayedApi, ended: Promise<number>, state: RunRecord["state"]) {
  api.record = record({ state, endedAt: 5 });
  await wait(1000);
  return ended;
}

test("keys: a number answers the first question, once; other keys are none", async () => {
  const api = new PlayedApi(record({ asks }));
  const { press, ended, seen } = watched(api);
  await wait(500);
  expect(seen.text).toContain("? ok: Good?  [1] yes  [2] no");
  press("x");
  press("9");
  press("2");
  press("1");
  await wait(200);
  expect(api.asked).toEqual([{ action: "answer", body: { step: "ok", choice: "no" } }]);
  expect(await finish(api, ended, "completed")).toBe(0);
});

test("keys: an answer that is refused is told, and may be given again", async () => {
  const api = new PlayedApi(record({ asks }));
  api.refuses = new ServocellError("STATE_CONFLICT", "It was answered.");
  const { press, ended, seen } = watched(api);
  await wait(500);
  press("1");
  await wait(200);
  expect(seen.text).toContain("not answered: It was answered.");
  api.refuses = undefined;
  press("1");
  await wait(200);
  expect(api.asked).toHaveLength(1);
  await finish(api, ended, "completed");
});

test("Ctrl-C: once leaves after two seconds; the second one in time cancels, a third one leaves", async () => {
  const api = new PlayedApi(record());
  const once = watched(api);
  await wait(500);
  once.press("\u0003");
  await wait(againMs - 100);
  expect(once.seen.lines).toEqual([]);
  await wait(200);
  expect(await once.ended).toBe(leftExitCode);
  expect(api.asked).toEqual([]);
  const twice = watched(api);
  await wait(500);
  twice.press("\u0003");
  await wait(againMs - 500);
  twice.press("\u0003");
  await wait(againMs * 2);
  expect(api.asked).toEqual([{ action: "cancel", body: undefined }]);
  expect(twice.seen.lines).toEqual([]);
  twice.press("\u0003");
  await wait(500);
  expect(await twice.ended).toBe(leftExitCode);
});

test("Ctrl-C: a cancel that could not be given is told, and begins anew", async () => {
  const api = new PlayedApi(record());
  api.refuses = new ServocellError("OFFLINE", "No broker.");
  const { press, seen, ended } = watched(api);
  await wait(500);
  press("\u0003\u0003");
  await wait(200);
  expect(seen.text).toContain("not cancelled: No broker. Use servocell stop to stop the cell.");
  api.refuses = undefined;
  press("\u0003\u0003");
  await wait(200);
  expect(api.asked).toEqual([{ action: "cancel", body: undefined }]);
  expect(await finish(api, ended, "madeSafe")).toBe(2);
});

test("no terminal: lines, no escape sequences, and the same answers to an interrupt", async () => {
  const api = new PlayedApi(record({ asks }));
  const { seen, interrupt, ended } = watched(api, false);
  await wait(500);
  interrupt();
  interrupt();
  await wait(100);
  expect(await finish(api, ended, "madeSafe")).toBe(2);
  expect(seen.text).toBe("");
  expect(seen.lines).toEqual([
    "? ok: Good?  (servocell runs answer R1 ok yes|no)",
    "? other: Sure?  (servocell runs answer R1 other maybe)",
    "the run goes on; Ctrl-C again now to cancel it: stop, then make safe",
    "cancelling: stop, then make safe; Ctrl-C again leaves it alone",
    expect.stringMatching(/^■ take: madeSafe/),
  ]);
});

test("the gateway goes away: the failure comes through, and the terminal is given back", async () => {
  const api = new PlayedApi(record());
  const { seen, ended } = watched(api);
  await wait(500);
  api.run = () => Promise.reject(new ServocellError("OFFLINE", "Gone."));
  const failed = expect(ended).rejects.toThrow("Gone.");
  await wait(30_000);
  await failed;
  expect(seen.text.endsWith("\u001b[?25h")).toBe(true);
});
