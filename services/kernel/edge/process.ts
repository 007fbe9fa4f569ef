/**
 * What every `main.ts` shares: arguments, the cell file, signals, the supervisor's pipe, exit.
 *
 * The idea: a main says its name and how its app is built from this context; the rest is the
 * same for all. A broken assumption ends the process at once: leases lapse and the guardian
 * acts. It refuses to start on a faulty cell file, and names every problem.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Problem } from "#drivers/device-model.js";
import type { CellConfig } from "../config/cell.js";
import { readSnapshot, snapshotVariable } from "../config/cell-snapshot.js";
import { codeOf, errors, ServocellError, textOf } from "../errors.js";
import type { App, Boot, NewId } from "../ports.js";
import { exitCodes, ServiceLife } from "../service.js";
import { createNewId } from "./ids.js";
import { type LogLevel, logLevels, openLog, type ProcessLog } from "./log.js";
import { makeDataDir, makeRunDir } from "./run-dir-maker.js";

export interface ServiceArgs {
  readonly cell: string;
  readonly data?: string;
  /** The driver service: its device, or several with commas between them. */
  readonly device?: string;
  /** The bus service: the line that it owns; absent: all TCP endpoints. */
  readonly bus?: string;
  readonly simulated: boolean;
  readonly level: LogLevel;
}

export interface ServiceContext {
  readonly config: CellConfig;
  readonly args: ServiceArgs;
  readonly boot: Boot;
  readonly newId: NewId;
  readonly log: ProcessLog;
  /** Something without which the service is none has ended: it ends too, to be started anew. */
  readonly fail: (thrown: unknown) => void;
}

export interface ServiceSpec {
  /** The avail service id, or how it follows from the arguments: `driver-x`. */
  readonly service: string | ((args: ServiceArgs) => string);
  /** `process.env` of the main. */
  readonly env: { readonly [name: string]: string | undefined };
  /** @default the arguments of the process */
  readonly argv?: readonly string[];
  /** Opens the ports and builds the app. What it throws is told in its own words. */
  build(context: ServiceContext): Promise<App> | App;
}

/** Pause between two looks whether the other instance has gone. */
const standbyMs = 100;

const usage =
  "usage: --cell FILE [--data DIR] [--device ID[,ID…] | --bus ID] [--simulated] [--log debug|info|warn|error]";

/** The version of the package this file belongs to. */
export function packageVersion(): string {
  let dir = dirname(fileURLToPath(import.meta.url));
  // At most from dist/services/kernel/edge up to the package, with room to spare.
  for (let i = 0; i < 8; i++, dir = dirname(dir)) {
    const file = join(dir, "package.json");
    if (!existsSync(file)) continue;
    const { version } = JSON.parse(readFileSync(file, "utf8")) as { version?: unknown };
    if (typeof version === "string") return version;
  }
  return "0.0.0";
}

/** @throws VALIDATION_FAILED with the usage. */
export function readServiceArgs(argv: readonly string[]): ServiceArgs {
  const faulty = (text: string) => new ServocellError("VALIDATION_FAILED", `${text}\n${usage}`);
  let values: {
    cell?: string;
    data?: string;
    device?: string;
    bus?: string;
    simulated?: boolean;
    log?: string;
  };
  try {
    values = parseArgs({
      args: [...argv],
      options: {
        cell: { type: "string" },
        data: { type: "string" },
        device: { type: "string" },
        bus: { type: "string" },
        simulated: { type: "boolean" },
        log: { type: "string" },
      },
    }).values;
  } catch (thrown) {
    throw faulty(textOf(thrown));
  }
  const { cell, data, device, bus, simulated, log } = values;
  if (cell === undefined) throw faulty("--cell is missing.");
  const level = log === undefined ? "info" : logLevels.find((one) => one === log);
  if (level === undefined) throw faulty(`--log ${log} is no level.`);
  return {
    cell,
    level,
    simulated: simulated ?? false,
    ...(data === undefined ? {} : { data }),
    ...(device === undefined ? {} : { device }),
    ...(bus === undefined ? {} : { bus }),
  };
}

function tell(text: string): void {
  process.stderr.write(`${text}\n`);
}

function problemText(problem: Problem): string {
  const { file, line, column, severity, path, message, value, suggestion } = problem;
  const given = value === undefined ? "" : ` (found: ${value})`;
  const hint = suggestion === undefined ? "" : ` Did you mean ${suggestion}?`;
  return `${file}:${line}:${column}: ${severity}: ${path}: ${message}${given}${hint}`;
}

