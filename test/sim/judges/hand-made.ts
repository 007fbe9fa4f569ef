/**
 * Lines of a hand-made trace, and the facts of the small cell that they speak of.
 *
 * The idea: a case says only what it is about; everything else has one value here. It refuses to
 * play anything.
 */
import type { JudgedDevice, JudgeFacts } from "#simulators/judges/judge.js";
import type { LineOf, NodeLine, TraceLine } from "#simulators/judges/trace.js";

/** What starts a motion, what stops one, a plain write and a read, as frames. */
export const trigger = "063100003f";
export const stopFrame = "060000000b";
export const write = "0620000064";
export const read = "0300000002";
export const boot = "driver-x-1";

function axis(id: string): JudgedDevice {
  return {
    id,
    kind: "axis",
    travel: [0, 800],
    velocityMax: 500,
    accelerationMax: 2500,
    pollMs: 20,
    tolerance: 0.5,
    isTrigger: (pdu) => pdu === trigger,
    isStop: (pdu) => pdu === stopFrame,
  };
}

export const facts: JudgeFacts = {
  devices: [axis("x"), axis("z"), { ...axis("gripper"), kind: "other", travel: [0, 255] }],
  interlocks: [
    {
      name: "z-up",
      moves: ["x"],
      margin: 100,
      holds: (position) => {
        const z = position("z");
        return z === undefined ? undefined : z >= 50;
      },
    },
  ],
  leaseMs: 1000,
  stopBeginMs: 100,
  standstillMs: 2000,
  healedMs: 30_000,
  endMs: 60_000,
};

export const lease = (at: number, change: "granted" | "ended", epoch = 1): TraceLine => {
  return { at, kind: "lease", device: "x", change, epoch };
};
export const granted = (at: number, epoch = 1) => lease(at, "granted", epoch);
export const ended = (at: number, epoch = 1) => lease(at, "ended", epoch);
export const beat = (at: number): TraceLine => ({ at, kind: "beat", device: "x", boot });
/** A beat every 100 ms. */
export function beats(from: number, to: number): TraceLine[] {
  const count = Math.floor((to - from) / 100) + 1;
  return Array.from({ length: count }, (_, i) => beat(from + 100 * i));
}

export const stop = (at: number, id = "s1", device = "x"): TraceLine => {
  return { at, kind: "stopDelivered", device, id, road: "mqtt", boot };
};
export const handed = (at: number, pdu: string, by = boot): TraceLine => {
  return { at, kind: "handed", device: "x", lane: "command", pdu, boot: by };
};
/** `reply`: what the device answered; null: nothing. */
export function frame(at: number, pdu: string, reply: string | null = "06"): TraceLine {
  return { at, kind: "frame", device: "x", pdu, ...(reply === null ? {} : { reply }) };
}
export const moves = (at: number, position = 0, device = "x"): TraceLine => {
  return { at, kind: "motion", device, moving: true, position };
};
export const rests = (at: number, position = 900, device = "x"): TraceLine => {
  return { at, kind: "motion", device, moving: false, position };
};
export const at = (moment: number, device: string, position: number): TraceLine => {
  return { at: moment, kind: "truth", device, moving: true, position, velocity: 10 };
};
export const node = (moment: number, kind: NodeLine["kind"], name: string): TraceLine => {
  return { at: moment, kind, node: name };
};
export const reach = (moment: number, ok: boolean): TraceLine => {
  const text = ok ? "x answers again" : "x is cut off";
  return { at: moment, kind: "fault", text, reach: { devices: ["x"], ok } };
};

export function command(
  moment: number,
  id: string,
  verb: string,
  args: object = {},
  epoch = 1,
): TraceLine {
  const body = JSON.stringify({ verb, args, lease: { holder: "coordinator", epoch } });
  return { at: moment, kind: "command", from: "coordinator#1", id, device: "x", verb, body };
}
export function verdict(
  moment: number,
  id: string,
  word: LineOf<"verdict">["verdict"],
  position = 0,
  moving = false,
): TraceLine {
  return { at: moment, kind: "verdict", id, device: "x", verdict: word, position, moving };
}
export const intent = (moment: number, id: string): TraceLine => {
  return { at: moment, kind: "intent", id, run: "r1", step: "1", part: "0" };
};
export const run = (moment: number, state: string, isEnded: boolean): TraceLine => {
  return { at: moment, kind: "run", run: "r1", saga: "pick-place", state, ended: isEnded };
};
export const leftOver = (what: LineOf<"leftOver">["what"]): TraceLine => {
  return { at: 60_000, kind: "leftOver", what, text: `${what} of x` };
};
export function lastState(shown: Partial<LineOf<"lastState">>, device = "x"): TraceLine {
  const still = { position: 10, moving: false, truePosition: 10, trueMoving: false };
  return { at: 60_000, kind: "lastState", device, q: "good", ...still, ...shown };
}
type Way = LineOf<"event">["way"];
export function event(way: Way, seq: number, id = `e${seq}`): TraceLine {
  const by = way === "heard" || way === "taken" ? "historian" : "driver-x";
  const path = "event/axis/x/moved";
  return { at: 100 * seq, kind: "event", way, source: "driver-x", by, seq, id, path };
}
