/**
 * Interleavings 10 and 24 for every profile there is, also for the next one that is added.
 *
 * The idea: each motion is set off on the simulated device, each stop class ends it, known, blind,
 * as the guardian's bare frames, or dying after its first frames; then reset and enable: nothing
 * may move. A profile that is broken on purpose has to be caught by the same walk. Refuses wall
 * time.
 */
import { describe, expect, it } from "vitest";
import type { StopClass } from "#drivers/device-model.js";
import type { Profile } from "#drivers/profile.js";
import { loadProfile, profileIds } from "#drivers/profile-loader.js";
import { type Motion, motionsOf, setUp } from "../../fixtures/profile-setups.js";
import type { ProfileWalk } from "../../fixtures/profile-walks.js";

const done = { verdict: "done" };
const stopClasses = ["controlled", "fast", "coast", "disable"] as const;
/** How far a device settles after a stop, in its raw unit. */
const settles = 20;

function profileOf(id: string): Profile {
  const loaded = loadProfile(id);
  if (!loaded.ok) throw new TypeError(`${id}: ${loaded.problems[0]?.message}`);
  return loaded.value;
}

const moving = profileIds()
  .map(profileOf)
  .filter(({ kind, unsupported }) => kind !== "io" && unsupported === undefined);
const classesOf = ({ stops }: Profile) => stopClasses.filter((one) => stops[one] !== undefined);

function ready(profile: Profile, driven = profile, until: "home" | "grip" = "home"): ProfileWalk {
  const walk = setUp(profile, driven);
  for (const verb of ["enable", until] as const) {
    if (walk.model.verbs.has(verb)) expect(walk.run(verb)).toMatchObject(done);
  }
  return walk;
}

/** Under way, and where it stands and which way it goes when the stop comes. */
interface UnderWay {
  readonly walk: ProfileWalk;
  readonly at: number;
  readonly way: number;
}

function underWay(profile: Profile, { verb, args }: Motion, driven = profile): UnderWay {
  const walk = ready(profile, driven, verb === "release" ? "grip" : "home");
  // What has been homed is led away, so that homing again is a way.
  const [away] = motionsOf(profile).filter((one) => one.verb === "moveTo");
  if (verb === "home" && away !== undefined) {
    expect(walk.run("moveTo", { ...away.args, position: 300 })).toMatchObject(done);
  }
  walk.run(verb, args, () => walk.pass(145));
  const from = walk.sim.position;
  walk.pass(5);
  expect(walk.sim.moving, `${verb} must be under way`).toBe(true);
  return { walk, at: walk.sim.position, way: Math.sign(walk.sim.position - from) };
}

type Ended = (walk: ProfileWalk, stopClass: StopClass) => void;

/** Ways in which a stop comes about; after each the plant has to stand. */
const ways: { readonly [how: string]: Ended } = {
  "with fresh readings": (walk, stopClass) => {
    expect(walk.stop(stopClass, true)).toMatchObject(done);
  },
  blind: (walk, stopClass) => expect(walk.stop(stopClass, false)).toMatchObject(done),
  "by the guardian's frames alone": (walk, stopClass) => {
    for (const frame of walk.model.stops[stopClass]?.blind ?? []) walk.exchange(frame);
    walk.pass(2500);
  },
  "dying after its first frame": (walk, stopClass) => {
    walk.stopCut(stopClass, true, 1);
    walk.pass(2500);
  },
  "dying after its second frame": (walk, stopClass) => {
    walk.stopCut(stopClass, true, 2);
    walk.pass(2500);
  },
};

function staysAfter({ walk, at, way }: UnderWay, { kind }: Profile): void {
  // "At rest" is said from 2 rpm downwards.
  walk.pass(50);
  expect(walk.sim.moving, "it must have come to rest").toBe(false);
  const before = walk.sim.position;
  expect((before - at) * way, "no stop goes back").toBeGreaterThanOrEqual(-settles);
  // A gripper is enabled by a full stroke; its own tests say so.
  const verbs = kind === "gripper" ? [] : (["resetFault", "enable"] as const);
  for (const verb of verbs) {
    if (walk.model.verbs.has(verb)) expect(walk.run(verb)).toMatchObject(done);
  }
  walk.pass(3000);
  walk.table();
  expect(Math.abs(walk.sim.position - before)).toBeLessThanOrEqual(settles);
  expect(walk.sim.moving).toBe(false);
}