/** What the supervisor has read already, else the cell file itself. */
async function readConfig(
  args: ServiceArgs,
  env: ServiceSpec["env"],
): Promise<CellConfig | undefined> {
  const snapshot = env[snapshotVariable];
  const shared = snapshot === undefined ? undefined : readSnapshot(snapshot, packageVersion());
  if (shared !== undefined) return shared;
  // Loaded only here: the YAML reader and all profiles are a third of a small driver.
  const { loadCell } = await import("../config/cell-file.js");
  const { readSagaModule } = await import("./saga-module-reader.js");
  const options = {
    ...(args.data === undefined ? {} : { dataDir: args.data }),
    ...(env.SERVOCELL_RUN_DIR ? { runDir: env.SERVOCELL_RUN_DIR } : {}),
    ...(args.simulated ? { simulated: true } : {}),
  };
  const checked = loadCell(args.cell, options, readSagaModule);
  if (checked.ok) return checked.value;
  for (const problem of checked.problems) tell(problemText(problem));
  return undefined;
}

async function openContext(
  spec: ServiceSpec,
  fail: ServiceContext["fail"],
): Promise<ServiceContext> {
  const args = readServiceArgs(spec.argv ?? process.argv.slice(2));
  const service = typeof spec.service === "string" ? spec.service : spec.service(args);
  const config = await readConfig(args, spec.env);
  if (config === undefined) {
    throw new ServocellError("VALIDATION_FAILED", `${args.cell} cannot be used.`);
  }
  makeRunDir(config.runDir);
  makeDataDir(config.dataDir);
  const newId = createNewId();
  const boot: Boot = { bootId: newId(), service, version: packageVersion() };
  const log = openLog({ service, level: args.level });
  return { config, args, boot, newId, log, fail };
}

function endOnBrokenAssumptions(log: ProcessLog): void {
  const broken = (kind: string) => (thrown: unknown) => {
    const stack = thrown instanceof Error ? thrown.stack : undefined;
    const code = codeOf(thrown);
    const isOurs = code === "INTERNAL";
    const more = isOurs ? { stack } : { code, action: errors[code].action };
    const why = isOurs ? "A broken assumption ends the process." : "The process cannot go on.";
    log.error({ kind, error: textOf(thrown), ...more }, why);
    log.flush();
    process.exit(exitCodes.broken);
  };
  process.on("uncaughtException", broken("exception"));
  process.on("unhandledRejection", broken("rejection"));
}

function endOnSignals(life: ServiceLife, supervised: boolean): void {
  process.on("SIGTERM", () => void life.end("SIGTERM"));
  process.on("SIGINT", () => void life.end("SIGINT"));
  // A terminal that closes ends the service in order, too.
  process.on("SIGHUP", () => void life.end("SIGHUP"));
  process.on("SIGUSR2", () => life.standAside());
  if (!supervised) return;
  const gone = () => void life.end("supervisor gone");
  process.stdin.once("end", gone);
  process.stdin.once("close", gone);
  process.stdin.once("error", gone);
  process.stdin.resume();
}

/**
 * Builds the app, or stands by while another instance of the service lives [PROTOCOL 18]: it says
 * once who holds what, drives nothing, and asks again until it is free or this process is ended.
 */
async function buildOrStandBy(spec: ServiceSpec, context: ServiceContext): Promise<App> {
  const supervised = spec.env.SERVOCELL_SUPERVISED === "1";
  const leave = () => process.exit(exitCodes.orderly);
  for (let tries = 0; ; tries += 1) {
    try {
      const app = await spec.build(context);
      process.stdin.off("close", leave);
      return app;
    } catch (thrown) {
      if (codeOf(thrown) !== "STORE_LOCKED") throw thrown;
      if (tries === 0) {
        context.log.warn({ mark: "standby", reason: textOf(thrown) }, "Standing by.");
        tell(`Standing by: ${textOf(thrown)}`);
        if (supervised) process.stdout.write("standing by\n");
        if (supervised) process.stdin.once("close", leave).resume();
      }
      await new Promise((resolve) => setTimeout(resolve, standbyMs));
    }
  }
}

/** Runs a service until it ends, and exits the process with the code of its end. */
export async function runService(spec: ServiceSpec): Promise<void> {
  let context: ServiceContext | undefined;
  try {
    // It may be told while the app is still being built.
    let fail: ServiceContext["fail"] = () => {};
    const failure = new Promise<unknown>((resolve) => {
      fail = resolve;
    });
    context = await openContext(spec, fail);
    const { log } = context;
    endOnBrokenAssumptions(log);
    // The supervisor may be gone when we say something.
    process.stdout.on("error", () => undefined);
    process.stderr.on("error", () => undefined);
    const life = new ServiceLife(await buildOrStandBy(spec, context), {
      log,
      ready: () => void process.stdout.write("ready\n"),
      exit: (code) => {
        log.flush();
        process.exit(code);
      },
    });
    void failure.then((thrown) => life.fail(thrown));
    endOnSignals(life, spec.env.SERVOCELL_SUPERVISED === "1");
    await life.start();
  } catch (thrown) {
    context?.log.flush();
    tell(textOf(thrown));
    if (codeOf(thrown) === "STORE_DAMAGED") tell(errors.STORE_DAMAGED.action);
    process.exit(exitCodes.failed);
  }
}
