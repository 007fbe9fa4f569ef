/**
 * The verb set at the driver's door: the checks that every command passes.
 *
 * The idea: a real module's model, one fact changed at a time. It refuses to look at runners.
 */

import { describe, expect, it } from "vitest";
import { compileDevice } from "#drivers/compile.js";
import type { PointTable } from "#drivers/device-model.js";
import { loadProfile } from "#drivers/profile-loader.js";
import { isMotion } from "#kernel/config/moving-verbs.js";
import {
  type CommandFacts,
  checkCommand,
  isUnbounded,
} from "../../../services/driver/command-checks.js";
import { guardFrames } from "../../../services/driver/guarding.js";
import { scriptedModel } from "../../fixtures/driver/scripted-model.js";

function relays() {
  const loaded = loadProfile("waveshare/relay");
  if (!loaded.ok) throw new TypeError("waveshare/relay does not load");
  return compileDevice(loaded.value, { device: "relays", unit: 1, constants: {} });
}
const model = relays();
const points: PointTable = new Map(
  model.pollFast.flatMap((request) =>
    request.points.map((name) => [name, { ok: true, value: 0, atMs: 990 }] as const),
  ),
);
const good: CommandFacts = {
  nowMs: 1000,
  verb: "set",
  args: { output: 1, value: 1 },
  given: { holder: "c", epoch: 3 },
  lease: { at: "held", epoch: 3, holder: "c", bootId: "b", deadlineMs: 2000 },
  latched: false,
  stopping: false,
  device: "active",
  readInFull: true,
  identity: "match",
  view: model.view(points),
  model,
  interlock: undefined,
  breaker: "closed",
  statusAtMs: 990,
  pollPeriodMs: 20,
  running: undefined,
  place: undefined,
};

function code(change: Partial<CommandFacts>): string {
  const refusal = checkCommand({ ...good, ...change });
  if (refusal === undefined) return "-";
  return refusal.verdict === "done" ? "done" : refusal.code;
}

describe("set", () => {
  it.each([
    ["with all facts good", {}, "-"],
    ["without a lease", { given: undefined }, "LEASE_REQUIRED"],
    ["with an ended epoch", { given: { holder: "c", epoch: 2 } }, "EXPIRED"],
    ["while a stop is latched", { latched: true }, "LATCHED"],
    ["while a stop is under way", { stopping: true }, "SUPERSEDED"],
    ["with a false permit", { interlock: "the guard is open" }, "INTERLOCKED"],
    ["before the full read", { readInFull: false }, "NOT_READY"],
    ["behind an open breaker", { breaker: "open" as const }, "BREAKER_OPEN"],
    ["during another set", { running: { id: "a", verb: "set" } }, "BUSY"],
    ["of a servo", { model: scriptedModel() }, "NOT_SUPPORTED"],
    ["when it is a move", { verb: "moveTo" }, "NOT_SUPPORTED"],
  ])("%s: %s", (_what, change, expected) => {
    expect(code(change)).toBe(expected);
  });

  it("counts as motion, for an output may move a valve, but never as one without an end", () => {
    expect([isMotion("set"), isUnbounded("set")]).toEqual([true, false]);
  });

  it("leaves the guardian nothing to send", () => {
    expect(guardFrames(model)).toEqual([]);
  });
});
