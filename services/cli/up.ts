/**
 * `servocell up`: the whole cell as processes, until it is told to end.
 *
 * The idea: check the file, plan the children, supervise them; with `--once` run one saga and go.
 * The first signal ends all in order, the second hurries. The supervisor's socket is opened before
 * anything is written: what a running cell has left for its services stays as it is. It refuses to
 * start anything on a faulty cell file, and a cell that is up already.
 */
import { chmodSync, readdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import type { CellConfig } from "#kernel/config/cell.js";
import { snapshotPath, writeSnapshot } from "#kernel/config/cell-snapshot.js";
import { createNewId } from "#kernel/edge/ids.js";
import { packageVersion } from "#kernel/edge/process.js";
import { makeDataDir, makeRunDir } from "#kernel/edge/run-dir-maker.js";
import { ServocellError, textOf } from "#kernel/errors.js";
import { simControlPath, supervisorPath } from "#kernel/run-dir.js";
import { buildSupervisor, type Supervisor } from "../supervisor/app.js";
import { childSpawner } from "../supervisor/child.js";
import { planCell } from "../supervisor/plan.js";
import { Api } from "./client.js";
import type { FaultOption } from "./fault-option.js";
import { gatewayBase, hostOf } from "./gateway-option.js";
import { runOnce, sagaFor } from "./once.js";
import { seconds } from "./run-report.js";
import { someLives } from "./running-cells.js";
import { setFault } from "./sim-control.js";
import { needsSimulatorCell, simulatorCell } from "./simulator-cell.js";
import { serveSupervisor } from "./supervisor-control.js";
import { packageRoot, type Terminal } from "./terminal.js";

export interface UpOptions {
  readonly simulated: boolean;
  readonly tap?: string;
  readonly faults: readonly FaultOption[];
  readonly once?: string;
  readonly reset: boolean;
  /** Children write their logs to this terminal. */
  readonly logs: boolean;
}

/**
 * The exit code.
 * @throws STATE_CONFLICT when the cell is up already.
 */
export async function up(
  config: CellConfig,
  options: UpOptions,
  terminal: Terminal,
): Promise<number> {
  refuseUnfit(config, options);
  makeRunDir(config.runDir);
  let supervisor: Supervisor | undefined;
  const control = await serveSupervisor(config, async (service, limitMs) => {
    return supervisor === undefined ? "the cell is starting" : supervisor.replace(service, limitMs);
  });
  try {
    makeDataDir(config.dataDir);
    supervisor = supervisorOf(config, options, terminal);
    return await keepUp(supervisor, config, { options, terminal });
  } finally {
    await leaveRunDir(config.runDir);
    // Last of all: until then the directory is this cell's, and another `up` is refused.
    await control.close();
  }
}

/**
 * Other users may then see that nobody is there, and are not kept from the wires of an ended cell.
 * The directory stays as it is where somebody still lives in it.
 */
async function leaveRunDir(runDir: string): Promise<void> {
  try {
    const others = readdirSync(runDir)
      .filter((name) => name.endsWith(".sock"))
      .map((name) => join(runDir, name))
      .filter((path) => path !== supervisorPath(runDir));
    if ((await someLives(others)) !== "no") return;
    rmSync(snapshotPath(runDir), { force: true });
    chmodSync(runDir, 0o711);
  } catch {
    // In doubt the cell runs.
  }
}

async function keepUp(
  supervisor: Supervisor,
  config: CellConfig,
  { options, terminal }: { readonly options: UpOptions; readonly terminal: Terminal },
): Promise<number> {
  const ending = endOnSignals(supervisor, terminal);
  const startedMs = performance.now();
  try {
    await supervisor.start();
    if (ending.asked()) return await ending.code(0);
    const page = `http://${hostOf(config.gateway.host)}:${config.gateway.port}/`;
    terminal.say(`${config.cell} is up after ${seconds(performance.now() - startedMs)}: ${page}`);
    for (const fault of options.faults.filter((one) => one.step === undefined)) {
      await setFault(simControlPath(config.runDir), fault);
      terminal.say(`! fault: ${fault.device}=${fault.fault}`);
    }
    if (options.once === undefined) return await ending.code(0);
    return await once(config, options.once, { options, terminal, ending });
  } catch (thrown) {
    if (ending.asked()) return await ending.code(1);
    terminal.fail(thrown);
    return 1;
  } finally {
    await supervisor.stop("the command ends");
  }
}

async function once(
  config: CellConfig,
  saga: string,
  {
    options,
    terminal,
    ending,
  }: {
    readonly options: UpOptions;
    readonly terminal: Terminal;
    readonly ending: Ending;
  },
): Promise<number> {
  const api = new Api(gatewayBase(config.gateway), createNewId());
  const run = runOnce(api, config, {
    saga,
    faults: options.faults,
    reset: options.reset,
    setFault: (fault) => setFault(simControlPath(config.runDir), fault),
    say: (line) => terminal.say(line),
  });
  // A signal ends the wait; what the run then says no longer counts.
  run.catch(() => {});
  return Promise.race([run, ending.code(1)]);
}

function refuseUnfit(config: CellConfig, options: UpOptions): void {
  const simulatedOnly = options.faults.length > 0 || options.tap !== undefined;
  if (simulatedOnly && config.simulation !== true) {
    const text = "Faults and the tap are the simulator's; this cell has real devices.";
    throw new ServocellError("VALIDATION_FAILED", `${text} Try --simulated.`);
  }
  if (options.once !== undefined) {
    sagaFor(config, { saga: options.once, faults: options.faults });
  } else if (options.faults.some((fault) => fault.step !== undefined)) {
    const text = "A fault at a step needs the saga whose step it is: give --once as well.";
    throw new ServocellError("VALIDATION_FAILED", text);
  }
}

function supervisorOf(config: CellConfig, options: UpOptions, terminal: Terminal): Supervisor {
  const logDir = join(config.dataDir, "log");
  const snapshot = snapshotPath(config.runDir);
  writeSnapshot(snapshot, packageVersion(), config);
  const children = planCell(config, {
    simulated: options.simulated,
    snapshot,
    ...(needsSimulatorCell(config, options.simulated)
      ? { simulatorCell: simulatorCell(config) }
      : {}),
    ...(options.tap === undefined ? {} : { tap: resolve(options.tap) }),
  });
  const warn = (text: string) => terminal.warn(text);
  const spawn = childSpawner({ root: packageRoot, warn, ...(options.logs ? {} : { logDir }) });
  const supervisor = buildSupervisor({ spawn, log: terminal.log }, { children });
  supervisor.onChange((service, at, last) => {
    if (at === "waiting") terminal.warn(`${service} ended (${last?.text}); it is started again.`);
  });
  return supervisor;
}

interface Ending {
  asked(): boolean;
  /** The code with which to leave, once the end that a signal asked for is there. */
  code(code: number): Promise<number>;
}

function endOnSignals(supervisor: Supervisor, terminal: Terminal): Ending {
  let count = 0;
  let told: (() => void) | undefined;
  const ended = new Promise<void>((done) => {
    told = done;
  });
  const end = (signal: string) => {
    count += 1;
    if (count > 1) {
      supervisor.hurry();
      return;
    }
    terminal.say(`${signal}: the axes are stopped, then the services end`);
    supervisor.stop(signal).then(told, (thrown: unknown) => {
      terminal.warn(textOf(thrown));
      told?.();
    });
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => end(signal));
  return {
    asked: () => count > 0,
    code: async (code) => {
      await ended;
      return code;
    },
  };
}
