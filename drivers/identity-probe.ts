/**
 * Whether a device that nobody knows could be of a profile, by reading alone.
 *
 * The idea: a profile is tried with a made-up installation (scales do not matter here): its
 * status and the points of its probe are read, and the answer is certain, possible or no. It
 * refuses profiles that cannot be driven, to be certain of what a blank slave would say as well,
 * and it has no writes.
 */
import { compileDevice, setupProblems } from "./compile.js";
import type { AxisSetup, DeviceModel, DeviceSetup, ReadRequest } from "./device-model.js";
import type { Profile } from "./profile.js";
import { planReads, pollGroup } from "./read-plan.js";
import type { Reading } from "./reading.js";

export interface Fit {
  /**
   * certain: the probe holds, and would not for a slave that says the same at every address;
   * possible: nothing contradicts it; no: it is something else.
   */
  readonly fit: "certain" | "possible" | "no";
  readonly text: string;
}

export interface IdentityProbe {
  readonly profile: Profile;
  /** Reads only; in the order in which they tell most. */
  readonly requests: readonly ReadRequest[];
  /** What the replies (PDUs, in order of the requests) say together. */
  judge(replies: readonly Uint8Array[]): Fit;
}

const units = { servo: "mm", inverter: "percent" } as const;

/** Undefined for a profile that no unknown device can be tried against. */
export function identityProbe(profile: Profile): IdentityProbe | undefined {
  const model = madeUp(profile);
  if (model === undefined) return undefined;
  const { probe } = profile.identity;
  const asked = Array.isArray(probe) ? pointsIn(probe) : [];
  const readable = asked.filter((name) => profile.points[name]?.read !== undefined);
  const requests = planReads(profile, [...readable, ...pollGroup(profile, "fast")]);
  if (requests.length === 0) return undefined;
  const weak = blanks.some((word) => {
    return (
      judge(
        model,
        requests,
        requests.map((one) => blankReply(one, word)),
      ).fit !== "no"
    );
  });
  return {
    profile,
    requests,
    judge: (replies) => {
      const found = judge(model, requests, replies);
      return weak && found.fit === "certain" ? { ...found, fit: "possible" } : found;
    },
  };
}

/** What every register holds of a slave that is nothing in particular. */
const blanks = [0, 1, 0xffff] as const;

function blankReply({ fc, count }: ReadRequest, word: number): Uint8Array {
  const bits = fc <= 2;
  const size = bits ? Math.ceil(count / 8) : 2 * count;
  const bytes = Array.from({ length: size }, (_, i) => {
    if (bits) return (word & 1) * 0xff;
    return i % 2 === 0 ? word >> 8 : word & 0xff;
  });
  return Uint8Array.of(fc, size, ...bytes);
}

function madeUp(profile: Profile): DeviceModel | undefined {
  if (profile.unsupported !== undefined) return undefined;
  const constants = Object.entries(profile.constants).flatMap(([name, { default: usual }]) =>
    usual === undefined ? [[name, 1]] : [],
  );
  const unit = profile.kind === "servo" || profile.kind === "inverter" ? units[profile.kind] : "";
  const setup: DeviceSetup = {
    device: "unknown",
    unit: 1,
    constants: Object.fromEntries(constants),
    ...(unit === "" ? {} : { axis: axisIn(unit) }),
  };
  return setupProblems(profile, setup).length > 0 ? undefined : compileDevice(profile, setup);
}

function axisIn(unit: AxisSetup["unit"]): AxisSetup {
  return {
    kind: unit === "mm" ? "linear" : "rotary",
    unit,
    countsPerRev: 1,
    gear: { motor: 1, output: 1 },
    perRev: 1,
    velocityMax: 1,
    accelerationMax: 1,
    tolerance: 1,
    whenOff: "stays",
  };
}

/** Names that stand under a key `point`, at any depth. */
function pointsIn(value: unknown): readonly string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === "point" && typeof inner === "string" ? [inner] : pointsIn(inner),
  );
}

function judge(
  model: DeviceModel,
  requests: readonly ReadRequest[],
  replies: readonly Uint8Array[],
): Fit {
  const points = new Map<string, Reading<number>>();
  for (const [i, request] of requests.entries()) {
    const reply = replies[i];
    const values = reply === undefined ? "timeout" : model.decode(request, reply);
    if (typeof values === "string") {
      return { fit: "no", text: `${request.points.join(", ")} cannot be read (${values})` };
    }
    for (const [name, value] of values) points.set(name, { ok: true, value, atMs: 0 });
  }
  const identity = model.identityMatches(points);
  if (!identity.ok) return { fit: "no", text: identity.text };
  const { state } = model.view(points);
  if (state.ok && state.value === "unknown") {
    return { fit: "no", text: "its status word is none of this profile's states" };
  }
  const certain = identity.text !== probeAbsent(model);
  return { fit: certain ? "certain" : "possible", text: identity.text };
}

/** What identityMatches says where the profile has no probe. */
function probeAbsent(model: DeviceModel): string {
  return model.identityMatches(new Map()).ok ? model.identityMatches(new Map()).text : "";
}
