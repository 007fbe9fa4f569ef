/**
 * `servocell check`: what a cell file means, in numbers, before anything is started.
 *
 * The idea: the effective values and what follows from them (poll plan, cycle of each bus, the
 * four ways in which each axis comes to a stand, the run-on of each interlock). Pure: it touches
 * no device, and it refuses to promise more than the profile knows.
 */
import { compileDevice } from "#drivers/compile.js";
import type { Profile } from "#drivers/profile.js";
import { planReads, pollGroup } from "#drivers/read-plan.js";
import { linkText } from "#kernel/config/bus-link.js";
import type { CellConfig, DeviceConfig, InterlockConfig } from "#kernel/config/cell.js";
import { runOn, stopBoundMs } from "#kernel/config/cell-interlocks.js";
import { deviceUnits } from "#kernel/config/quantities.js";

/** What an exchange over TCP is taken to last beside the device's own time. */
const exchangeMs = 2;

export function checkCell(config: CellConfig): readonly string[] {
  const { broker, gateway } = config;
  const where = broker.kind === "external" ? broker.url : `embedded, ${broker.host}:${broker.port}`;
  return [
    `${config.cell} (${config.prefix})${config.simulation === true ? ", simulated" : ""}`,
    `  broker    ${where}`,
    `  gateway   http://${gateway.host}:${gateway.port}/`,
    `  data      ${config.dataDir}`,
    `  sockets   ${config.runDir}`,
    `  beats     every ${config.beatMs} ms; a failing run stops the ${config.onRunFailure}`,
    ...config.buses.flatMap((bus) => busLines(config, bus.id)),
    ...config.devices.flatMap((device) => deviceLines(device)),
    ...config.interlocks.flatMap((interlock) => interlockLines(config, interlock)),
    ...config.sagas.flatMap((saga) => [
      `saga ${saga.name} (${saga.version}): ${saga.steps.length} steps, uses ${saga.uses.join(", ")}`,
      ...(saga.prepare === undefined ? [] : [`  prepared by ${saga.prepare}`]),
    ]),
  ];
}

function busLines(config: CellConfig, id: string): readonly string[] {
  const bus = config.buses.find((one) => one.id === id);
  const devices = config.devices.filter((device) => device.bus === id);
  if (bus === undefined || devices.length === 0) return [];
  const cycleMs = devices.reduce((sum, { profile }) => sum + groupMs(profile, "fast"), 0);
  const periodMs = Math.min(...devices.map((device) => device.pollFastMs));
  const port = bus.pollPort === undefined ? "" : `, poll lane on 127.0.0.1:${bus.pollPort}`;
  const late = cycleMs > periodMs ? "  TOO MUCH: polls will come late" : "";
  return [
    `bus ${id}: ${linkText(bus.link)}, reply within ${bus.replyTimeoutMs} ms${port}`,
    `  cycle     ${cycleMs} ms predicted of ${periodMs} ms with all axes leased${late}`,
    `  stop      the last stop frame leaves within ${stopBoundMs} ms of the order`,
  ];
}

/** Requests of a poll group, each with the device's own time. */
function groupMs(profile: Profile, group: "fast" | "slow"): number {
  const requests = planReads(profile, pollGroup(profile, group)).length;
  return requests * (exchangeMs + (profile.transport.timing.replyMs ?? 0));
}

function deviceLines(device: DeviceConfig): readonly string[] {
  const { profile, setup } = device;
  const { axis } = setup;
  const units = deviceUnits(axis);
  const plan = (group: "fast" | "slow", everyMs: number) => {
    const requests = planReads(profile, pollGroup(profile, group));
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
  const { controlled, fast } = profile.stops;
  const classes = Object.keys(profile.stops).join(", ");
  const blind = (controlled?.blind.length ?? 0) + (fast?.blind.length ?? 0) > 0;
  const first = controlled?.readFirst?.join(", ") ?? "its state";
  return [
    `operator's stop: ${classes}`,
    `lease: ends ${device.leaseMs} ms after the last beat`,
    `guardian: ${blind ? "blind stop frames" : `none; the stop reads ${first} first`}`,
    `drive watchdog: ${watchdog(device)}`,
  ];
}

function watchdog(device: DeviceConfig): string {
  const { kind, timeoutMs, note } = device.profile.watchdog;
  const accepted = device.setup.acceptNoWatchdog;
  const reason = accepted === undefined ? "" : `; accepted: ${accepted}`;
  if (kind === "fixed") return `after ${timeoutMs ?? "?"} ms (${note})`;
  return `not verified (${kind}: ${note})${reason}`;
}

function interlockLines(config: CellConfig, interlock: InterlockConfig): readonly string[] {
  const evaluator = config.devices.find((device) => device.id === interlock.evaluator);
  const pollMs = evaluator?.pollFastMs ?? 0;
  const runs = interlock.moves.flatMap((id) => {
    const axis = config.devices.find((device) => device.id === id)?.setup.axis;
    if (axis === undefined) return [];
    return [`${id} ${runOn(axis, pollMs).toFixed(0)} ${deviceUnits(axis).position}`];
  });
  return [
    `interlock ${interlock.name}: ${interlock.moves.join(", ")} only while ${interlock.require.text}`,
    `  read by ${interlock.evaluator}; runs on ${runs.join(", ")} of a margin of ${interlock.margin}`,
  ];
}
