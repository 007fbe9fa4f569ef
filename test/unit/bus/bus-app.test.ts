/**
 * What the bus service says of its buses: their use, and a stop that came late.
 * The idea: the whole app between a lane server and a wire of a few lines, in fake time. It
 * refuses sockets.
 */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { BusConfig, CellConfig } from "#kernel/config/cell.js";
import { planBus } from "#kernel/config/wire-plan.js";
import type { CloudEvent } from "#kernel/contract/payloads.js";
import type { LaneRequest, LaneServer, Log, MessageLink, Wire, WireResult } from "#kernel/ports.js";
import { buildBus, useEveryMs } from "../../../services/bus/app.js";
import { bytes } from "./lanes-situations.js";

const log: Log = { debug() {}, info() {}, warn() {}, error() {} };
const bus: BusConfig = {
  id: "rail",
  link: { kind: "serial", path: "/dev/none", baud: 19_200, format: "8E1", echo: false },
  units: [],
  replyTimeoutMs: 1000,
};
const boundMs = planBus(bus, []).stop.boundMs;
const config = {
  buses: [bus],
  devices: [{ id: "x", bus: "rail", setup: { unit: 1 }, profile: {} }],
} as unknown as CellConfig;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A line on which an exchange takes so long. */
function rig(takesMs: () => number) {
  let handler: ((request: LaneRequest) => void) | undefined;
  const lanes: LaneServer = {
    onRequest: (given) => {
      handler = given;
    },
    onClientClosed: () => undefined,
    onGuard: () => undefined,
    onGuardClosed: () => undefined,
    close: async () => undefined,
  };
  const wire: Wire = {
    connected: true,
    exchange: (_, pdu) =>
      new Promise<WireResult>((resolve) => {
        setTimeout(() => resolve({ kind: "reply", pdu: pdu.slice(0, 5) }), takesMs());
      }),
    reconnect: () => undefined,
    onChange: () => undefined,
    close: async () => undefined,
  };
  const said: { readonly key: string; readonly levels: object; readonly payload: object }[] = [];
  const main: MessageLink = {
    connected: true,
    publish: async (key, levels, payload) => {
      said.push({ key, levels, payload });
    },
    subscribe: () => undefined,
    onChange: () => undefined,
    close: async () => undefined,
  };
  const boot = { bootId: "b", service: "bus", version: "0" };
  const wires = new Map([["rail", wire]]);
  const app = buildBus({ wires, lanes, main, log, boot, newId: () => "id" }, config);
  const ask = (lane: "stop" | "poll", pdu: string) =>
    handler?.({ bus: "rail", lane, unit: 1, pdu: bytes(pdu), client: 1, answer: () => undefined });
  return { app, ask, said };
}

const read = "0300100002";
const stop = "060020000b";

it.each([
  [0.5, 0],
  [1.5, 1],
])("a stop waits %f of its bound for the line: %i events stop.late", async (share, count) => {
  const { app, ask, said } = rig(() => boundMs * share);
  await app.start();
  ask("poll", read);
  ask("stop", stop);
  await vi.advanceTimersByTimeAsync(1000);
  const events = said.filter(({ key }) => key === "event").map(({ payload }) => payload);
  expect(events.length).toBe(count);
  for (const event of events as CloudEvent[]) {
    expect(event.type).toContain("stop.late");
    expect(event.data).toMatchObject({ bus: "rail", unit: 1, boundMs });
  }
});

it(`the use of each bus, every ${useEveryMs} ms: 1 exchange of 2500 ms is half of it`, async () => {
  const { app, ask, said } = rig(() => useEveryMs / 2);
  await app.start();
  ask("poll", read);
  await vi.advanceTimersByTimeAsync(2 * useEveryMs);
  const told = said.filter(({ key }) => key === "telemetryBus");
  expect(told.map(({ levels }) => levels)).toEqual([{ bus: "rail" }, { bus: "rail" }]);
  const [first, second] = told.map(({ payload }) => payload as { utilisation: number });
  expect(first?.utilisation).toBeCloseTo(0.5, 2);
  expect(second?.utilisation).toBe(0);
});