describe("every profile that moves something", () => {
  it("has a motion to be judged by, and a stop class unless it says that there is none", () => {
    expect(moving.length).toBeGreaterThan(30);
    for (const profile of moving) {
      expect(motionsOf(profile), profile.id).not.toEqual([]);
      const told = classesOf(profile).length > 0 || profile.missing.stop !== undefined;
      expect(told, profile.id).toBe(true);
    }
  });

  it("says of each verb whether it may move something, also of a gripper's enable", () => {
    const own: { readonly [id: string]: readonly string[] } = {
      "dh/ag-95": ["enable"],
      "robotiq/2f": ["enable", "resetFault"],
    };
    for (const profile of moving) {
      const motions = motionsOf(profile).map(({ verb }) => verb);
      const movers = [...(setUp(profile).model.movers ?? [])];
      expect(movers.sort(), profile.id).toEqual([...motions, ...(own[profile.id] ?? [])].sort());
    }
  });

  it.each(moving.map((profile) => ({ id: profile.id, profile })))(
    "$id sends the trigger of a motion once, also when its reply is lost",
    ({ profile }) => {
      for (const { verb, args } of motionsOf(profile)) {
        const walk = ready(profile, profile, verb === "release" ? "grip" : "home");
        walk.writes.length = 0;
        const [trigger, ...more] = walk.runDeaf(verb, args);
        expect(trigger, verb).toBeDefined();
        expect(more, verb).toEqual([]);
        const sent = walk.writes.filter((pdu) => pdu === trigger);
        expect(sent, verb).toHaveLength(1);
      }
    },
  );

  it.each(moving.map((profile) => ({ id: profile.id, profile })))(
    "$id: a trigger that is lost on its way is never told as done, whatever was done before it",
    ({ profile }) => {
      const moves = motionsOf(profile);
      const away = moves.find(({ verb, args }) => verb === "moveTo" && "position" in args);
      for (const { verb, args } of moves) {
        const walk = ready(profile, profile, verb === "release" ? "grip" : "home");
        // Straight behind another motion: what that one has left must not pass for this one.
        if (away !== undefined) {
          const { position = 0 } = away.args;
          expect(walk.run("moveTo", { ...away.args, position: position / 2 })).toMatchObject(done);
        }
        expect(walk.runMute(verb, args).verdict, verb).not.toBe("done");
      }
    },
  );

  const all = moving.flatMap((profile) => {
    return classesOf(profile).map((stopClass) => ({ id: profile.id, stopClass, profile }));
  });
  it.each(all)("$id: interleaving 24 by $stopClass, however the stop ends: not moved", (one) => {
    const { stopClass, profile } = one;
    const walks = profile.stops[stopClass]?.blind.length ?? 0;
    // A relative move is an absolute one to every device here.
    for (const motion of motionsOf(profile).filter(({ verb }) => verb !== "moveBy")) {
      for (const [how, end] of Object.entries(ways)) {
        if (how.includes("guardian") && walks === 0) continue;
        const under = underWay(profile, motion);
        end(under.walk, stopClass);
        staysAfter(under, profile);
      }
    }
  });

  it.each(all)(
    "$id: interleaving 10: $stopClass of a device at rest, on or off, moves and powers nothing",
    (one) => {
      const { stopClass, profile } = one;
      for (const on of [false, true]) {
        const walk = on ? ready(profile) : setUp(profile);
        const before = walk.sim.position;
        const frames = walk.model.stops[stopClass]?.blind ?? [];
        for (const frame of [...frames, ...frames]) walk.exchange(frame);
        walk.pass(2000);
        if (!on && profile.status.flags.enabled !== undefined) {
          const { enabled } = walk.view();
          const self = profile.operations.enable === undefined || selfEnabling.has(profile.id);
          if (!self) expect(enabled).toMatchObject({ value: false });
        }
        expect(Math.abs(walk.sim.position - before)).toBeLessThanOrEqual(settles);
        expect(walk.sim.moving).toBe(false);
      }
    },
  );
});

/** Drives that are under power as soon as they have their supply. */
const selfEnabling = new Set(["leadshine/iem-rs", "leadshine/cs2rs", "oriental-motor/az"]);

