/**
 * The commands that talk to a running cell: status, runs, what is asked of a run and of the cell.
 *
 * The idea: each asks the gateway, prints short lines, and gives back the exit code. It refuses to
 * reset what it has not shown.
 */
import type { RunRecord } from "#kernel/contract/payloads.js";
import type { AxisResource, DeviceResource } from "#kernel/contract/resources.js";
import type { Api, CellAct, RunAct } from "./client.js";
import { hasEnded, RunReport, seconds } from "./run-report.js";

type Say = (line: string) => void;

export async function status(api: Api, say: Say): Promise<number> {
  const [cell, axes, devices] = await Promise.all([api.cell(), api.axes(), api.devices()]);
  const reason = cell.reason.text === "" ? "" : `: ${cell.reason.text}`;
  say(`${cell.cell} (${cell.prefix}) is ${cell.state}${reason}`);
  say(`  allowed: ${cell.allowed.join(", ")}`);
  const away = cell.services.filter((one) => one.status !== "online");
  if (away.length > 0) {
    say(`  services: ${away.map((one) => `${one.service} ${one.status}`).join(", ")}`);
  }
  const rows = axes.map((axis) => [
    axis.axis,
    axis.state,
    axis.position === undefined ? "–" : `${axis.position.toFixed(2)} ${axis.unit}`,
    axis.velocity === undefined ? "–" : `${axis.velocity.toFixed(1)} ${axis.velocityUnit}`,
    facts(axis),
    link(devices.find((device) => device.device === axis.axis)),
  ]);
  for (const line of table(rows)) say(`  ${line}`);
  const { latched } = await api.stops();
  for (const stop of latched) {
    say(`  latched: ${stop.kind} ${stop.id} by ${stop.by.user}, ${time(stop.ts)}`);
  }
  const open = (await api.runs()).filter((run) => !hasEnded(run) || run.choices.length > 0);
  for (const run of open) say(`  ${runLine(run)}`);
  return 0;
}

function facts(axis: AxisResource): string {
  const words = [
    axis.q === "good" ? undefined : `${axis.q}${axis.staleBecause ? `: ${axis.staleBecause}` : ""}`,
    axis.homed === true ? "homed" : undefined,
    axis.moving === true ? "moving" : undefined,
    axis.gripped === true ? "gripped" : undefined,
    axis.fault === true ? `fault ${axis.faultCode ?? ""}`.trim() : undefined,
    axis.latched.length > 0 ? "latched" : undefined,
  ];
  return words.filter((word) => word !== undefined).join(", ");
}

function link(device: DeviceResource | undefined): string {
  if (device === undefined) return "";
  const breaker = device.breaker === "closed" ? "" : `, breaker ${device.breaker}`;
  const error = device.lastError === undefined ? "" : ` (${device.lastError})`;
  return device.link === "up" && breaker === "" ? "" : `link ${device.link}${breaker}${error}`;
}

function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

function time(ts: number): string {
  return new Date(ts).toLocaleTimeString("en-GB");
}

function runLine(run: RunRecord): string {
  const took = run.endedAt === undefined ? "" : `  ${seconds(run.endedAt - run.startedAt)}`;
  const cause = run.state === "completed" ? "" : `  ${run.cause.text}`;
  const choices = run.choices.length === 0 ? "" : `  (choose: ${run.choices.join(", ")})`;
  return `${run.run}  ${time(run.startedAt)}  ${run.saga}  ${run.state}${took}${cause}${choices}`;
}

export async function runs(api: Api, id: string | undefined, say: Say): Promise<number> {
  if (id === undefined) {
    const list = await api.runs();
    for (const one of list) say(runLine(one));
    if (list.length === 0) say("no runs yet");
    return 0;
  }
  const one = await api.run(id);
  say(runLine(one));
  for (const line of new RunReport().take(one)) say(line);
  return 0;
}

/** Asks for one thing of one run; the answer says that the coordinator has taken it. */
export async function act(
  api: Api,
  { run, action, body = {} }: { run: string; action: RunAct; body?: object },
  say: Say,
): Promise<number> {
  await api.actOnRun(run, action, body);
  say(`run ${run}: ${action} is asked for`);
  return 0;
}

/** Asks for one thing of the cell, and says what the cell is then. */
export async function actOnCell(
  api: Api,
  { action, body = {} }: { action: CellAct; body?: object },
  say: Say,
): Promise<number> {
  await api.actOnCell(action, body);
  const cell = await api.cell();
  const reason = cell.reason.text === "" ? "" : `: ${cell.reason.text}`;
  say(`${action} is asked for; the cell is ${cell.state} (${cell.mode})${reason}`);
  return 0;
}

/** Resets exactly the stops that it has shown, and leaves Aborted where that is possible. */
export async function reset(api: Api, say: Say): Promise<number> {
  const { latched } = await api.stops();
  for (const stop of latched) {
    say(`reset: ${stop.kind} ${stop.id} by ${stop.by.user}, ${time(stop.ts)}`);
  }
  if ((await api.cell()).allowed.includes("clear")) {
    await api.clear();
    say("cleared: the cell was Aborted");
  }
  await api.reset(latched.map((stop) => stop.id));
  say(`the cell is ${(await api.cell()).state}; nothing moves by a reset`);
  return 0;
}
