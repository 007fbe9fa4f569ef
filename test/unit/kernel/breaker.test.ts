/**
 * The breaker of a device, in fake time.
 * The idea: consecutive silence opens it, one probe decides, and nothing from before does. It
 * refuses a device: calls are promises that the test settles.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { breakerOutcome } from "#kernel/breaker-outcome.js";
import { openBreaker } from "#kernel/edge/opossum-breaker.js";
import { type ErrorCode, errors, ServocellError } from "#kernel/errors.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const silence = () => new ServocellError("DEVICE_UNREACHABLE", "No reply.");
const refused = () => new ServocellError("DEVICE_EXCEPTION", "Illegal.", { exception: 2 });
const good = () => Promise.resolve("good");
const fail = (error: Error) => () => Promise.reject(error);
const codeOf = (run: Promise<unknown>) =>
  run.then(
    () => "done",
    (error: { code?: string }) => error.code,
  );

function breaker(failures = 3) {
  const changes: string[] = [];
  const made = openBreaker({ device: "x", failures, resetMs: 2000 });
  made.onChange((state) => void changes.push(state));
  const silent = async (n: number) => {
    for (let i = 0; i < n; i++) await codeOf(made.run(fail(silence())));
  };
  return { made, changes, silent };
}

function held() {
  let settle: (error?: Error) => void = () => undefined;
  const call = () =>
    new Promise<string>((resolve, reject) => {
      settle = (error) => (error === undefined ? resolve("late") : reject(error));
    });
  return { call, settle: (error?: Error) => settle(error) };
}

describe("CB-03: failure after silence", () => {
  it("one failure after an idle hour leaves it closed (failures=3)", async () => {
    const { made, silent } = breaker();
    await made.run(good);
    await vi.advanceTimersByTimeAsync(3_600_000);
    await silent(1);
    expect(made.state).toBe("closed");
  });

  it("it opens at the configured number in a row (failures=3, 5)", async () => {
    for (const failures of [3, 5]) {
      const { made, silent } = breaker(failures);
      for (let i = 0; i < 500; i++) await made.run(good);
      await silent(failures - 1);
      expect(made.state).toBe("closed");
      await silent(1);
      expect(made.state).toBe("open");
    }
  });

  it("a success in between starts the count again", async () => {
    const { made, silent } = breaker();
    for (let i = 0; i < 20; i++) {
      await silent(2);
      await made.run(good);
    }
    expect(made.state).toBe("closed");
  });
});

describe("CB-01: half-open", () => {
  it("50 calls at reset time: one passes, the others are refused until its outcome", async () => {
    const { made, changes, silent } = breaker();
    await silent(3);
    await vi.advanceTimersByTimeAsync(1999);
    expect(await codeOf(made.run(good))).toBe("BREAKER_OPEN");
    await vi.advanceTimersByTimeAsync(1);
    expect(made.state).toBe("half-open");
    let calls = 0;
    const slow = () => {
      calls += 1;
      return new Promise<string>((resolve) => setTimeout(() => resolve("alive"), 900));
    };
    const runs = Array.from({ length: 50 }, () => codeOf(made.run(slow)));
    await vi.advanceTimersByTimeAsync(899);
    expect(await codeOf(made.run(slow))).toBe("BREAKER_OPEN");
    expect(calls).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect((await Promise.all(runs)).filter((one) => one === "done").length).toBe(1);
    expect(changes).toEqual(["open", "half-open", "closed"]);
    expect(await codeOf(made.run(good))).toBe("done");
  });

  it("a failed probe opens it again with the full pause", async () => {
    const { made, silent } = breaker();
    await silent(3);
    await vi.advanceTimersByTimeAsync(2000);
    await silent(1);
    expect(made.state).toBe("open");
    await vi.advanceTimersByTimeAsync(1999);
    expect(made.state).toBe("open");
    await vi.advanceTimersByTimeAsync(1);
    expect(made.state).toBe("half-open");
  });

  it("after it has closed it takes the full number of failures to open again", async () => {
    const { made, silent } = breaker();
    await silent(3);
    await vi.advanceTimersByTimeAsync(2000);
    await made.run(good);
    await silent(2);
    expect(made.state).toBe("closed");
    await silent(1);
    expect(made.state).toBe("open");
  });

  it("a probe asked for comes at once; asking again admits no second", async () => {
    const { made, silent } = breaker();
    made.probeNow();
    expect(made.state).toBe("closed");
    await silent(3);
    made.probeNow();
    expect(made.state).toBe("half-open");
    const probe = held();
    const first = codeOf(made.run(probe.call));
    made.probeNow();
    expect(await codeOf(made.run(good))).toBe("BREAKER_OPEN");
    probe.settle();
    expect(await first).toBe("done");
    expect(made.state).toBe("closed");
    await vi.advanceTimersByTimeAsync(10_000);
    expect(made.state).toBe("closed");
  });
});

describe("what was under way before", () => {
  it("a slow call from before does not close it (open, half-open)", async () => {
    const { made, silent } = breaker();
    const early = [held(), held()];
    const runs = early.map((one) => codeOf(made.run(one.call)));
    await silent(3);
    early[0]?.settle();
    expect(await runs[0]).toBe("done");
    expect(made.state).toBe("open");
    await vi.advanceTimersByTimeAsync(2000);
    early[1]?.settle();
    expect(await runs[1]).toBe("done");
    expect(made.state).toBe("half-open");
  });

  it("a slow call from before that fails does not take the permit", async () => {
    const { made, silent } = breaker();
    const early = held();
    const run = codeOf(made.run(early.call));
    await silent(3);
    await vi.advanceTimersByTimeAsync(2000);
    early.settle(silence());
    expect(await run).toBe("DEVICE_UNREACHABLE");
    expect(made.state).toBe("half-open");
    expect(await codeOf(made.run(good))).toBe("done");
  });

  it("after close nothing runs, also when a call in flight fails then", async () => {
    const { made, silent } = breaker();
    await silent(2);
    const flight = held();
    const run = codeOf(made.run(flight.call));
    made.close();
    flight.settle(silence());
    expect(await run).toBe("DEVICE_UNREACHABLE");
    let ran = false;
    const late = made.run(async () => {
      ran = true;
    });
    expect(await codeOf(late)).toBe("BREAKER_OPEN");
    expect(ran).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("CB-05: caller mistakes", () => {
  it("10 refusals between silences neither open it nor reset the count", async () => {
    const { made, silent } = breaker();
    for (let i = 0; i < 10; i++) await codeOf(made.run(fail(refused())));
    expect(made.state).toBe("closed");
    await silent(2);
    await codeOf(made.run(fail(refused())));
    await silent(1);
    expect(made.state).toBe("open");
  });

  it("a refusal as the probe neither closes it nor keeps the permit", async () => {
    const { made, silent } = breaker();
    await silent(3);
    await vi.advanceTimersByTimeAsync(2000);
    expect(await codeOf(made.run(fail(refused())))).toBe("DEVICE_EXCEPTION");
    expect(made.state).toBe("half-open");
    expect(await codeOf(made.run(good))).toBe("done");
    expect(made.state).toBe("closed");
  });

  it("only silence counts: the table over all codes", () => {
    const counting = Object.keys(errors).filter(
      (code) => breakerOutcome(new ServocellError(code as ErrorCode, "")) === "failure",
    );
    expect(counting).toEqual(["DEVICE_UNREACHABLE", "OUTCOME_UNKNOWN"]);
    const exceptions = Array.from({ length: 12 }, (_, exception) => exception).filter(
      (exception) =>
        breakerOutcome(new ServocellError("DEVICE_EXCEPTION", "", { exception })) === "failure",
    );
    expect(exceptions).toEqual([4, 6, 10, 11]);
    expect(breakerOutcome(new Error("a broken assumption"))).toBe("neutral");
  });
});

it("CB-06: 500 breakers that were opened and closed leave no timer behind", async () => {
  for (let i = 0; i < 500; i++) {
    const { made, silent } = breaker(1);
    await silent(1);
    made.close();
  }
  expect(vi.getTimerCount()).toBe(0);
});