describe("a reset", () => {
  const able = moving.filter(({ id, kind, operations }) => {
    return kind !== "gripper" && operations.resetFault !== undefined && id !== "oriental-motor/az";
  });
  // The AZ has no enable of its own: it is under power whenever it has no alarm.
  it.each(able.map((profile) => ({ id: profile.id, profile })))(
    "$id: of a fault on the way brings no power back, and nothing moves",
    ({ profile }) => {
      const motion = motionsOf(profile).find(({ verb }) => verb !== "home");
      if (motion === undefined) throw new TypeError("no motion");
      const { walk } = underWay(profile, motion);
      walk.sim.setFault("trip", undefined, walk.nowMs);
      walk.pass(3000);
      walk.sim.clearFaults();
      const before = walk.sim.position;
      expect(walk.run("resetFault")).toMatchObject(done);
      walk.pass(3000);
      expect(walk.view().enabled).toMatchObject({ value: false });
      expect(Math.abs(walk.sim.position - before)).toBeLessThanOrEqual(settles);
    },
  );
});

describe("profiles that are broken on purpose", () => {
  type Stop = NonNullable<Profile["stops"][StopClass]>;
  const broken = (id: string, stopClass: StopClass, change: (stop: Stop) => Partial<Stop>) => {
    const profile = profileOf(id);
    const stop = profile.stops[stopClass];
    if (stop === undefined) throw new TypeError(`${id} has no ${stopClass}`);
    const stops = { ...profile.stops, [stopClass]: { ...stop, ...change(stop) } };
    return { profile, driven: { ...profile, stops }, stopClass };
  };
  const mutants = {
    "IAI: a pause whose rest is not thrown away": broken(
      "iai/robo-cylinder",
      "controlled",
      (stop) => ({
        steps: stop.steps.slice(0, 1),
      }),
    ),
    "ASDA: another command than 1000": broken("delta/asda-a2", "controlled", () => ({
      blind: [{ write: { prCommand: 1 } }],
    })),
    "AZ: another bit than STOP": broken("oriental-motor/az", "controlled", () => ({
      blind: [{ write: { inputOnce: 0x10 } }],
    })),
    "Leadshine: homing instead of the quick stop": broken("leadshine/cs2rs", "fast", () => ({
      blind: [{ write: { prTrigger: 0x20 } }],
    })),
    "V20: OFF2 without a word": broken("siemens/v20", "fast", () => ({
      blind: [{ write: { controlword: 0x047f } }],
    })),
  };
  it.each(Object.entries(mutants))(
    "%s is caught by the walk",
    (_, { profile, driven, stopClass }) => {
      const motion = motionsOf(profile).find(
        ({ verb }) => verb === "moveTo" || verb === "velocity",
      );
      if (motion === undefined) throw new TypeError("no motion");
      expect(() => {
        const under = underWay(profile, motion, driven);
        const { walk } = under;
        expect(walk.stop(stopClass, false)).toMatchObject(done);
        // The bare start of what was paused: enable throws the rest away once more.
        if (profile.id.startsWith("iai")) walk.exchange(Uint8Array.of(5, 0x04, 0x0a, 0, 0));
        staysAfter(under, profile);
      }).toThrow();
    },
  );
});

describe("MO-21: what would be written as 0", () => {
  it.each([
    ["feetech/sm-c002", "moveTo", { position: 200, velocity: 0.3 }],
    ["nimotion/lms", "moveTo", { position: 100, velocity: 0.05 }],
    ["generic/axis", "moveTo", { position: 100, velocity: 0.01 }],
    ["kinco/fd5p", "moveTo", { position: 100, velocity: 5, deceleration: 0.01 }],
    ["kinco/cd3", "velocity", { velocity: 5, acceleration: 0.01 }],
    ["kinco/fd5p", "velocity", { velocity: 1e-9 }],
  ] as const)("%s %s %j is refused with nothing sent", (id, verb, args) => {
    const walk = ready(profileOf(id));
    walk.writes.length = 0;
    expect(walk.run(verb, args)).toMatchObject({ verdict: "refused", code: "LIMIT_EXCEEDED" });
    expect(walk.writes).toEqual([]);
  });
});
