/**
 * The judge of words: a verdict says what is true of the plant.
 *
 * The idea: `done` of a move means that the axis stands where it was sent, `done` of a stop that it
 * stands, and `refused` that nothing of the command has reached the device. It refuses to judge
 * `faulted` and `unknown`: those claim nothing.
 */
import type { Finding, Judge, JudgedDevice, JudgeFacts } from "./judge.js";
import { sortedFrames } from "./sorted-frames.js";
import { exchangeMsOf, motionAt, motionsOf, ms, someWithin } from "./timeline.js";
import { type LineOf, linesOf, type TraceLine } from "./trace.js";
import { bodyOf, triggerBook } from "./triggers.js";

type Found = Omit<Finding, "judge">;

export const honestVerdicts: Judge = {
  name: "honest-verdicts",
  promise: "Done means that the axis stands as commanded; refused, that nothing reached it.",
  find(trace: readonly TraceLine[], facts: JudgeFacts): readonly Found[] {
    const verdicts = firstVerdicts(trace);
    return [
      ...refusedAndSent(trace, facts, verdicts),
      ...wrongPlaces(trace, facts, verdicts),
      ...doneAndMoving(trace, facts, verdicts),
    ];
  },
};

/** An answer may be repeated long after; only the first was given about this moment. */
function firstVerdicts(trace: readonly TraceLine[]): ReadonlyMap<string, LineOf<"verdict">> {
  const firsts = new Map<string, LineOf<"verdict">>();
  for (const line of linesOf(trace, "verdict")) {
    const key = keyOf(line);
    if (!firsts.has(key)) firsts.set(key, line);
  }
  return firsts;
}

/** A stop order has one id for many devices. */
function keyOf({ id, device }: { readonly id: string; readonly device: string }): string {
  return `${device} ${id}`;
}

type Verdicts = ReadonlyMap<string, LineOf<"verdict">>;

function refusedAndSent(trace: readonly TraceLine[], facts: JudgeFacts, verdicts: Verdicts) {
  const { byId } = triggerBook(trace, facts);
  const found: Found[] = [];
  for (const [id, frames] of byId) {
    const first = frames[0];
    if (first === undefined) continue;
    const verdict = verdicts.get(keyOf({ id, device: first.device }));
    if (verdict?.verdict !== "refused") continue;
    const text = `${id} was refused at ${ms(verdict.at)}, and ${first.pdu} reached the device`;
    found.push({ at: first.at, device: first.device, text });
  }
  return found;
}

/** Where each device was sent last, and where it stood when the next command left. */
interface Place {
  /** True position of the newest `truth` line. */
  position?: number;
  /** End of the last finished move: relative moves count from there. */
  ended?: number;
}

function wrongPlaces(trace: readonly TraceLine[], facts: JudgeFacts, verdicts: Verdicts): Found[] {
  const devices = new Map(facts.devices.map((device) => [device.id, device]));
  const places = new Map<string, Place>();
  const targets = new Map<string, readonly number[]>();
  const found: Found[] = [];
  for (const line of trace) {
    if (!("device" in line) || line.device === undefined) continue;
    const place = places.get(line.device) ?? {};
    places.set(line.device, place);
    if (line.kind === "truth") place.position = line.position;
    else if (line.kind === "command") {
      if (!targets.has(line.id)) targets.set(line.id, targetsOf(line, place));
    } else if (line.kind === "verdict" && verdicts.get(keyOf(line)) === line) {
      const device = devices.get(line.device);
      const wanted = targets.get(line.id) ?? [];
      const near = wanted.find((target) => device && isAt(device, line.position, target));
      if (line.verdict === "done" && near !== undefined) place.ended = near;
      else if (wanted.length > 0) delete place.ended;
      if (line.verdict !== "done" || wanted.length === 0 || near !== undefined) continue;
      const text = `${line.id} is done at ${line.position}; it was sent to ${wanted.join(" or ")}`;
      found.push({ at: line.at, device: line.device, text });
    }
  }
  return found;
}

/** Where a move may end; empty: it has no place, or nobody knows. */
function targetsOf(line: LineOf<"command">, { position, ended }: Place): readonly number[] {
  const args = bodyOf(line)?.args ?? {};
  if (line.verb === "moveTo" && typeof args.position === "number") return [args.position];
  const { distance } = args;
  if (line.verb !== "moveBy" || typeof distance !== "number" || position === undefined) return [];
  return [position, ended ?? position].map((from) => from + distance);
}

function isAt({ tolerance, lag = 0, modulo }: JudgedDevice, position: number, target: number) {
  const off = Math.abs(position - target);
  const turned = modulo === undefined ? off : off % modulo;
  const least = modulo === undefined ? turned : Math.min(turned, modulo - turned);
  return least <= tolerance + lag;
}

function doneAndMoving(trace: readonly TraceLine[], facts: JudgeFacts, verdicts: Verdicts) {
  const motions = motionsOf(trace, facts);
  const frames = sortedFrames(trace, facts);
  const stands = new Set(linesOf(trace, "stopDelivered").map((line) => line.id));
  for (const { id, verb } of linesOf(trace, "command")) {
    if (["moveTo", "moveBy", "stop", "quickStop", "home", "jog"].includes(verb)) stands.add(id);
  }
  const found: Found[] = [];
  for (const { id, at, device, verdict, moving } of verdicts.values()) {
    if (verdict !== "done" || !moving || !stands.has(id)) continue;
    // The plant is looked at in steps: the end of a motion may be noted a moment later.
    const motion = motionAt(motions.get(device), at);
    if (motion === undefined || motion.settles) continue;
    if (motion.to - at <= exchangeMsOf(facts)) continue;
    // The next move began before that moment was over: nobody has seen the rest between them.
    if (someWithin(frames.get(device)?.triggers, at, at + exchangeMsOf(facts))) continue;
    found.push({ at, device, text: `${id} is done, and ${device} moves` });
  }
  return found;
}
