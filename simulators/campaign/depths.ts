/**
 * How deep each seed of a campaign goes: most on ports, some down to bytes, MQTT and files.
 *
 * The idea: a deep world costs several times as much as one on ports, so of the usual mix every
 * eighth seed is deep, and the kinds take turns; the depth follows from the seed and the wish
 * alone, so one seed played again is the same world. It refuses to choose by chance.
 */
import { readFileSync } from "node:fs";
import type { CellConfig } from "#kernel/config/cell.js";
import type { CellOptions } from "#kernel/config/cell-file.js";
import { faultsMsUsual, type PlayOptions } from "../world/play.js";
import { deepCell } from "./deep-cell.js";
import type { Depth } from "./deep-parts.js";

export const deepKinds = ["rtu", "tcp", "mqtt"] as const;
export type DeepKind = (typeof deepKinds)[number];
export const depthWishes = ["mixed", "ports", ...deepKinds] as const;
export type DepthWish = (typeof depthWishes)[number];

/** Of the mix, every so many seeds is deep. */
export const deepEvery = 8;
/** A deep world has less time for its faults, ms, and so fewer of them. */
const deepFaultsMsMax = 60_000;
const usual = { faultsMs: faultsMsUsual, faults: 14, presses: 16 } as const;
const fewest = 4;

const depths: { readonly [K in DeepKind]: Depth } = {
  rtu: { bytes: "rtu", mqtt: "memory", store: "file" },
  tcp: { bytes: "tcp", mqtt: "memory", store: "file" },
  mqtt: { bytes: "none", mqtt: "real", store: "file" },
};

export interface DeepWorld {
  readonly cell: CellConfig;
  readonly depth: Depth;
}

/** The deep forms of a cell that it has; a cell whose lines carry no such plan has no `rtu`. */
export type DeepWorlds = { readonly [K in DeepKind]?: DeepWorld };

export function deepWorlds(cell: CellConfig, options: CellOptions): DeepWorlds {
  const { rtu: lines, tcp, mqtt } = depths;
  const rtu = deepCell(cell.file, readFileSync(cell.file, "utf8"), lines, options);
  return {
    ...(rtu.ok && { rtu: { cell: rtu.value, depth: lines } }),
    tcp: { cell, depth: tcp },
    mqtt: { cell, depth: mqtt },
  };
}

/** Undefined: on ports. */
export function depthOf(seed: number, wish: DepthWish, worlds: DeepWorlds): DeepKind | undefined {
  if (wish === "ports") return undefined;
  if (wish !== "mixed") return wish;
  if (seed % deepEvery !== 0) return undefined;
  const kinds = deepKinds.filter((kind) => worlds[kind] !== undefined);
  return kinds[(seed / deepEvery) % kinds.length];
}

type Busy = Pick<PlayOptions, "faultsMs" | "faults" | "presses">;

/** As busy as the setting, for a shorter time. */
export function deepSetting<S extends Busy>(setting: S): S {
  const { faultsMs = usual.faultsMs, faults = usual.faults, presses = usual.presses } = setting;
  const share = Math.min(1, deepFaultsMsMax / faultsMs);
  const fewer = (count: number) => Math.min(count, Math.max(fewest, Math.round(count * share)));
  return {
    ...setting,
    faultsMs: faultsMs * share,
    faults: fewer(faults),
    presses: fewer(presses),
  };
}
