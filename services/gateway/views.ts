/**
 * Resources out of the mirror: what is known, joined with what the cell file says.
 *
 * The idea: pure functions from mirror and config to the shapes of contract/resources.ts; a value
 * that no longer counts is shown with its age and its reason, and cell state and the allowed
 * commands are withheld altogether (PROTOCOL 15). It refuses to send anything.
 */
import type { CellConfig, DeviceConfig, SagaDefinition } from "#kernel/config/cell.js";
import { takesCommands } from "#kernel/config/takes-commands.js";
import type { RunRecord } from "#kernel/contract/payloads.js";
import type {
  AxisResource,
  CellResource,
  DeviceResource,
  RunsResource,
  SagaResource,
  StopsResource,
} from "#kernel/contract/resources.js";
import type { Mirror } from "./mirror.js";

/** Every device that takes commands is an axis; its id is the device's id. */
export function axisIds(config: CellConfig): readonly string[] {
  return config.devices.filter(takesCommands).map((d) => d.id);
}

export function cellView(mirror: Mirror, config: CellConfig): CellResource {
  const kept = mirror.cell;
  const fresh = mirror.freshness("coordinator", kept?.bootId);
  const counts = fresh.ok && kept !== undefined;
  const services = [...mirror.avail.entries()].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    cell: config.cell,
    prefix: config.prefix,
    state: counts ? kept.value.state : "unknown",
    mode: counts ? kept.value.mode : "unknown",
    ...(counts ? { since: kept.value.since } : {}),
    ...(counts && kept.value.packml !== undefined ? { packml: kept.value.packml } : {}),
    excluded: counts ? (kept.value.excluded ?? []) : [],
    reason: counts
      ? kept.value.reason
      : { code: "STALE", text: fresh.ok ? "nothing has been said yet" : fresh.because },
    allowed: counts ? kept.value.allowed : [],
    broker: mirror.connected,
    ...(mirror.info === undefined ? {} : { simulated: mirror.info.simulated }),
    services: services.map(([service, avail]) => ({
      service,
      status: serviceStatus(mirror, service),
      version: avail.version,
    })),
  };
}

function serviceStatus(mirror: Mirror, service: string) {
  const avail = mirror.avail.get(service);
  if (avail === undefined) return "unknown";
  if (avail.status === "offline") return mirror.connected ? "offline" : "unknown";
  return mirror.freshness(service, avail.bootId).ok ? avail.status : "unknown";
}

function setupOf(device: DeviceConfig, mirror: Mirror) {
  const meta = mirror.metas.get(device.id);
  const axis = device.setup.axis;
  const unit = axis?.unit ?? meta?.positionUnit ?? "";
  const travel = axis?.travel ?? meta?.travel;
  const velocityMax = axis?.velocityMax ?? meta?.velocityMax;
  return {
    kind: device.profile.kind,
    unit: meta?.positionUnit ?? unit,
    velocityUnit: meta?.velocityUnit ?? (/^(percent)?$/.test(unit) ? unit : `${unit}/s`),
    ...(travel === undefined ? {} : { travel: { min: travel.min, max: travel.max } }),
    ...(velocityMax === undefined ? {} : { velocityMax }),
    ...(meta?.verbs.includes("jog") === true ? { jog: true } : {}),
  };
}

export function axisView(mirror: Mirror, config: CellConfig, device: DeviceConfig): AxisResource {
  const kept = mirror.axes.get(device.id);
  const fresh = mirror.freshness(`driver-${device.id}`, kept?.bootId);
  const base = { axis: device.id, ...setupOf(device, mirror) };
  if (kept === undefined) {
    return {
      ...base,
      state: "unknown",
      q: "bad",
      staleBecause: fresh.ok ? "nothing has been said yet" : fresh.because,
      latched: [],
      reasons: {},
    };
  }
  const { v: _v, seq: _seq, bootId: _boot, q, state, ...said } = kept.value;
  const newest = mirror.telemetry.get(device.id);
  const live = fresh.ok && newest !== undefined && newest.ts >= said.ts ? newest : undefined;
  const target = fresh.ok ? targetOf(mirror, config, device.id) : undefined;
  return {
    ...base,
    ...said,
    ...(live === undefined ? {} : { ts: live.ts }),
    ...(live?.position === undefined ? {} : { position: live.position }),
    ...(live?.velocity === undefined ? {} : { velocity: live.velocity }),
    ...(target === undefined ? {} : { target }),
    state: fresh.ok ? state : "unknown",
    q: fresh.ok ? q : "stale",
    ...(fresh.ok ? {} : { staleBecause: fresh.because }),
  };
}

