/**
 * `servocell stop`: one stop id over two roads at once, the local sockets and the gateway.
 *
 * The idea: the sockets are written every 50 ms until each driver has answered, the gateway is
 * asked beside them, and either road is enough (PROTOCOL 5); whose axis an answer is about is
 * told by the run directory, because cells of one PC may use the same names. It refuses to wait
 * for one road before it has tried the other, to read what the cells are before the first orders
 * are out, and to call a stop delivered that nobody has answered.
 */
import { existsSync } from "node:fs";
import { userInfo } from "node:os";
import type { CellConfig } from "#kernel/config/cell.js";
import { readSnapshots } from "#kernel/config/cell-snapshot.js";
import { packageVersion } from "#kernel/edge/process.js";
import { ServocellError, textOf } from "#kernel/errors.js";
import type { Log } from "#kernel/ports.js";
import { supervisorPath } from "#kernel/run-dir.js";
import type { Api, StopDelivery } from "./client.js";
import { DirectStop, isReached, type StopKind, socketsIn, toldOf } from "./direct-stop.js";
import { runDirsHere } from "./running-cells.js";

export interface StopCommand {
  readonly kind: StopKind;
  readonly id: string;
  readonly api: Pick<Api, "stop" | "base">;
  /** Run directories whose drivers are reached directly. */
  readonly runDirs: readonly string[];
  /** The cell that was named; its own services may have been started one by one. */
  readonly config?: CellConfig | undefined;
  readonly log: Log;
  readonly say: (line: string) => void;
}

/** Run directories of a cell file: wherever its data stand, the snapshot there names the file. */
export async function runDirsOf(config: CellConfig): Promise<readonly string[]> {
  const snapshots = await readSoon(localRunDirs());
  const named = [...snapshots].filter(([, { file }]) => file === config.file);
  return [...new Set([config.runDir, ...named.map(([dir]) => dir)])];
}

/** Waits, counted because a busy PC may stand this process still; then goes without. */
const readWaits = { count: 10, eachMs: 50 };

/** Snapshots in these run directories: one that takes its time is not waited for. */
async function readSoon(runDirs: readonly string[]): Promise<ReadonlyMap<string, CellConfig>> {
  let isRead = false;
  const late = async () => {
    for (let waits = 0; waits < readWaits.count && !isRead; waits += 1) {
      await new Promise((resolve) => setTimeout(resolve, readWaits.eachMs));
    }
  };
  const snapshots = await readSnapshots(runDirs, packageVersion(), late());
  isRead = true;
  return snapshots;
}

/** Run directories of this user's cells on this PC; all drivers of one may be between starts. */
export function localRunDirs(): readonly string[] {
  return runDirsHere(userInfo().uid).filter((dir) => {
    return socketsIn(dir).length > 0 || existsSync(supervisorPath(dir));
  });
}

/**
 * Exit code 0 when every axis of the cells found here stands, or is one that its own gateway has
 * reached, and the gateway knows of none that neither road has reached.
 */
export async function stop(command: StopCommand): Promise<number> {
  const { kind, id, log, config, say, api } = command;
  const overHttp = api.stop({ kind, id }).then(
    (delivery) => ({ delivery, problem: "" }),
    (thrown: unknown) => ({ delivery: undefined, problem: textOf(thrown) }),
  );
  const direct = command.runDirs.map((runDir) => {
    const own = config?.runDir === runDir ? config : undefined;
    return new DirectStop({ kind, id, log, runDir, config: own });
  });
  await Promise.all(direct.map((one) => one.begun));
  const snapshots = await readSoon(command.runDirs);
  await Promise.all(direct.map((one) => one.finish(snapshots.get(one.runDir))));
  const { delivery, problem } = await overHttp;
  const results = direct.map((one) => {
    const itsOwn = one.hasGateway(api.base);
    return { itsOwn, ...one.result(itsOwn ? (delivery?.axes ?? []) : []) };
  });
  for (const { lines } of results) for (const line of lines) say(line);
  const reached = results.some(({ answered }) => answered.length > 0);
  const good = results.every((result) => result.good);
  if (delivery === undefined) {
    if (!reached) {
      const text = `The stop reached no driver: ${problem} Use the hardware stop.`;
      throw new ServocellError("NOT_DELIVERED", text);
    }
    say(`the gateway did not take part: ${problem}`);
    return good ? 0 : 1;
  }
  const own = results.filter(({ itsOwn }) => itsOwn);
  const told = new Set(own.flatMap((result) => result.told));
  const missed = missedAxes(delivery, new Set(own.flatMap(({ answered }) => answered)));
  const untold = (reached ? missed : delivery.axes).filter(({ axis }) => !told.has(axis));
  for (const axis of untold) say(toldOf(kind, axis));
  if (!reached) say(delivery.text);
  const delivered = reached ? missed.length === 0 : delivery.delivered;
  return delivered && good ? 0 : 1;
}

/**
 * Axes of the gateway's cell that neither road has stopped. `answered`: in the directory of that
 * cell alone; a namesake's answer from another one is not theirs.
 */
function missedAxes({ axes }: StopDelivery, answered: ReadonlySet<string>) {
  return axes.filter((axis) => !answered.has(axis.axis) && !isReached(axis));
}
