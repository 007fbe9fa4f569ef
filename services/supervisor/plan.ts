/**
 * Which processes a cell consists of, in what order they start and end.
 *
 * The idea: a pure list from the validated cell; each child with its arguments, its node flags and
 * its two ranks. What listens starts before what connects to it (broker, simulator and bus, then
 * the rest), so that nobody waits out a pause between two attempts. Who gives orders ends before
 * the drivers, which stop their axes before the bus goes. It refuses to start anything (app.ts
 * does).
 */
import type { Ms } from "#drivers/reading.js";
import type { BusConfig, CellConfig } from "#kernel/config/cell.js";
import { snapshotVariable } from "#kernel/config/cell-snapshot.js";
import { simControlPath } from "#kernel/run-dir.js";
import { drainMaxMs } from "#kernel/service.js";
import { gatewayPriority, motionPriority } from "./priority.js";

export interface ChildSpec {
  /** The service id, also the name of its log file: `broker`, `bus`, `bus-rail`, `driver-x`, … */
  readonly service: string;
  /** The script, relative to the root of the package. */
  readonly script: string;
  readonly args: readonly string[];
  readonly nodeFlags: readonly string[];
  readonly env: { readonly [name: string]: string };
  /** Ranks start in rising order; within a rank all at once. */
  readonly startRank: number;
  /** Ranks end in rising order. */
  readonly endRank: number;
  readonly readyWithinMs: Ms;
  readonly endWithinMs: Ms;
  /** Without it the cell is not up; otherwise the cell comes up and says what is missing. */
  readonly essential: boolean;
  /** As `nice` counts, -20 to 19; asked for, not insisted on. */
  readonly priority: number;
}

export interface PlanOptions {
  /** What the services read in place of the cell file. */
  readonly snapshot?: string;
  /** The services take the devices as simulated ones, whatever the file says. */
  readonly simulated?: boolean;
  /** The cell file of the simulator, where it is not the cell's own. */
  readonly simulatorCell?: string;
  /** Gives the simulator a tap: every frame at the devices, one JSON object a line. */
  readonly tap?: string;
}

const READY_WITHIN_MS = 15_000;
/** A service ends by itself within its drain; only one that hangs is killed. */
const END_WITHIN_MS = drainMaxMs + 1_000;

/** Small heaps: a driver stays small for weeks [prototypes 4]. */
function heap(oldSpaceMb: number, youngMb = 1): readonly string[] {
  return [`--max-semi-space-size=${youngMb}`, `--max-old-space-size=${oldSpaceMb}`];
}
/** Who handles what all drivers do is interrupted by a collection less often. */
const busyYoungMb = 4;

/** What a stop or a command runs stays compiled, however long ago the last one was. */
const keepCode = "--no-flush-bytecode";

export function planCell(config: CellConfig, options: PlanOptions = {}): readonly ChildSpec[] {
  const asked = options.simulated === true ? ["--simulated"] : [];
  const where = ["--cell", config.file, "--data", config.dataDir, ...asked];
  const { snapshot } = options;
  const shared = snapshot === undefined ? {} : { [snapshotVariable]: snapshot };
  const child = (
    service: string,
    room: string,
    ranks: readonly [number, number],
    extra: Partial<ChildSpec> = {},
  ): ChildSpec => ({
    service,
    script: `dist/services/${room}/main.js`,
    args: where,
    nodeFlags: heap(96),
    env: { MALLOC_ARENA_MAX: "2", ...shared },
    startRank: ranks[0],
    endRank: ranks[1],
    readyWithinMs: READY_WITHIN_MS,
    endWithinMs: END_WITHIN_MS,
    essential: true,
    priority: motionPriority,
    ...extra,
  });
  const drivers = driverGroups(config).map((group) =>
    child(driverService(group), "driver", [2, 2], {
      args: [...where, "--device", group.join(",")],
      nodeFlags: driverFlags(group.length),
      env: { MALLOC_ARENA_MAX: "1", ...shared },
      essential: false,
    }),
  );
  const busy = (service: string, ranks: readonly [number, number]) =>
    child(service, service, ranks, { nodeFlags: [keepCode, ...heap(96, busyYoungMb)] });
  const bus = (service: string, more: readonly string[]) =>
    child(service, "bus", [1, 3], {
      args: [...where, ...more],
      nodeFlags: [keepCode, ...heap(96, busyYoungMb)],
    });
  // A line has a process of its own: nobody else's work stands between two of its frames. The
  // port may be unplugged, so that the rest of the cell comes up without it.
  const buses = [
    ...(config.buses.some(isEndpoint) ? [bus("bus", [])] : []),
    ...config.buses.filter(isLine).map(({ id }) => bus(`bus-${id}`, ["--bus", id])),
  ];
  return [
    ...(config.broker.kind === "embedded" ? [busy("broker", [1, 5])] : []),
    ...(config.simulation === true ? [simulator(child, config, options)] : []),
    ...buses,
    ...drivers,
    busy("coordinator", [2, 1]),
    child("gateway", "gateway", [2, 1], {
      nodeFlags: [keepCode, ...heap(128, busyYoungMb)],
      priority: gatewayPriority,
    }),
  ];
}

/** One process each, but for the groups of the cell file. */
function driverGroups({ devices, isolation = [] }: CellConfig): readonly (readonly string[])[] {
  const grouped = new Set(isolation.flat());
  const alone = devices.filter(({ id }) => !grouped.has(id)).map(({ id }) => [id]);
  return [...isolation, ...alone];
}

/** A group is called after its first device. */
function driverService(group: readonly string[]): string {
  return group.length === 1 ? `driver-${group[0]}` : `drivers-${group[0]}`;
}

function driverFlags(devices: number): readonly string[] {
  if (devices === 1) return ["--initial-old-space-size=8", keepCode, ...heap(64)];
  const youngMb = Math.min(8, devices);
  return [keepCode, `--max-semi-space-size=${youngMb}`, `--max-old-space-size=${64 + 8 * devices}`];
}

function isLine({ link }: BusConfig): boolean {
  return link.kind === "serial";
}

function isEndpoint(bus: BusConfig): boolean {
  return !isLine(bus);
}

function simulator(
  child: (
    service: string,
    room: string,
    ranks: readonly [number, number],
    extra: Partial<ChildSpec>,
  ) => ChildSpec,
  config: CellConfig,
  options: PlanOptions,
): ChildSpec {
  const control = ["--control", simControlPath(config.runDir)];
  const tap = options.tap === undefined ? [] : ["--tap", options.tap];
  return child("simulator", "simulator", [1, 4], {
    script: "dist/simulators/main.js",
    nodeFlags: heap(96, busyYoungMb),
    args: ["--cell", options.simulatorCell ?? config.file, ...control, ...tap],
  });
}
