/**
 * What Prometheus is told of the buses: the plan's stop bound, and the use that the bus tells.
 *
 * The idea: a played cell with two buses, requests injected. It refuses wall-clock assertions.
 */
import { afterEach, expect, test, vi } from "vitest";
import type { BusConfig } from "#kernel/config/cell.js";
import { planBus } from "#kernel/config/wire-plan.js";
import { PlayedCell } from "../../fixtures/gateway/played-cell.js";

const common = { units: [], replyTimeoutMs: 200 };
const gantry: BusConfig = {
  ...common,
  id: "gantry",
  link: { kind: "tcp", host: "127.0.0.1", port: 502 },
};
const rail: BusConfig = {
  ...common,
  id: "rail",
  link: { kind: "serial", path: "/dev/none", baud: 19_200, format: "8E1", echo: false },
};

let cell: PlayedCell | undefined;
afterEach(async () => {
  vi.restoreAllMocks();
  await cell?.end();
});

test("metrics: each bus' stop bound by its plan; its use as long as it is told of", async () => {
  const played = new PlayedCell({ config: { buses: [gantry, rail] } });
  cell = played;
  await played.start();
  const metrics = async () => {
    const headers = { host: "localhost" };
    return (await played.gateway.server.inject({ url: "/metrics", headers })).body;
  };
  for (const bus of [gantry, rail]) {
    const { boundMs } = planBus(bus, []).stop;
    expect(await metrics()).toContain(`servocell_bus_stop_bound_ms{bus="${bus.id}"} ${boundMs}`);
  }
  expect(await metrics()).not.toContain('servocell_bus_utilisation{bus="');
  const use = { v: 1, ts: Date.now(), utilisation: 0.25, stopWaitMsMax: 4 } as const;
  played.main.say("telemetryBus", { bus: "rail" }, use);
  expect(await metrics()).toContain('servocell_bus_utilisation{bus="rail"} 0.25');
  expect(await metrics()).toContain('servocell_bus_stop_wait_max_ms{bus="rail"} 4');
  expect(await metrics()).not.toContain('servocell_bus_utilisation{bus="gantry"}');
  const nowMs = performance.now();
  vi.spyOn(performance, "now").mockImplementation(() => nowMs + 16_000);
  expect(await metrics()).not.toContain('servocell_bus_utilisation{bus="');
});