/** Where the running step of a live run sends an axis, from the saga's text. */
function targetOf(mirror: Mirror, config: CellConfig, axis: string): number | undefined {
  for (const run of mirror.runs?.value.runs ?? []) {
    if (run.state !== "running") continue;
    const saga = config.sagas.find((s) => s.name === run.saga && s.version === run.version);
    // Branches move several axes at once.
    for (const running of run.steps.filter(({ status }) => status === "running")) {
      const step = saga?.steps.find((s) => s.name === running.name);
      if (step?.action.kind !== "operation") continue;
      const { device, verb, args } = step.action.operation;
      if (device === axis && verb === "moveTo") return args.position;
    }
  }
  return undefined;
}

export function deviceView(mirror: Mirror, device: DeviceConfig): DeviceResource {
  const kept = mirror.devices.get(device.id);
  const meta = mirror.metas.get(device.id);
  const fresh = mirror.freshness(`driver-${device.id}`, kept?.bootId);
  const said = kept?.value;
  return {
    device: device.id,
    profile: device.profile.id,
    kind: device.profile.kind,
    bus: device.bus,
    unit: device.setup.unit,
    link: fresh.ok ? (said?.link ?? "unknown") : "unknown",
    breaker: fresh.ok ? (said?.breaker ?? "unknown") : "unknown",
    identity: said?.identity ?? "unknown",
    q: said === undefined ? "bad" : fresh.ok ? "good" : "stale",
    ...(fresh.ok ? {} : { staleBecause: fresh.because }),
    ...(said?.lastSeen === undefined ? {} : { lastSeen: said.lastSeen }),
    ...(said?.lastError === undefined ? {} : { lastError: said.lastError }),
    ...(said === undefined ? {} : { pollPeriodMs: said.pollPeriodMs }),
    leaseMs: device.leaseMs,
    driver: serviceStatus(mirror, `driver-${device.id}`),
    verbs: meta?.verbs ?? [],
    ...(meta === undefined ? {} : { waysToStop: meta.waysToStop }),
  };
}

export function sagaViews(config: CellConfig): SagaResource[] {
  return config.sagas.map((saga) => ({
    name: saga.name,
    title: saga.title,
    version: saga.version,
    uses: [...saga.uses],
    ...(saga.prepare === undefined ? {} : { prepare: saga.prepare }),
    mode: saga.mode ?? "Production",
    ...(saga.priority === undefined ? {} : { priority: saga.priority }),
    ...(saga.inputs === undefined ? {} : { inputs: inputsView(saga.inputs) }),
    steps: saga.steps.map(({ name, text, parent }) => {
      return { name, text, ...(parent === undefined ? {} : { parent }) };
    }),
  }));
}

function inputsView(
  inputs: NonNullable<SagaDefinition["inputs"]>,
): NonNullable<SagaResource["inputs"]> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, { choices, ...spec }]) => {
      return [name, { ...spec, ...(choices === undefined ? {} : { choices: [...choices] }) }];
    }),
  );
}

export function runsView(mirror: Mirror): RunsResource {
  const fresh = mirror.freshness("coordinator", mirror.runs?.bootId);
  const q = mirror.runs === undefined ? "bad" : fresh.ok ? "good" : "stale";
  return { q, runs: [...(mirror.runs?.value.runs ?? [])] };
}

export function runOf(mirror: Mirror, run: string): RunRecord | undefined {
  return mirror.runs?.value.runs.find((record) => record.run === run);
}

export function stopsView(mirror: Mirror, orders: StopsResource["orders"]): StopsResource {
  const fresh = mirror.freshness("coordinator", mirror.stops?.bootId);
  return {
    q: mirror.stops === undefined ? "bad" : fresh.ok ? "good" : "stale",
    latched: (mirror.stops?.value.stops ?? []).map((stop) => {
      // Only who gave the order knows who asked for it, where the coordinator did not hear it.
      const own = orders.find((order) => order.id === stop.id);
      return own === undefined ? stop : { ...stop, kind: own.kind, by: own.by };
    }),
    orders,
  };
}
