/**
 * What a schema cannot see of a profile: names that must exist, bits that must not meet, order.
 *
 * The idea: each rule is a small function from profile to problems, every one is run, and each
 * problem stands at its line. It refuses a profile that would only fail at run time, on a machine.
 */
import type { Problem } from "./device-model.js";
import type { Say } from "./lint-report.js";
import { unknownName } from "./lint-report.js";
import type { Profile } from "./profile.js";
import { pointSpan, profileSchema } from "./profile.js";
import { lintBehaviour } from "./profile-lint-behaviour.js";
import { lintDuties } from "./profile-lint-duties.js";
import { lintEvidence } from "./profile-lint-evidence.js";
import { lintPoints } from "./profile-lint-points.js";
import { lintSimulation } from "./profile-lint-simulation.js";
import type { YamlSource } from "./yaml-schema.js";

/** All problems, in the order of the file. Warnings are values that are only from memory. */
export function lintProfile(profile: Profile, source: YamlSource): readonly Problem[] {
  const problems: Problem[] = [];
  const say: Say = (path, message, more) => {
    problems.push(source.problem(path, message, more));
  };
  lintKeyOrder(source, say);
  lintPoints(profile, say);
  lintBlocks(profile, say);
  lintStatus(profile, say);
  lintBehaviour(profile, say);
  lintDuties(profile, say);
  lintSimulation(profile, say);
  lintEvidence(profile, say);
  return problems.sort((a, b) => a.line - b.line || a.column - b.column);
}

/** Top-level keys stand in one order, so that two profiles can be read side by side. */
function lintKeyOrder(source: YamlSource, say: Say): void {
  const wanted = Object.keys(profileSchema.shape);
  const keys = source.keys([]);
  let before = -1;
  for (const key of keys) {
    const at = wanted.indexOf(key);
    if (at < before) {
      const next = wanted[at + 1];
      const hint = next === undefined ? {} : { suggestion: `it stands before ${next}` };
      say([key], "this key is out of its place", { at: "key", ...hint });
    }
    before = Math.max(before, at);
  }
}

function lintBlocks(profile: Profile, say: Say): void {
  for (const [name, block] of Object.entries(profile.blocks)) {
    const path = ["blocks", name];
    if (block.registers > profile.transport.limits.writeRegisters) {
      const most = profile.transport.limits.writeRegisters;
      say([...path, "registers"], `more than the device's limit of ${most} registers`);
    }
    lintBlockFunction(profile, name, say);
    lintFields(profile, name, say);
    if (block.trigger === undefined) continue;
    if (!block.fields.includes(block.trigger)) {
      say([...path, "trigger"], `the trigger ${block.trigger} is not a field of the block`);
    } else if (!block.atomic && block.fields.at(-1) !== block.trigger) {
      say([...path, "trigger"], "the trigger must be the last field, or the block atomic");
    }
  }
}

/** Function 23 says what it reads, 15 carries coils and nothing else. */
function lintBlockFunction(profile: Profile, name: string, say: Say): void {
  const block = profile.blocks[name];
  if (block === undefined) return;
  const { functionCodes } = profile.transport;
  const path = ["blocks", name];
  if (!functionCodes.includes(block.fc)) {
    const known = `the device has ${functionCodes.join(", ")}`;
    say([...path, "fc"], `function ${block.fc} is not one of the device's`, { suggestion: known });
  }
  if ((block.fc === 23) !== (block.read !== undefined)) {
    say(path, "read stands with function 23, and only there", { at: "key" });
  }
  if (block.fc === 23 && block.registers > 121) {
    say([...path, "registers"], "function 23 writes at most 121 registers");
  }
  block.fields.forEach((field, i) => {
    const point = profile.points[field];
    if (point !== undefined && (point.type === "bool") !== (block.fc === 15)) {
      say([...path, "fields", i], `function ${block.fc} does not carry ${point.type}`);
    }
  });
}

/** Fields stand in wire order and inside the block. */
function lintFields(profile: Profile, name: string, say: Say): void {
  const block = profile.blocks[name];
  let before = -1;
  for (const [i, field] of (block?.fields ?? []).entries()) {
    const point = profile.points[field];
    const at = ["blocks", name, "fields", i];
    if (point === undefined) {
      unknownName(say, at, "point", { name: field, known: profile.points });
    } else if (point.write === undefined) {
      say(at, `${field} has no write side`);
    } else {
      const from = point.write.address - (block?.address ?? 0);
      if (from < 0 || from + pointSpan(point, "write") > (block?.registers ?? 0)) {
        say(at, `${field} lies outside the block`);
      }
      if (from < before) say(at, `${field} stands before its predecessor on the wire`);
      before = Math.max(before, from);
    }
  }
}

function lintStatus(profile: Profile, say: Say): void {
  const { state } = profile.status;
  const point = profile.points[state.point];
  if (point === undefined) {
    unknownName(say, ["status", "state", "point"], "point", {
      name: state.point,
      known: profile.points,
    });
  } else if (point.quantity !== "none") {
    say(["status", "state", "point"], "a state is decoded from a raw word, not from a quantity");
  }
  state.pairs.forEach((pair, i) => {
    const path = ["status", "state", "pairs", i];
    if ((pair.value & ~pair.mask) !== 0) {
      say([...path, "value"], "the value has bits outside its mask, so it can never match");
    }
    const shadow = state.pairs.slice(0, i).find((earlier) => {
      return (earlier.mask & ~pair.mask) === 0 && (pair.value & earlier.mask) === earlier.value;
    });
    if (shadow !== undefined) {
      say([...path, "mask"], `never reached: ${shadow.state} above matches all of it first`);
    }
  });
  for (const role of ["position", "velocity", "faultCode"] as const) {
    const name = profile.status[role];
    if (name !== undefined && profile.points[name] === undefined) {
      unknownName(say, ["status", role], "point", { name: name, known: profile.points });
    }
  }
}
