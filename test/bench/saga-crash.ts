/**
 * What a crash of the coordinator costs, and a step on the wire, on real processes.
 *
 * The idea: the demo cell with its simulated devices tells what reaches an axis, by the tap; the
 * coordinator alone with a real broker and scripted drivers tells what it orders and when. It
 * refuses to end a process that it did not start.
 */
import { openMqttLink } from "#kernel/edge/mqtt-link.js";
import {
  CellProcess,
  isWrite,
  makeCellFolder,
  monotonicMs,
  sleep,
  type TapLine,
  until,
} from "../fixtures/cell-process.js";
import { CoordinatorProcess } from "../fixtures/coordinator/coordinator-process.js";
import { stopFrame } from "../fixtures/stop-frames.js";
import { quiet } from "./saga-desk.js";
import { fill } from "./saga-history.js";

/** From its death to the stop at the last axis that moved; from a verdict to the next frame. */
export interface WireTimes {
  readonly crashToStop: readonly number[];
  readonly wire: readonly number[];
}

export async function benchWire(crashes: number): Promise<WireTimes> {
  const folder = await makeCellFolder();
  const cell = new CellProcess(folder);
  const wire: number[] = [];
  const crashToStop: number[] = [];
  try {
    await cell.ready();
    const listener = new WireListener(folder.brokerPort);
    await listener.ready();
    await cell.run("home-cell");
    for (let i = 0; i < crashes; i += 1) await cell.run("pick-place");
    await sleep(200);
    wire.push(...listener.times(cell.tap()));
    await listener.close();
    for (let i = 0; i < crashes; i += 1) crashToStop.push(await crash(cell));
    return { crashToStop, wire };
  } finally {
    await cell.close();
  }
}

async function crash(cell: CellProcess): Promise<number> {
  const fromMs = monotonicMs();
  const { run } = (await cell.post("/runs", { saga: "pick-place" })).body as { run: string };
  const moving = () =>
    cell.tap().findLast((l) => l.device === "x" && l.kind === "motion" && l.tMs > fromMs)?.moving;
  await until("x moves", () => moving() === true);
  const killedMs = cell.kill("SIGKILL", "coordinator/main.js");
  await until("x stands still", () => moving() === false);
  const first = cell.tap().find((line) => isStop(line, "x") && line.tMs > killedMs);
  await cell.ended(run);
  await cell.ready();
  const allowed = async () => {
    const state = await cell.get<{ state: string; allowed: string[] }>("/cell");
    if (state?.allowed.includes("clear")) await cell.post("/clear");
    if (state?.allowed.includes("reset")) await cell.post("/reset", { stops: [] });
    return state?.allowed.includes("start");
  };
  await until("the cell may start again", allowed);
  return (first?.tMs ?? Number.NaN) - killedMs;
}

function isStop(line: TapLine, device: string): boolean {
  return line.device === device && isWrite(line) && stopFrame(device, line.pdu ?? "") === true;
}

/** Hears verdicts and commands as the coordinator does, and looks their frames up in the tap. */
class WireListener {
  readonly #link: ReturnType<typeof openMqttLink>;
  readonly #verdicts: number[] = [];
  readonly #commands: { readonly atMs: number; readonly device: string }[] = [];

  constructor(port: number) {
    const url = `mqtt://127.0.0.1:${port}`;
    this.#link = openMqttLink({
      url,
      clientId: "bench",
      prefix: "demo/lab/cell/pick-and-place",
      log: quiet,
    });
    this.#link.subscribe("response", { client: "coordinator" }, ({ payload }) => {
      if (payload.verdict !== undefined) this.#verdicts.push(monotonicMs());
    });
    this.#link.subscribe("axisCommand", {}, ({ levels, payload }) => {
      const isMotion = !["lease", "release-lease", "query", "reset"].includes(levels.verb);
      if (isMotion && payload.replyTo === "coordinator") {
        this.#commands.push({ atMs: monotonicMs(), device: levels.axis });
      }
    });
  }

  async ready(): Promise<void> {
    await until("the bench is connected", () => this.#link.connected);
  }

  times(tap: readonly TapLine[]): number[] {
    const times: number[] = [];
    for (const { atMs, device } of this.#commands) {
      const verdictMs = this.#verdicts.findLast((at) => at < atMs);
      const frame = tap.find((line) => line.device === device && isWrite(line) && line.tMs >= atMs);
      // A dwell lies between, or it is the first of its run.
      if (verdictMs === undefined || frame === undefined || atMs - verdictMs > 50) continue;
      times.push(frame.tMs - verdictMs);
    }
    return times;
  }

  close(): Promise<void> {
    return this.#link.close();
  }
}

export interface RespawnTimes {
  /** From the start of a process to its stop at the last driver; its claim stands before that. */
  readonly respawnToFenced: number;
  /** From the last standstill to the first command of makeSafe at its driver. */
  readonly standstillToMakeSafe: readonly number[];
}

/** A coordinator with a long journal is killed with an axis under way, and started again. */
export async function benchRespawn(events: number, failures: number): Promise<RespawnTimes> {
  const cell = await CoordinatorProcess.open(1);
  try {
    fill(cell.database, events);
    cell.driver("x").scripts.set("moveTo#1", "hang");
    cell.spawn();
    await cell.ask("start", { saga: "job", run: "run-1" });
    await until("x was commanded", () => cell.driver("x").triggers.length > 0);
    cell.kill();
    await cell.died();
    await sleep(100);
    const axes = [...cell.drivers.values()];
    const stops = axes.map((driver) => driver.stops.length);
    const commands = cell.triggers.length;
    const fromMs = performance.now();
    cell.spawn();
    await until("the run was made safe", () => cell.triggers.length > commands, 20_000);
    const stopMs = Math.max(...axes.map((one, i) => one.stops[stops[i] ?? 0]?.at ?? Number.NaN));
    await cell.ends("run-1");
    const standstillToMakeSafe: number[] = [];
    for (let i = 0; i < failures; i += 1) standstillToMakeSafe.push(await fail(cell, `fails-${i}`));
    return { respawnToFenced: stopMs - fromMs, standstillToMakeSafe };
  } finally {
    await cell.close();
  }
}

/** A run whose first move of x fails: from the standstill of all to the first makeSafe. */
async function fail(cell: CoordinatorProcess, run: string): Promise<number> {
  await cell.ask("reset", { stops: [] }, 3000, "cellCommand");
  const verdict = { verdict: "faulted", code: "DRIVE_FAULT", text: "overload" } as const;
  cell.driver("x").scriptNext("moveTo", { afterMs: 30, verdict });
  await cell.ask("start", { saga: "job", run });
  await cell.ends(run);
  const stillMs = Math.max(...[...cell.drivers.values()].map((driver) => driver.confirmedMs));
  return (cell.triggers.find(({ at }) => at > stillMs)?.at ?? Number.NaN) - stillMs;
}
