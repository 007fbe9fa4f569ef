/**
 * What an endpoint does with moments that fall between two of its clock readings, and with what
 * its own answers ask for.
 * The idea: Endpoint on a wire of a few lines, in fake time that is bent where it matters. It
 * refuses sockets.
 */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { BusConfig } from "#kernel/config/cell.js";
import type { Lane, Log, Wire, WireResult } from "#kernel/ports.js";
import { lanesOptionsOf } from "../../../services/bus/app.js";
import { Endpoint } from "../../../services/bus/endpoint.js";
import { stopWindowMs, unsentMsMax } from "../../../services/bus/lane-state.js";
import { bytes } from "./lanes-situations.js";

const log: Log = { debug() {}, info() {}, warn() {}, error() {} };
const bus: BusConfig = {
  id: "rail",
  link: { kind: "serial", path: "/dev/none", baud: 19_200, format: "8E1", echo: false },
  units: [],
  replyTimeoutMs: 1000,
};
const read = "0300100002";
const stop = "060020000b";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** An endpoint on a line that answers at once, or that is never there. */
function rig(connected = true) {
  const sent: string[] = [];
  const wire: Wire = {
    connected,
    exchange: (unit, pdu) => {
      sent.push(`${unit} ${pdu[0]}`);
      return new Promise<WireResult>((resolve) => {
        setTimeout(() => resolve({ kind: "reply", pdu: pdu.slice(0, 5) }), 1);
      });
    },
    reconnect: () => undefined,
    onChange: () => undefined,
    close: async () => undefined,
  };
  const options = lanesOptionsOf(bus, undefined);
  const endpoint = new Endpoint({ id: "rail", wire, options, log, onUnit: () => undefined });
  const ask = (lane: Lane, unit: number, client = unit, answer = () => {}) => {
    const pdu = bytes(lane === "stop" ? stop : read);
    endpoint.request({ lane, unit, pdu, client, answer });
  };
  return { endpoint, sent, ask };
}

it("a stop window that ends between two looks at the clock ends for the polls, too", async () => {
  const { endpoint, sent, ask } = rig();
  endpoint.axis(1, "moving");
  endpoint.axis(2, "moving");
  ask("stop", 1);
  await vi.advanceTimersByTimeAsync(0);
  ask("poll", 2);
  await vi.advanceTimersByTimeAsync(1);
  const settledMs = performance.now();
  expect(sent).toEqual(["1 6"]);
  await vi.advanceTimersByTimeAsync(stopWindowMs - 1);
  // Each look at the clock is a little later than the one before: the window ends between them.
  let nowMs = settledMs + stopWindowMs - 0.02;
  const clock = vi.spyOn(performance, "now").mockImplementation(() => {
    const at = nowMs;
    nowMs += 0.06;
    return at;
  });
  endpoint.axis(3, "still");
  clock.mockRestore();
  await vi.advanceTimersByTimeAsync(20);
  expect(sent).toEqual(["1 6", "2 3"]);
});

it("a stop that an answer asks for while a client goes is answered, too", async () => {
  const { endpoint, ask } = rig(false);
  const second = vi.fn();
  ask("stop", 1, 0, () => ask("stop", 1, 0, second));
  const dueMs = performance.now() + unsentMsMax;
  await vi.advanceTimersByTimeAsync(unsentMsMax / 2);
  ask("command", 2, 7);
  ask("stop", 2, 7);
  const clock = vi.spyOn(performance, "now").mockImplementation(() => dueMs + 0.1);
  endpoint.clientClosed(7);
  clock.mockRestore();
  await vi.advanceTimersByTimeAsync(2 * unsentMsMax);
  expect(second).toHaveBeenCalledOnce();
});
