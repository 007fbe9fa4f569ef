/**
 * The cell file: YAML in, a frozen `CellConfig` or all its problems out.
 *
 * The idea: structure by one strict schema, meaning by checks that each look at what they can
 * even where another part is wrong; so a person sees every mistake at once, each at its line and
 * column in the right file. It refuses a cell in which anything is left to guess.
 */
import { createHash } from "node:crypto";
import { readFileSync, realpathSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { dirname, resolve } from "node:path";
import type { Checked, Problem } from "#drivers/device-model.js";
import { loadProfile, type ProfileFolders, profileIds } from "#drivers/profile-loader.js";
import { checkYaml, openYaml } from "#drivers/yaml-source.js";
import type { BusConfig, CellConfig, SagaDefinition } from "./cell.js";
import { type RealPath, resolveBuses, withUnits } from "./cell-buses.js";
import { beatMs, type DeviceDraft, type LoadProfile, resolveDevices } from "./cell-devices.js";
import { consumersOf } from "./cell-events.js";
import { resolveInterlocks } from "./cell-interlocks.js";
import { isolationOf } from "./cell-isolation.js";
import { brokerOf, checkPorts, gatewayOf, simulatedBuses, simulatedLines } from "./cell-network.js";
import { resolveRules } from "./cell-rules.js";
import { type ReadText, resolveSagas } from "./cell-sagas.js";
import { cellFileSchema } from "./cell-schema.js";
import { resolveSuspends, resolveZones } from "./cell-zones.js";
import { deepFreeze } from "./deep-freeze.js";
import { FileProblems } from "./file-problems.js";
import { FileReader } from "./file-reader.js";
import { checkWirePlans } from "./wire-check.js";
import { onTheirLines, planBus } from "./wire-plan.js";

/** Profiles of one's own stand here, beside the cell file, unless it names another folder. */
const ownProfiles = "profiles";

export interface CellOptions {
  /** Where the services keep their files. @default `data/{cell}` below the current directory */
  readonly dataDir?: string;
  /** Where the sockets live. @default short, below the system's folder for temporary files */
  readonly runDir?: string;
  /** True: all devices are simulated ones, whatever the file says. */
  readonly simulated?: boolean;
}

/** What `parseCell` needs of the world. */
export interface CellSources {
  /** The text of a file, or why there is none. */
  readonly readText: (file: string) => { readonly text: string } | { readonly why: string };
  readonly loadProfile: LoadProfile;
  readonly profileIds: (folders: ProfileFolders) => readonly string[];
  /** What a module exports. @default modules are not read here */
  readonly readModule?: ReadText;
  /** What a path of a serial port is behind its links. @default nobody knows */
  readonly realPath?: RealPath;
}

/** Reads the cell file, its sagas and its profiles. */
export function loadCell(
  file: string,
  options: CellOptions = {},
  readModule?: ReadText,
): Checked<CellConfig> {
  const path = resolve(file);
  const sources = {
    readText,
    loadProfile: remembered(loadProfile),
    profileIds,
    realPath,
    ...(readModule === undefined ? {} : { readModule }),
  };
  const read = readText(path);
  if ("text" in read) return parseCell(read.text, path, sources, options);
  const message = `the cell file cannot be read: ${read.why}`;
  return {
    ok: false,
    problems: [{ file: path, line: 1, column: 1, path: "", message, severity: "error" }],
  };
}

/** Several devices of one model: its profile is read and checked once. */
export function remembered(load: LoadProfile): LoadProfile {
  const known = new Map<string, ReturnType<LoadProfile>>();
  return (id, folders) => {
    const profile = known.get(id) ?? load(id, folders);
    known.set(id, profile);
    return profile;
  };
}

export function readText(file: string): { readonly text: string } | { readonly why: string } {
  try {
    return { text: readFileSync(file, "utf8") };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return { why: code === "ENOENT" ? "there is no such file" : `it failed with ${code}` };
  }
}

/** The port behind a stable name; a port that is not plugged in has none. */
function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/** The same over given sources; `file` is used for messages and as the base of relative paths. */
export function parseCell(
  text: string,
  file: string,
  sources: CellSources,
  options: CellOptions = {},
): Checked<CellConfig> {
  const opened = openYaml(text, file);
  if (!opened.ok) return { ok: false, problems: opened.problems };
  const problems = new FileProblems(opened.source);
  const shape = checkYaml(opened.source, cellFileSchema);
  if (!shape.ok) problems.add(shape.problems);
  const read = new FileReader(problems);
  const simulation = options.simulated === true || read.raw(["simulation"]) === true;
  const fileBuses = resolveBuses(read, sources.realPath ?? (() => undefined));
  const folders = [resolve(dirname(file), read.text(["profiles"]) ?? ownProfiles)];
  const profiles = sources.profileIds(folders);
  const devices = resolveDevices(read, (id) => sources.loadProfile(id, folders), profiles);
  const moved = options.simulated === true ? simulatedBuses(fileBuses) : fileBuses;
  const buses = withUnits(read, moved, devices);
  const configs = onTheirLines(
    buses,
    devices.flatMap((draft) => draft.config ?? []),
  );
  const plans = buses.map((bus) => planBus(bus, configs));
  checkWirePlans(read, plans, configs);
  const interlocks = resolveInterlocks(read, devices, plans);
  const sagas = resolveSagas(read, file, { devices, interlocks }, sagaReader(sources));
  const ids = read.keys(["devices"]);
  const known = { sagas: sagas.definitions, names: sagas.names };
  const rules = resolveRules(read, { devices: ids, ...known });
  const consumers = consumersOf(read);
  const zones = resolveZones(read, devices);
  const suspend = resolveSuspends(read, devices);
  const broker = brokerOf(read);
  const gateway = gatewayOf(read);
  checkPorts(read, { buses, broker, gateway, simulation });
  warnUnused(read, buses, devices);
  const isolation = isolationOf(read, ids);
  const found = [...problems.list(), ...sagas.problems];
  const cell = read.text(["cell", "name"]);
  const prefix = read.text(["cell", "prefix"]);
  if (found.some(isError) || !shape.ok || cell === undefined || prefix === undefined) {
    return { ok: false, problems: found };
  }
  const onRunFailure = read.raw(["onRunFailure"]) === "run" ? "run" : "cell";
  const effective = {
    cell,
    prefix,
    broker,
    gateway,
    beatMs,
    simulation,
    onRunFailure,
    ...(isolation === undefined ? {} : { isolation }),
    buses,
    devices: configs,
    interlocks,
    sagas: sagas.definitions,
    ...(rules.length === 0 ? {} : { rules }),
    ...(consumers.length === 0 ? {} : { consumers }),
    ...(zones.length === 0 ? {} : { zones }),
    ...(suspend.length === 0 ? {} : { suspend }),
  } as const;
  const dirs = dirsOf(cell, options);
  const placed = simulation ? simulatedLines(buses, dirs.runDir) : buses;
  const value = { file, hash: hashOf(effective), ...dirs, ...effective, buses: placed };
  return { ok: true, value: deepFreeze(value), warnings: found };
}

/** A saga is a YAML file, or a module by the end of its name. */
function sagaReader({ readText, readModule }: CellSources): ReadText {
  const none = { why: "modules are not read here" };
  return (file) => {
    if (!/\.[cm]?[jt]s$/.test(file)) return readText(file);
    return readModule === undefined ? none : readModule(file);
  };
}

function isError(problem: Problem): boolean {
  return problem.severity === "error";
}

function warnUnused(
  read: FileReader,
  buses: readonly BusConfig[],
  devices: readonly DeviceDraft[],
): void {
  for (const { id } of buses) {
    if (devices.some((device) => read.text(["devices", device.id, "bus"]) === id)) continue;
    const facts = { severity: "warning", key: true } as const;
    read.problems.at(["buses", id], "no device is on this bus", facts);
  }
}

/** What the cell is, wherever it stands: file names and folders do not count. */
function hashOf(effective: { readonly sagas: readonly SagaDefinition[] }): string {
  const sagas = effective.sagas.map(({ file: _file, ...saga }) => saga);
  return createHash("sha256")
    .update(JSON.stringify({ ...effective, sagas }))
    .digest("hex");
}

function dirsOf(cell: string, options: CellOptions): { dataDir: string; runDir: string } {
  const dataDir = resolve(options.dataDir ?? `data/${cell}`);
  // Paths of sockets may be 107 bytes long, so the data folder itself cannot hold them.
  const short = createHash("sha1").update(dataDir).digest("hex").slice(0, 10);
  const runDir = options.runDir ?? `${tmpdir()}/servocell-${userInfo().uid}-${short}`;
  return { dataDir, runDir };
}
