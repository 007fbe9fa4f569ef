/**
 * Which bus processes a cell gets: one per serial line, one for all TCP endpoints.
 * The idea: plans of small cells, looked at by service and arguments. It refuses to start any.
 */
import { expect, test } from "vitest";
import type { BusConfig, BusLink, CellConfig } from "#kernel/config/cell.js";
import { planCell } from "../../../services/supervisor/plan.js";

const tcp: BusLink = { kind: "tcp", host: "127.0.0.1", port: 1502 };
const rtu: BusLink = { kind: "rtuOverTcp", host: "127.0.0.1", port: 1503 };
const line = (path: string): BusLink => {
  return { kind: "serial", path, baud: 19200, format: "8E1", echo: false };
};

function cell(links: { readonly [bus: string]: BusLink }): CellConfig {
  const buses = Object.entries(links).map(([id, link]): BusConfig => {
    return { id, link, units: [], replyTimeoutMs: 200 };
  });
  return {
    file: "/cells/cell.yaml",
    cell: "demo",
    prefix: "plant",
    hash: "",
    broker: { kind: "external", url: "mqtt://127.0.0.1:1883" },
    gateway: { host: "127.0.0.1", port: 8080 },
    dataDir: "/data",
    runDir: "/run",
    beatMs: 100,
    onRunFailure: "cell",
    buses,
    devices: [],
    interlocks: [],
    sagas: [],
  };
}

const busesOf = (config: CellConfig) =>
  planCell(config).flatMap(({ service, script, args }) =>
    script.includes("/bus/") ? [[service, ...args.slice(4)].join(" ")] : [],
  );

test.each<[string, { readonly [bus: string]: BusLink }, readonly string[]]>([
  ["endpoints only, RTU over TCP among them", { a: tcp, b: rtu }, ["bus"]],
  ["one line only", { rail: line("/dev/ttyUSB0") }, ["bus-rail --bus rail"]],
  [
    "two lines and an endpoint",
    { rail: line("/dev/ttyUSB0"), gw: tcp, lift: line("/dev/ttyUSB1") },
    ["bus", "bus-rail --bus rail", "bus-lift --bus lift"],
  ],
])("plan: bus processes of a cell with %s", (_, links, wanted) => {
  expect(busesOf(cell(links))).toEqual(wanted);
});

test("plan: every bus process outlives the drivers, which stop their axes through it", () => {
  const plan = planCell(cell({ rail: line("/dev/ttyUSB0"), gw: tcp }));
  const ranks = plan.filter(({ script }) => script.includes("/bus/")).map((one) => one.endRank);
  const coordinator = plan.find(({ service }) => service === "coordinator");
  expect(ranks).toEqual([3, 3]);
  expect(coordinator?.endRank).toBe(1);
});

test("plan: what motion waits for goes before the gateway, and both before other programs", () => {
  const plan = planCell({
    ...cell({ gw: tcp }),
    broker: { kind: "embedded", host: "::1", port: 1 },
  });
  const of = (service: string) => plan.find((one) => one.service === service)?.priority;
  expect(["broker", "bus", "coordinator"].map(of)).toEqual([-10, -10, -10]);
  expect(of("gateway")).toBe(-5);
});
