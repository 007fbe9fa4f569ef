/**
 * Traces that break a promise about motion, and their neighbours that keep it.
 *
 * The idea: each case that bites has one beside it that differs in the one thing that matters. It
 * refuses to be a world: a line more than the case needs would hide what the judge looks at.
 */
import type { TraceLine } from "#simulators/judges/trace.js";
import {
  at,
  beat,
  beats,
  command,
  ended,
  frame,
  granted,
  handed,
  leftOver,
  moves,
  node,
  reach,
  read,
  rests,
  stop,
  stopFrame,
  trigger,
  verdict,
  write,
} from "./hand-made.js";

/** Judge, situation, trace, number of findings. */
export type Case = readonly [string, string, readonly TraceLine[], number];

const leased = [granted(1), ...beats(10, 500)];

/** A trigger in a trace that writes down writes only. */
function told(readAgoMs: number): TraceLine {
  return { ...frame(300, trigger), readAgoMs } as TraceLine;
}

const freed: TraceLine = { at: 5, kind: "fault", text: "over", freed: "x" };
const otherFreed: TraceLine = { at: 5, kind: "fault", text: "over", freed: "y" };
const underLease: readonly Case[] = [
  ["motion-under-lease", "no lease at all", [beat(5), moves(10)], 1],
  ["motion-under-lease", "a live lease", [...leased, moves(510), rests(600)], 0],
  ["motion-under-lease", "beats that ended long ago", [...leased, moves(2000), rests(2100)], 1],
  [
    "motion-under-lease",
    "the first beat is still to come",
    [granted(1), moves(500), rests(600)],
    0,
  ],
  ["motion-under-lease", "ended just now", [...leased, ended(520), moves(560), rests(600)], 0],
  ["motion-under-lease", "ended", [...leased, ended(520), moves(580), rests(600)], 1],
  [
    "motion-under-lease",
    "beats of a lease that has lapsed",
    [...leased, ...beats(2000, 3000), moves(2500), rests(2600)],
    1,
  ],
  [
    "motion-under-lease",
    "its driver was killed",
    [...leased, node(520, "killed", "driver-x#1"), moves(600), rests(700)],
    1,
  ],
  ["motion-under-lease", "a shaft that was held comes free", [freed, moves(10), rests(290)], 0],
  ["motion-under-lease", "moved long after it came free", [freed, moves(60), rests(290)], 1],
  ["motion-under-lease", "goes on after it came free", [freed, moves(10), rests(320)], 1],
  ["motion-under-lease", "another one came free", [otherFreed, moves(10), rests(290)], 1],
  ["motion-under-lease", "a set-point that settles", [moves(10, 5.2), rests(20, 5)], 0],
  [
    "motion-under-lease",
    "the status is old",
    [...leased, frame(10, read, "03"), frame(175, trigger)],
    1,
  ],
  [
    "motion-under-lease",
    "the status is fresh",
    [...leased, frame(10, read, "03"), frame(165, trigger)],
    0,
  ],
  [
    "motion-under-lease",
    "the newest read was answered with an exception",
    [...leased, frame(10, read, "03"), frame(160, read, "8304"), frame(175, trigger)],
    1,
  ],
  [
    "motion-under-lease",
    "the device was cut off when the status grew old",
    [...leased, frame(10, read, "03"), reach(90, false), reach(150, true), frame(175, trigger)],
    0,
  ],
  ["motion-under-lease", "a read long ago, as told beside it", [...leased, told(161)], 1],
  ["motion-under-lease", "a read just now, as told beside it", [...leased, told(160)], 0],
  ["motion-under-lease", "no read ever", [...leased, told(Number.POSITIVE_INFINITY)], 1],
  ["motion-under-lease", "no reads in the trace", [...leased, frame(300, trigger)], 0],
  ["motion-under-lease", "no end", [...leased, moves(400), ended(510)], 1],
  ["motion-under-lease", "rest in time", [...leased, moves(400), ended(510), rests(2500)], 0],
  [
    "motion-under-lease",
    "no stop frame after the end of the lease",
    [...leased, moves(400), frame(405, read, "03"), ended(510), rests(2500)],
    1,
  ],
  [
    "motion-under-lease",
    "a stop frame after the end of the lease",
    [...leased, moves(400), ended(510), frame(600, stopFrame), rests(2500)],
    0,
  ],
  [
    "motion-under-lease",
    "no stop frame after the beats have ended",
    [...leased, moves(400), frame(405, read, "03"), rests(2900)],
    1,
  ],
  [
    "motion-under-lease",
    "the driver hangs and the bus stops its axis late",
    [
      ...leased,
      moves(400),
      node(505, "stalled", "driver-x#1"),
      frame(2900, stopFrame),
      rests(3000),
    ],
    0,
  ],
  [
    "motion-under-lease",
    "a newer lease",
    [...leased, moves(400), ended(510), granted(550, 2), ...beats(560, 5000), rests(5000)],
    0,
  ],
];

const afterStop: readonly Case[] = [
  ["nothing-after-stop", "a write is handed over", [stop(10), handed(11, write)], 1],
  ["nothing-after-stop", "a read is handed over", [stop(10), handed(11, read)], 0],
  ["nothing-after-stop", "a newer lease", [stop(10), granted(20), handed(21, write)], 0],
  ["nothing-after-stop", "another start", [stop(10), handed(21, write, "driver-x-2")], 0],
  ["nothing-after-stop", "a trigger arrives", [stop(10), frame(61, trigger)], 1],
  ["nothing-after-stop", "a trigger was on the wire", [stop(10), frame(60, trigger)], 0],
  [
    "nothing-after-stop",
    "a repeat of the order gives no more slack",
    [stop(10), stop(55), frame(90, trigger)],
    1,
  ],
  ["nothing-after-stop", "a plain write arrives", [stop(10), frame(61, write)], 0],
  ["nothing-after-stop", "after a newer lease", [stop(10), granted(20), frame(99, trigger)], 0],
  [
    "nothing-after-stop",
    "the bus process slept with the trigger in its queue",
    [node(5, "stalled", "bus#1"), stop(10), node(400, "resumed", "bus#1"), frame(401, trigger)],
    0,
  ],
];

