/**
 * `servocell check`: what a cell file means, in numbers, before anything is started.
 *
 * The idea: the effective values and what follows from them (poll plan, cycle of each bus, the
 * four ways in which each axis comes to a stand, the run-on of each interlock). Pure: it touches
 * no device, and it refuses to promise more than the profile knows.
 */
import { compileDevice } from "#drivers/compile.js";
import { canBeStopped } from "#drivers/no-stop.js";
import { linkText } from "#kernel/config/bus-link.js";
import type { CellConfig, DeviceConfig, InterlockConfig } from "#kernel/config/cell.js";
import { runOn, stopBoundOf } from "#kernel/config/cell-interlocks.js";
import { deviceUnits } from "#kernel/config/quantities.js";
import type { InputSpec, SagaDefinition } from "#kernel/config/saga.js";
import { forecastSaga } from "#kernel/config/saga-forecast.js";
import { heaviest } from "#kernel/config/wire-check.js";
import { type BusPlan, type PlannedRequest, planBus } from "#kernel/config/wire-plan.js";

export function checkCell(config: CellConfig): readonly string[] {
  const { broker, gateway } = config;
  const plans = config.buses.map((bus) => planBus(bus, config.devices));
  const where = broker.kind === "external" ? broker.url : `embedded, ${broker.host}:${broker.port}`;
  return [
    `${config.cell} (${config.prefix})${config.simulation === true ? ", simulated" : ""}`,
    `  broker    ${where}`,
    `  gateway   http://${gateway.host}:${gateway.port}/`,
    `  data      ${config.dataDir}`,
    `  sockets   ${config.runDir}`,
    `  beats     every ${config.beatMs} ms; a failing run stops the ${config.onRunFailure}`,
    ...plans.flatMap((plan) => busLines(config, plan)),
    ...config.devices.flatMap((device) => deviceLines(device)),
    ...config.interlocks.flatMap((interlock) => interlockLines(config, plans, interlock)),
    ...config.sagas.flatMap((saga) => sagaLines(config, saga)),
  ];
}

function busLines({ buses }: CellConfig, plan: BusPlan): readonly string[] {
  const bus = buses.find((one) => one.id === plan.bus);
  if (bus === undefined || plan.requests.length === 0) return [];
  const port = bus.pollPort === undefined ? "" : `, poll lane on 127.0.0.1:${bus.pollPort}`;
  const { line, assumed, cycleMs, use, stop } = plan;
  const dearest = heaviest(plan);
  const periods = plan.requests.filter(({ group }) => group === "fast");
  const periodMs = Math.min(...periods.map(({ everyMs }) => everyMs));
  const speed = line === undefined || !assumed ? "" : ` (reckoned at ${line.baud} baud)`;
  return [
    `bus ${bus.id}: ${linkText(bus.link)}, reply within ${bus.replyTimeoutMs} ms${port}`,
    `  cycle     ${cycleMs.toFixed(1)} ms predicted of ${periodMs} ms with all axes leased${speed}`,
    `  use       ${(use * 100).toFixed(0)} %${dearest === undefined ? "" : `; most: ${dearText(dearest)}`}`,
    `  stop      the last stop frame leaves within ${Math.ceil(stop.boundMs)} ms of the order`,
    `            ${stop.text}`,
  ];
}

/** `x, 2 words from 0x6041, 14.2 ms every 20 ms`. */
function dearText({ device, request, costMs, everyMs }: PlannedRequest): string {
  const from = `0x${request.address.toString(16).padStart(4, "0")}`;
  const what = request.fc <= 2 ? "bits" : "words";
  const cost = `${costMs.toFixed(1)} ms every ${everyMs} ms`;
  return `${device}, ${request.count} ${what} from ${from}, ${cost}`;
}

function deviceLines(device: DeviceConfig): readonly string[] {
  const { profile, setup } = device;
  const { axis } = setup;
  const model = compileDevice(profile, setup);
  const units = deviceUnits(axis);
  const plan = (group: "fast" | "slow", everyMs: number) => {
    const requests = group === "fast" ? model.pollFast : model.pollSlow;
    const words = requests.reduce((sum, request) => sum + request.count, 0);
    return `${requests.length} × ${words} words every ${everyMs} ms`;
  };
  const moving = plan("fast", device.pollFastMs);
  const lines = [
    `device ${device.id}: ${profile.id}, unit ${setup.unit} on ${device.bus}`,
    `  polls     ${moving} leased, ${device.pollIdleMs} ms idle; ${plan("slow", device.pollSlowMs)}`,
    `  breaker   ${device.breakerFailures} failures, probe after ${device.breakerResetMs} ms`,
  ];
  if (axis !== undefined) {
    const { travel } = axis;
    const range = travel === undefined ? "endless" : `${travel.min} … ${travel.max}`;
    const top = `${axis.velocityMax} ${units.velocity}, ${axis.accelerationMax} ${units.acceleration}`;
    lines.push(`  axis      ${range} ${units.position}, up to ${top}; when off it ${axis.whenOff}`);
  }
  return [
    ...lines,
    `  can       ${abilities(device)}`,
    ...waysToStand(device).map((line, i) => `  ${i === 0 ? "stands by " : "          "}${line}`),
  ];
}

