/**
 * The cell of a world as its depth asks: its buses on serial lines and bridges, or as they are.
 *
 * The idea: the cell file is changed as a person would change it who puts the same devices on
 * lines, and the loader checks and plans it for that wire. It refuses plans that a line cannot
 * carry, as it does for everybody.
 */
import { parseDocument } from "yaml";
import type { Checked } from "#drivers/device-model.js";
import { loadProfile, profileIds } from "#drivers/profile-loader.js";
import type { CellConfig } from "#kernel/config/cell.js";
import { type CellOptions, parseCell, readText } from "#kernel/config/cell-file.js";
import { readSagaModule } from "#kernel/edge/saga-module-reader.js";
import type { Depth } from "./deep-parts.js";

/** Bits a second of the lines of an RTU world: the fastest that its drives take. */
const baud = 115_200;
/** A line carries fewer polls than a network. */
const pollFast = "100 ms";
/** So a broken interlock is found later, and an axis runs on further. */
const marginFactor = 1.5;

/**
 * The cell of this file with its buses as the depth asks, checked and planned by the loader. For
 * RTU the first bus is a serial line and the others are bridges that pass RTU frames over TCP.
 */
export function deepCell(
  file: string,
  text: string,
  depth: Depth,
  options: CellOptions,
): Checked<CellConfig> {
  const sources = { readText, loadProfile, profileIds, readModule: readSagaModule };
  const onLines = depth.bytes === "rtu" ? toLines(text) : text;
  return parseCell(onLines, file, sources, options);
}

interface FileOfCell {
  readonly buses?: { readonly [bus: string]: { readonly tcp?: string } };
  readonly devices?: { readonly [device: string]: object };
  readonly interlocks?: readonly { readonly margin?: string }[];
}

/** A cell file whose buses are TCP, for serial lines and bridges. */
function toLines(text: string): string {
  const document = parseDocument(text);
  const cell = document.toJS() as FileOfCell;
  for (const [i, [bus, { tcp }]] of Object.entries(cell.buses ?? {}).entries()) {
    if (tcp === undefined) continue;
    const line = { serial: `/dev/world-${bus}`, baud, format: "8N1" };
    document.setIn(["buses", bus], i === 0 ? line : { tcp, framing: "rtu" });
  }
  for (const device of Object.keys(cell.devices ?? {})) {
    document.setIn(["devices", device, "poll"], { fast: pollFast });
  }
  for (const [i, { margin }] of (cell.interlocks ?? []).entries()) {
    const [, number, unit] = /^([0-9.]+) *(.*)$/.exec(margin ?? "") ?? [];
    if (number === undefined) continue;
    document.setIn(["interlocks", i, "margin"], `${Number(number) * marginFactor} ${unit}`);
  }
  return document.toString();
}
