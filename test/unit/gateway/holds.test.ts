/**
 * Presses at the gateway: nonces down, echoes up, and every way in which a press ends.
 *
 * The idea: a fake stop link, and a response that is only looked at; what leaves as a heartbeat is
 * the evidence. It refuses real sockets and real time.
 */
import { EventEmitter } from "node:events";
import type { ServerResponse } from "node:http";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { HoldBeat, HoldFeedback } from "#kernel/contract/hold-payloads.js";
import type { Log } from "#kernel/ports.js";
import { Holds, silenceMsMax } from "../../../services/gateway/holds.js";
import { FakeLink } from "../../fixtures/driver/fake-ports.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const nothing = () => undefined;
const log: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

class Answer extends EventEmitter {
  destroyed = false;
  ended = false;
  writableLength = 0;
  readonly socket = { destroyed: false, setNoDelay: nothing };
  readonly lines: { kind: string; nonce?: string; reason?: string }[] = [];
  writeHead() {
    return this;
  }
  write(text: string): boolean {
    this.lines.push(JSON.parse(text));
    return true;
  }
  end(): void {
    this.ended = true;
    this.emit("close");
  }
  destroy(): void {
    this.destroyed = true;
    this.emit("close");
  }
}

function desk() {
  const stop = new FakeLink();
  const holds = new Holds({ stop, log });
  const answer = new Answer();
  const begin = () => {
    holds.begin({ hold: "h1", axis: "x", epoch: 7 }, answer as unknown as ServerResponse);
  };
  const say = (word: Partial<HoldFeedback>) => {
    const head = { v: 1, ts: 0, bootId: "d", hold: "h1", epoch: 7, state: "pressed" } as const;
    return stop.deliver("holdFeedback", { axis: "x" }, { ...head, ...word });
  };
  const beats = () => (stop.of("holdBeat") as HoldBeat[]).map((one) => one.nonce ?? "let go");
  return { stop, holds, answer, begin, say, beats };
}

describe("a press at the gateway", () => {
  it("hands nonces down and echoes up, and echoes nothing by itself", async () => {
    const { holds, answer, begin, say, beats } = desk();
    begin();
    await say({ nonce: "n1" });
    expect(answer.lines.map(({ kind }) => kind)).toEqual(["granted", "nonce"]);
    expect(beats()).toEqual([]);
    expect(holds.echoed("h1", "x", "n1")).toBe(true);
    expect(beats()).toEqual(["n1"]);
  });

  it.each<[string, (at: ReturnType<typeof desk>) => unknown]>([
    ["the client lets go", ({ holds }) => holds.echoed("h1", "x", undefined)],
    ["the connection closes", ({ answer }) => answer.destroy()],
    ["the connection breaks", ({ answer }) => answer.emit("error", new Error("reset"))],
    ["the gateway ends", ({ holds }) => holds.close()],
  ])("%s: the driver is told", (_, how) => {
    const at = desk();
    at.begin();
    how(at);
    expect(at.beats()).toEqual(["let go"]);
  });

  it("a client that was gone before it was granted is let go at once, and nothing is written", () => {
    const { answer, begin, beats } = desk();
    answer.destroyed = true;
    begin();
    expect([beats(), answer.lines]).toEqual([["let go"], []]);
  });

  it("a client that does not read is cut off", async () => {
    const { answer, begin, say, beats } = desk();
    begin();
    answer.writableLength = 5000;
    await say({ nonce: "n1" });
    expect([answer.destroyed, beats()]).toEqual([true, ["let go"]]);
  });

  it.each<[string, Partial<HoldFeedback>]>([
    ["another hold", { hold: "h0", nonce: "n" }],
    ["an older epoch of the same id", { epoch: 6, nonce: "n" }],
    ["the end of an older one", { epoch: 6, state: "ended" }],
  ])("words of %s are not handed on", async (_, word) => {
    const { answer, begin, say } = desk();
    begin();
    await say(word);
    expect([answer.lines.length, answer.ended]).toEqual([1, false]);
  });

  it("ended by the driver, the client hears why, and no echo leaves any more", async () => {
    const { holds, answer, begin, say, beats } = desk();
    begin();
    await say({ state: "ended", reason: "lapsed" });
    expect(answer.lines.at(-1)).toEqual({ kind: "ended", reason: "lapsed" });
    expect(answer.ended).toBe(true);
    expect(holds.echoed("h1", "x", "n1")).toBe(false);
    expect(beats()).toEqual([]);
  });

  it("a driver that says nothing ends the press", async () => {
    const { answer, begin, say } = desk();
    begin();
    await vi.advanceTimersByTimeAsync(silenceMsMax - 1);
    await say({ nonce: "n1" });
    await vi.advanceTimersByTimeAsync(silenceMsMax - 1);
    expect(answer.ended).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(answer.lines.at(-1)?.reason).toBe("its driver is silent");
  });

  it("without a broker an echo is dropped, and not kept for later", () => {
    const { stop, holds, begin, beats } = desk();
    begin();
    stop.set(false);
    expect(holds.echoed("h1", "x", "n1")).toBe(true);
    stop.set(true);
    expect(beats()).toEqual([]);
  });

  it("an echo for another axis is nobody's", () => {
    const { holds, begin } = desk();
    begin();
    expect(holds.echoed("h1", "y", "n1")).toBe(false);
    expect(holds.echoed("h2", "x", "n1")).toBe(false);
  });
});
