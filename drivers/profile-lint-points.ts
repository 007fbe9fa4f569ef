/**
 * Lint of points: where they lie, what they hold, which units they name.
 *
 * The idea: two points may share a register only in different bits; a type, its order and its
 * function code must be possible together; every name in a scale is one that the installation
 * gives. It refuses what would decode to nonsense without an error.
 */
import { namesIn } from "./expression.js";
import { type Say, unknownName } from "./lint-report.js";
import type { PointSpec, Profile } from "./profile.js";
import { pointSpan, typeBytes } from "./profile.js";
import { axisNames } from "./scaling.js";
import type { YamlPath } from "./yaml-schema.js";

export function lintPoints(profile: Profile, say: Say): void {
  for (const [name, point] of Object.entries(profile.points)) {
    const path = ["points", name];
    lintShape(point, path, say);
    lintAccess(profile, point, path, say);
    lintUnits(profile, point, path, say);
  }
  lintOverlap(profile, "read", say);
  lintOverlap(profile, "write", say);
}

function lintShape(point: PointSpec, path: YamlPath, say: Say): void {
  const narrow = point.type === "u8" || point.type === "i8";
  if (narrow !== (point.byte !== undefined)) {
    say(
      [...path, "byte"],
      narrow ? "u8 and i8 need byte: high or low" : "only u8 and i8 have a byte",
    );
  }
  if ((point.type === "bits") !== (point.bits !== undefined)) {
    say(
      [...path, "bits"],
      point.type === "bits" ? "bits need from and width" : "only bits have bits",
    );
  }
  if (point.bits !== undefined && point.bits.from + point.bits.width > 16) {
    say([...path, "bits", "width"], "the field leaves its word");
  }
  const words = typeBytes[point.type] / 2;
  if (
    point.order !== undefined &&
    words <= 1 &&
    (point.order === "CDAB" || point.order === "DCBA")
  ) {
    say([...path, "order"], `a word order is impossible for ${point.type}, which has one word`);
  }
  if (point.mask !== undefined && point.type.startsWith("i")) {
    say([...path, "mask"], "a masked value has no sign");
  }
}

function lintAccess(profile: Profile, point: PointSpec, path: YamlPath, say: Say): void {
  const { functionCodes, limits } = profile.transport;
  if (point.read === undefined && point.write === undefined) {
    say(path, "a point needs a read or a write side", { at: "key" });
  }
  for (const side of ["read", "write"] as const) {
    const address = point[side]?.address;
    if (address === undefined || address + pointSpan(point, side) <= 0x1_0000) continue;
    say([...path, side, "address"], "the value ends behind the last address, 0xFFFF");
  }
  const words = pointSpan(point, "write");
  for (const side of ["read", "write"] as const) {
    const access = point[side];
    if (access === undefined) continue;
    const at = [...path, side, "fc"];
    if (!functionCodes.includes(access.fc)) {
      const known = `the device has ${functionCodes.join(", ")}`;
      say(at, `function ${access.fc} is not one of the device's`, { suggestion: known });
    }
    const coil = access.fc === 1 || access.fc === 2 || access.fc === 5 || access.fc === 15;
    if (coil !== (point.type === "bool")) {
      say(at, `function ${access.fc} does not carry ${point.type}`);
    }
  }
  if (point.write?.fc === 6 && words > 1) {
    say([...path, "write", "fc"], `function 6 writes one register, ${point.type} needs ${words}`);
  }
  if (point.read !== undefined && pointSpan(point, "read") > limits.readRegisters) {
    say([...path, "read"], `more than the device's limit of ${limits.readRegisters} registers`, {
      at: "key",
    });
  }
  if (point.read === undefined && point.poll !== "never") {
    say([...path, "poll"], "what cannot be read is polled never");
  }
}

function lintUnits(profile: Profile, point: PointSpec, path: YamlPath, say: Say): void {
  const known = { ...profile.constants, ...Object.fromEntries(axisNames.map((one) => [one, 0])) };
  if (point.quantity === "none") {
    for (const key of ["scale", "offset", "inverse"] as const) {
      if (point[key] !== undefined)
        say([...path, key], "a raw value (quantity: none) has no scale");
    }
    return;
  }
  if (point.scale === undefined) {
    say([...path, "quantity"], `a ${point.quantity} needs its scale, or quantity: none`);
  }
  for (const key of ["scale", "offset"] as const) {
    for (const name of namesIn(point[key] ?? 0)) {
      if (!Object.hasOwn(known, name)) {
        unknownName(say, [...path, key], "constant", { name: name, known: known });
      }
    }
  }
}

/** The bits of one register that a point fills. */
function bitsOf(point: PointSpec): number {
  if (point.byte === "high") return 0xff00;
  if (point.byte === "low") return 0x00ff;
  if (point.bits !== undefined) return ((2 ** point.bits.width - 1) << point.bits.from) & 0xffff;
  return 0xffff;
}

function lintOverlap(profile: Profile, side: "read" | "write", say: Say): void {
  const taken = new Map<string, { name: string; bits: number }[]>();
  for (const [name, point] of Object.entries(profile.points)) {
    const access = point[side];
    if (access === undefined) continue;
    const area =
      access.fc === 3 || access.fc === 6 || access.fc === 16 ? "holding" : `fc${access.fc}`;
    const bits = bitsOf(point);
    for (let i = 0; i < pointSpan(point, "write"); i++) {
      const register = `${area} ${access.address + i}`;
      const there = taken.get(register) ?? [];
      const other = there.find((one) => (one.bits & bits) !== 0);
      if (other !== undefined && other.name !== name) {
        const where = `0x${(access.address + i).toString(16).toUpperCase()}`;
        say(["points", name, side, "address"], `overlaps ${other.name} at register ${where}`);
        break;
      }
      taken.set(register, [...there, { name, bits }]);
    }
  }
}
