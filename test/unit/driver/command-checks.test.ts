/**
 * The checks of a command, in their order.
 *
 * The idea: facts that allow the command, then one fact changed at a time; and two at once, to see
 * which one is named first. It refuses to look at runners.
 */
import { describe, expect, it } from "vitest";
import type { DeviceView, Verb } from "#drivers/device-model.js";
import type { Reading } from "#drivers/reading.js";
import { type CommandFacts, checkCommand } from "../../../services/driver/command-checks.js";
import { scriptedModel, setup } from "../../fixtures/driver/scripted-model.js";

function yes(value = true): Reading<boolean> {
  return { ok: true, value, atMs: 990 };
}
const missing = { ok: false, reason: "timeout", atMs: 990 } as const;
const absent = { ok: false, reason: "not-in-profile", atMs: 990 } as const;
const view: DeviceView = {
  state: { ok: true, value: "enabled", atMs: 990 },
  enabled: yes(),
  homed: yes(),
  moving: yes(false),
  inTarget: yes(),
  fault: yes(false),
  warning: yes(false),
  remote: yes(),
  limit: yes(false),
  gripped: absent,
  position: { ok: true, value: 10, atMs: 990 },
  velocity: { ok: true, value: 0, atMs: 990 },
  faultCode: absent,
};
const good: CommandFacts = {
  nowMs: 1000,
  verb: "moveTo",
  args: { position: 100, velocity: 200 },
  given: { holder: "c", epoch: 3 },
  lease: { at: "held", epoch: 3, holder: "c", bootId: "b", deadlineMs: 2000 },
  latched: false,
  stopping: false,
  device: "active",
  readInFull: true,
  identity: "match",
  view,
  model: scriptedModel(),
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

/** In the order of the checks; each case alone is refused by its code. */
const cases: readonly (readonly [string, Partial<CommandFacts>, string])[] = [
  ["no lease is named", { given: undefined }, "LEASE_REQUIRED"],
  ["a stop is latched", { latched: true }, "LATCHED"],
  ["a stop is in progress", { stopping: true }, "SUPERSEDED"],
  ["not read in full", { readInFull: false }, "NOT_READY"],
  ["in fault", { device: "faulted" }, "DRIVE_FAULT"],
  ["under local control", { view: { ...view, remote: yes(false) } }, "DEVICE_LOCAL"],
  ["not its profile", { identity: "mismatch" }, "IDENTITY_MISMATCH"],
  ["an operation it has not", { verb: "grip" }, "NOT_SUPPORTED"],
  ["not enabled", { view: { ...view, enabled: yes(false) } }, "NOT_ENABLED"],
  ["not homed", { view: { ...view, homed: yes(false) } }, "NOT_HOMED"],
  ["velocity 0 (MO-21)", { args: { position: 100, velocity: 0 } }, "LIMIT_EXCEEDED"],
  ["an interlock forbids it", { interlock: "z is low" }, "INTERLOCKED"],
  [
    "an interlock forbids a gripper's enable, which is a full stroke",
    {
      verb: "enable",
      args: {},
      interlock: "z is low",
      model: { ...scriptedModel(), movers: new Set(["enable" as const]) },
    },
    "INTERLOCKED",
  ],
  ["the breaker is half-open", { breaker: "half-open" }, "BREAKER_OPEN"],
  ["the status is 61 ms old at 20 ms polls", { statusAtMs: 939 }, "NOT_READY"],
  ["another command runs", { running: { id: "a", verb: "home" } }, "BUSY"],
];

/** Every verb that moves, with what makes it pass all checks before the last. */
const moving = {
  moveTo: { position: 100, velocity: 50 },
  moveBy: { distance: 10, velocity: 50 },
  velocity: { velocity: 50 },
  jog: { velocity: 50 },
  home: {},
  grip: {},
  release: {},
  set: {},
} as const;

describe("every verb that moves needs its permits [PROTOCOL 8]", () => {
  it.each(Object.entries(moving))("%s", (verb, args) => {
    const model = { ...scriptedModel(), verbs: new Set(Object.keys(moving) as Verb[]) };
    const setup = { ...model.setup, acceptNoWatchdog: "nobody stands at it" };
    const asked = { ...good, verb, args, place: 100, model: { ...model, setup } };
    expect(checkCommand(asked)).toBeUndefined();
    const interlock = "interlock z-up: z.position is 40, not >= 50";
    expect(checkCommand({ ...asked, interlock })).toMatchObject({
      verdict: "refused",
      code: "INTERLOCKED",
      text: interlock,
    });
  });
});

describe("command checks", () => {
  it("a command that nothing forbids may run", () => {
    expect(code({})).toBe("-");
  });

  it.each(cases)("%s", (_, change, expected) => {
    expect(code(change)).toBe(expected);
  });

  it("of two reasons the earlier check is named", () => {
    // A change of verb or of the whole view replaces what another case has changed.
    const apart = cases.filter(([, change]) => !("view" in change) && !("verb" in change));
    for (const [i, [name, change, expected]] of apart.entries()) {
      for (const [other, later] of apart.slice(i + 1)) {
        expect(code({ ...later, ...change }), `${name} + ${other}`).toBe(expected);
      }
    }
  });

  it.each([
    ["the deadline has passed", { nowMs: 2000, statusAtMs: 1990 }, "EXPIRED"],
    ["another holder", { given: { holder: "bench", epoch: 3 } }, "LEASE_REQUIRED"],
    ["an older epoch", { given: { holder: "c", epoch: 2 } }, "EXPIRED"],
    ["an epoch nobody has issued", { given: { holder: "c", epoch: 9 } }, "LEASE_REQUIRED"],
  ])("the lease: %s", (_, change, expected) => {
    const lease = !("nowMs" in change) ? good.lease : ({ at: "none", epoch: 3 } as const);
    expect(code({ ...change, lease })).toBe(expected);
  });

  it("a fact that the profile does not have is no reason, one that was not read is", () => {
    expect(code({ view: { ...view, homed: absent, remote: absent } })).toBe("-");
    expect(code({ view: { ...view, homed: missing } })).toBe("NOT_HOMED");
    expect(code({ view: { ...view, enabled: missing } })).toBe("NOT_ENABLED");
  });

  it("resetFault is allowed on a faulted drive that is not enabled and not homed", () => {
    const faulted = { ...view, enabled: yes(false), homed: yes(false), fault: yes() };
    const model = scriptedModel({ verbs: new Set(["resetFault"]) });
    expect(code({ verb: "resetFault", args: {}, device: "faulted", view: faulted, model })).toBe(
      "-",
    );
  });

  it("velocity without a verified watchdog needs a reason in the cell file", () => {
    const { acceptNoWatchdog: _, ...bare } = setup;
    const args = { velocity: 10 };
    const model = scriptedModel({ setup: bare });
    expect(code({ verb: "velocity", args, model })).toBe("NO_WATCHDOG");
    expect(code({ verb: "velocity", args })).toBe("-");
    const watched = scriptedModel({
      setup: bare,
      watchdog: { kind: "fixed", timeoutMs: 300, reaction: "stops" },
    });
    expect(code({ verb: "velocity", args, model: watched })).toBe("-");
  });

  it("no argument may be other than a finite number", () => {
    expect(code({ args: { position: Number.NaN } })).toBe("VALIDATION_FAILED");
  });
});