const begins: readonly Case[] = [
  ["stop-begins", "an axis that goes on", [moves(1), stop(10), frame(20, stopFrame)], 1],
  [
    "stop-begins",
    "an axis that comes to rest",
    [moves(1), stop(10), frame(20, stopFrame), rests(1900)],
    0,
  ],
  ["stop-begins", "no stop frame", [moves(1), stop(10), frame(20, write), rests(500)], 1],
  ["stop-begins", "a late stop frame", [moves(1), stop(10), frame(111, stopFrame), rests(500)], 1],
  ["stop-begins", "at rest before any frame", [moves(1), stop(10), frame(20, read), rests(90)], 0],
  ["stop-begins", "an axis that stands", [stop(10), frame(200, read)], 0],
  [
    "stop-begins",
    "a stop that has already begun",
    [moves(1), frame(5, stopFrame), stop(10), rests(500)],
    0,
  ],
  [
    "stop-begins",
    "the device was cut off",
    [moves(1), reach(5, false), stop(10), reach(900, true), frame(990, stopFrame), rests(1200)],
    0,
  ],
  [
    "stop-begins",
    "the device was cut off before",
    [
      reach(-9000, false),
      reach(-5000, true),
      moves(1),
      stop(10),
      frame(990, stopFrame),
      rests(1200),
    ],
    1,
  ],
  [
    "stop-begins",
    "its driver is killed, and nobody stops the axis",
    [moves(1), stop(10), node(11, "killed", "driver-x#1")],
    1,
  ],
  ["stop-begins", "the trace ends before", [moves(59_990), stop(59_995), frame(59_996, read)], 0],
];

const homing = command(1, "h", "home");
const homed = verdict(60, "h", "done");
const rebooted: TraceLine = { kind: "fault", at: 70, text: "x lost its power", rebooted: "x" };

const limitCases: readonly Case[] = [
  ["limits", "beyond the travel", [at(1, "x", 799), at(50, "x", 800.6)], 1],
  ["limits", "within the tolerance", [at(1, "x", 799), at(50, "x", 800.4)], 0],
  ["limits", "once for each excursion", [1, 2, 3].map((n) => at(n, "x", 800 + n)), 1],
  ["limits", "it looks for its home", [homing, at(2, "x", 799), at(50, "x", 850)], 0],
  ["limits", "it is still to be homed", [at(2, "x", 799), at(50, "x", 850), homing], 0],
  ["limits", "after its homing", [homing, homed, at(80, "x", 799), at(90, "x", 850)], 1],
  [
    "limits",
    "it has lost its power and its place",
    [homing, homed, rebooted, at(80, "x", 799), at(90, "x", 850)],
    0,
  ],
  ["limits", "back from where it was left", [at(1, "x", 810), at(50, "x", 805)], 0],
  ["limits", "no axis, no travel", [at(1, "nobody", 0), at(50, "nobody", 5000)], 0],
  ["limits", "through an interlock", [at(1, "z", 40), moves(10), rests(600)], 1],
  ["limits", "an interlock that holds", [at(1, "z", 60), moves(10), rests(600)], 0],
  ["limits", "nobody knows where z is", [moves(10), rests(600)], 0],
  ["limits", "stopped in time", [moves(1), at(10, "z", 40), rests(500)], 0],
  ["limits", "stopped late", [moves(1), at(10, "z", 40), rests(540)], 1],
  ["limits", "it holds again", [moves(1), at(10, "z", 40), at(500, "z", 60), rests(3000)], 0],
  ["limits", "the axis was cut off", [moves(1), reach(5, false), at(10, "z", 40), rests(3000)], 0],
];

/** From here on axes are only switched off and on. */
const energy: TraceLine = { at: 50_000, kind: "pressed", what: "energy", text: "off and on" };
const lent = [granted(50_010), ...beats(50_020, 58_000)];

const rest: readonly Case[] = [
  ["disarmed", "an axis that moves when enabled", [leftOver("armed")], 1],
  ["disarmed", "a lock is another judge's", [leftOver("lock")], 0],
  ["disarmed", "a motion that nobody ordered", [granted(1), ended(90), moves(40_000)], 1],
  [
    "disarmed",
    "the last motion of a lease",
    [granted(40_000), ...beats(40_010, 42_000), moves(40_100), ended(42_000), rests(43_900)],
    0,
  ],
  [
    "disarmed",
    "a motion between two leases",
    [granted(1), ended(90), moves(40_000), rests(41_000), ...lent],
    1,
  ],
  [
    "disarmed",
    "an axis that moves when it is switched on",
    [energy, ...lent, command(50_020, "a", "enable"), moves(50_200), rests(50_900)],
    1,
  ],
  [
    "disarmed",
    "an axis that stays when it is switched on",
    [energy, ...lent, command(50_020, "a", "enable")],
    0,
  ],
  [
    "disarmed",
    "an axis that was sent somewhere",
    [energy, ...lent, command(50_020, "a", "moveTo"), moves(50_200), rests(50_900)],
    0,
  ],
  ["disarmed", "before the world was healed", [granted(1), ended(90), moves(200), rests(2900)], 0],
];

export const motionCases: readonly Case[] = [
  ...underLease,
  ...afterStop,
  ...begins,
  ...limitCases,
  ...rest,
];
