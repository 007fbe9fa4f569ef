/**
 * How often the state of the cell and its runs is said: at once, at a pace, and the last of it.
 *
 * The idea: a publisher on a fake clock; what it says is written down with its time. It refuses
 * real time.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Payload } from "#kernel/contract/topics.js";
import type { MessageLink } from "#kernel/ports.js";
import {
  CellPublisher,
  type CellSaid,
  paceOf,
  runsMax,
} from "../../../services/coordinator/cell-publisher.js";
import { useFakeClock } from "../../fixtures/coordinator/coordinator-cell.js";

type RunRecord = Payload<"stateRun">["runs"][number];

beforeEach(useFakeClock);
afterEach(() => {
  vi.useRealTimers();
});

function record(run: string, more: Partial<RunRecord> = {}): RunRecord {
  const cause = { code: "STARTED", text: "started" };
  const by = { user: "ann", role: "operator" };
  const head = { run, saga: "s", version: "1", state: "running" as const, cause, by };
  return { ...head, startedAt: 0, steps: [], unknowns: [], choices: [], ...more };
}

interface Said {
  readonly atMs: number;
  readonly key: string;
  readonly seq: number;
  readonly what: string;
}

class Bench {
  readonly said: Said[] = [];
  readonly #startMs = performance.now();
  #listener: (connected: boolean) => void = () => {};
  connected = true;
  state: CellSaid["state"] = "Idle";
  records: readonly RunRecord[] = [record("a")];
  readonly publisher: CellPublisher;

  constructor() {
    const bench = this;
    const main = {
      get connected() {
        return bench.connected;
      },
      publish: async (key: string, _: object, payload: { seq: number; state?: string }) => {
        const { runs = [] } = payload as { runs?: readonly RunRecord[] };
        const what = key === "stateCell" ? String(payload.state) : runs.map((r) => r.run).join(" ");
        const atMs = performance.now() - this.#startMs;
        this.said.push({ atMs, key, seq: payload.seq, what });
      },
      onChange: (listener: (connected: boolean) => void) => {
        this.#listener = listener;
      },
    } as unknown as MessageLink;
    const reason = { code: "STARTED", text: "started" };
    this.publisher = new CellPublisher({
      main,
      boot: { bootId: "b", service: "coordinator", version: "0" },
      cell: () => ({
        q: "good",
        state: this.state,
        mode: "Production",
        packml: 4,
        since: 0,
        reason,
        allowed: [],
      }),
      openCount: () => this.records.filter(({ endedAt }) => endedAt === undefined).length,
      records: () => this.records,
    });
  }

  connect(connected: boolean): void {
    this.connected = connected;
    this.#listener(connected);
  }

  change(run: string): void {
    this.records = [record(run)];
    this.publisher.soon();
  }

  at(key: "stateCell" | "stateRun"): readonly string[] {
    return this.said.filter((one) => one.key === key).map(({ atMs, what }) => `${atMs} ${what}`);
  }
}

function begun(): Bench {
  const bench = new Bench();
  bench.publisher.begin();
  return bench;
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

test("the first change is said when its commands have left, the next ones at the pace, the last one of them", async () => {
  const bench = begun();
  await pass(200);
  for (const run of ["b", "c", "d", "e", "f"]) {
    bench.change(run);
    await pass(20);
  }
  await pass(1000);
  // 0: begun. 210: b after its lead; c and d within 50 ms; e and f within the next.
  expect(bench.at("stateRun")).toEqual(["0 a", "210 b", "260 d", "310 f"]);
  expect(bench.at("stateCell")).toEqual(["0 Idle"]);
});

test("a change right before it leaves is waited for with its commands, within the pace", async () => {
  const bench = begun();
  await pass(200);
  for (const run of ["b", "c", "d"]) {
    bench.change(run);
    await pass(8);
  }
  await pass(176);
  for (let i = 0; i < 20; i += 1) {
    bench.change(`e${i}`);
    await pass(8);
  }
  await pass(1000);
  // 226: the lead of the last of the first burst; from 400 on nobody waits longer than the pace.
  expect(bench.at("stateRun")).toEqual(["0 a", "226 d", "450 e6", "506 e13", "562 e19"]);
});

test("with a change of the cell its runs are said at once, before it", async () => {
  const bench = begun();
  await pass(200);
  bench.state = "Held";
  bench.change("b");
  await pass(20);
  bench.state = "Unholding";
  bench.change("c");
  await pass(1000);
  expect(bench.at("stateCell")).toEqual(["0 Idle", "200 Held", "220 Unholding"]);
  expect(bench.at("stateRun")).toEqual(["0 a", "200 b", "220 c"]);
  expect(bench.said.map(({ key }) => key).slice(-2)).toEqual(["stateRun", "stateCell"]);
});

test("many changes of one turn are said once, with the last of them", async () => {
  const bench = begun();
  await pass(200);
  for (const run of ["b", "c", "d"]) bench.change(run);
  await pass(1000);
  expect(bench.at("stateRun")).toEqual(["0 a", "210 d"]);
});

test("the state of the cell leaves at once, its runs with it, and only when it changed", async () => {
  const bench = begun();
  await pass(10);
  bench.state = "Execute";
  bench.change("b");
  await pass(10);
  bench.change("c");
  await pass(10);
  bench.state = "Aborting";
  bench.change("d");
  await pass(1000);
  expect(bench.at("stateCell")).toEqual(["0 Idle", "10 Execute", "30 Aborting"]);
  expect(bench.at("stateRun")).toEqual(["0 a", "10 b", "30 d"]);
  const seqs = bench.said.map(({ seq }) => seq);
  expect(seqs).toEqual(seqs.map((_, i) => i + 1));
});

test("it is said again every 10 s, and at once when the connection is back", async () => {
  const bench = begun();
  await pass(10_500);
  bench.connect(false);
  bench.change("b");
  await pass(500);
  expect(bench.at("stateRun")).toEqual(["0 a", "10000 a"]);
  bench.connect(true);
  await pass(0);
  expect(bench.at("stateRun")).toEqual(["0 a", "10000 a", "11000 b"]);
  expect(bench.at("stateCell")).toEqual(["0 Idle", "10000 Idle", "11000 Idle"]);
});

describe("closed", () => {
  test("with a change held back: it is said first, and nothing after it", async () => {
    const bench = begun();
    await pass(10);
    bench.change("b");
    await pass(10);
    bench.publisher.close();
    bench.change("c");
    await pass(30_000);
    expect(bench.at("stateRun")).toEqual(["0 a", "20 b"]);
    expect(vi.getTimerCount()).toBe(0);
  });
  test("in the turn of a change: it is said", async () => {
    const bench = begun();
    await pass(100);
    bench.state = "Aborted";
    bench.change("b");
    bench.publisher.close();
    await pass(1000);
    expect(bench.at("stateCell")).toEqual(["0 Idle", "100 Aborted"]);
    expect(bench.at("stateRun")).toEqual(["0 a", "100 b"]);
  });
  test("with nothing held back, or before it began: nothing is said", async () => {
    const bench = begun();
    await pass(100);
    bench.publisher.close();
    expect(bench.at("stateRun")).toEqual(["0 a"]);
    const never = new Bench();
    never.change("b");
    await pass(100);
    never.publisher.close();
    expect(never.said).toEqual([]);
  });
});

test("who needs a person comes first, then who is open, then who has ended, else as they came", async () => {
  const bench = begun();
  const asks = [{ step: "s", text: "t", choices: ["yes"] }];
  bench.records = [
    record("runs"),
    record("ended", { endedAt: 1 }),
    record("stopped", { choices: ["makeSafe", "abandon"] }),
    record("waits"),
    record("asks", { asks }),
    record("asked", { asks, endedAt: 2 }),
  ];
  await pass(0);
  expect(bench.at("stateRun")).toEqual(["0 stopped asks runs waits ended asked"]);
});

test.each([
  [0, 50],
  [1, 50],
  [runsMax, 50],
  [runsMax + 1, 100],
  [60, 150],
  [61, 200],
  [100, 250],
  [256, 250],
])("%i open runs: %i ms between two of them", async (count, gapMs) => {
  expect(paceOf(count)).toBe(gapMs);
  const bench = begun();
  bench.records = Array.from({ length: count }, (_, i) => record(`r${i}`));
  await pass(300);
  for (let i = 0; i < 100; i += 1) {
    bench.publisher.soon();
    await pass(10);
  }
  await pass(1000);
  const times = bench.said.filter(({ key }) => key === "stateRun").map(({ atMs }) => atMs);
  const gaps = times.slice(2).map((at, i) => at - (times[i + 1] ?? 0));
  expect(new Set(gaps)).toEqual(new Set([gapMs]));
});