/** What it may be asked, and what is refused for want of a watchdog [PROTOCOL 9]. */
function abilities({ profile, setup }: DeviceConfig): string {
  const { verbs } = compileDevice(profile, setup);
  const refused = Object.keys(profile.operations).filter(
    (verb) => ![...verbs].some((v) => v === verb),
  );
  const can = [...verbs].join(", ");
  return refused.length === 0
    ? can
    : `${can}; not ${refused.join(", ")}: no verified drive watchdog`;
}

/** The four independent ways, each as far as it is known. */
function waysToStand(device: DeviceConfig): readonly string[] {
  const { profile } = device;
  const { controlled, fast, disable } = profile.stops;
  const stays = device.setup.axis?.whenOff === "stays" ? disable : undefined;
  const blind = [controlled, fast, stays].some((one) => (one?.blind.length ?? 0) > 0);
  const first = controlled?.readFirst?.join(", ") ?? "its state";
  return [
    `operator's stop: ${operatorsStop(device)}`,
    `lease: ends ${device.leaseMs} ms after the last beat`,
    `guardian: ${blind ? "blind stop frames" : `none; the stop reads ${first} first`}`,
    `drive watchdog: ${watchdog(device)}`,
  ];
}

/** Without a ramp it says so, and whether moves are offered all the same. */
function operatorsStop({ profile, setup }: DeviceConfig): string {
  const classes = Object.keys(profile.stops).join(", ");
  if (canBeStopped(profile)) return classes;
  const { acceptNoStop: why } = setup;
  const moves = why === undefined ? "moves are refused without acceptNoStop" : `accepted: ${why}`;
  return `none on a ramp${classes === "" ? "" : `, only ${classes}`}; ${moves}`;
}

/** The fourth way: what the profile promises, and what the driver has yet to read [PROTOCOL 9]. */
function watchdog({ profile, setup }: DeviceConfig): string {
  const { acceptNoWatchdog, watchdog: wanted } = setup;
  const accepted = acceptNoWatchdog === undefined ? "" : `; accepted: ${acceptNoWatchdog}`;
  const model = compileDevice(profile, setup);
  const finding = model.judgeWatchdog?.(new Map());
  if (finding?.state === "verified") return `${finding.text} (${profile.watchdog.note})`;
  if (finding?.state === "fedByNeighbours") return `fed by neighbours: ${finding.text}${accepted}`;
  if (model.watchdog.kind === "settable") {
    const set = wanted === undefined ? "" : `, set to ${wanted.setMs} ms`;
    const points = model.watchdog.points.join(" and ");
    return `verified at start: ${points} read${set}; until then velocity is refused${accepted}`;
  }
  const { kind, note } = profile.watchdog;
  return `not verified (${kind}: ${note})${accepted}`;
}

function interlockLines(
  config: CellConfig,
  plans: readonly BusPlan[],
  interlock: InterlockConfig,
): readonly string[] {
  const evaluator = config.devices.find((device) => device.id === interlock.evaluator);
  const pollMs = evaluator?.pollFastMs ?? 0;
  const runs = interlock.moves.flatMap((id) => {
    const mover = config.devices.find((device) => device.id === id);
    const axis = mover?.setup.axis;
    if (axis === undefined) return [];
    const delays = { pollMs, stopBoundMs: stopBoundOf(plans, mover?.bus) };
    return [`${id} ${runOn(axis, delays).toFixed(0)} ${deviceUnits(axis).position}`];
  });
  return [
    `interlock ${interlock.name}: ${interlock.moves.join(", ")} only while ${interlock.require.text}`,
    `  read by ${interlock.evaluator}; runs on ${runs.join(", ")} of a margin of ${interlock.margin}`,
  ];
}

/** What a saga needs, what it can do without, and how long it takes at best. */
function sagaLines(config: CellConfig, saga: SagaDefinition): readonly string[] {
  const { name, version, steps, uses, spare = [], prepare, mode, onRestart } = saga;
  const devices = config.devices.map(({ id, profile, setup }) => {
    return { id, profile, axis: setup.axis };
  });
  const { total } = forecastSaga(saga, { devices, interlocks: config.interlocks });
  const inputs = Object.entries(saga.inputs ?? {}).map(([input, spec]) => inputText(input, spec));
  const start = mode === undefined ? "" : `, in mode ${mode}`;
  const again = onRestart === "resume" ? ", goes on after a restart" : "";
  return [
    `saga ${name} (${version}): ${steps.length} steps, uses ${uses.join(", ")}${start}${again}`,
    ...(spare.length === 0 ? [] : [`  has plans without ${spare.join(", ")}`]),
    ...(inputs.length === 0 ? [] : [`  inputs    ${inputs.join("; ")}`]),
    ...(prepare === undefined ? [] : [`  prepared by ${prepare}`]),
    ...(total.fromMs < 100 ? [] : [`  takes at least ${(total.fromMs / 1000).toFixed(1)} s`]),
  ];
}

/** `depth 20 … 60 mm (40)`. */
function inputText(name: string, spec: InputSpec): string {
  const { kind, unit, min, max, choices, default: fallback } = spec;
  const range = min === undefined && max === undefined ? "" : ` ${min ?? ""} … ${max ?? ""}`;
  const what =
    choices === undefined ? (kind === "number" ? range : ` ${kind}`) : ` ${choices.join(" | ")}`;
  const ends = fallback === undefined ? "needed" : String(fallback);
  return `${name}${what}${unit === undefined ? "" : ` ${unit}`} (${ends})`;
}
