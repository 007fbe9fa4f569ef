/**
 * The stop machine, by its full table.
 *
 * The idea: every state meets every input once; what comes out stands in one line. It refuses to
 * look at frames: this is the machine alone.
 */
import { describe } from "vitest";
import { nextStop } from "../../../services/driver/stop.machine.js";
import {
  type Climb,
  type StopInput,
  type StopRules,
  type StopState,
  stopAtBoot,
} from "../../../services/driver/stop-state.js";
import { checkTable } from "./table.js";

const rules: StopRules = {
  nowMs: 10_000,
  classes: new Set(["controlled", "fast", "disable"]),
  whenOff: "falls",
  boundMs: { controlled: 3000, fast: 2000, coast: 5000, disable: 1000 },
  still: false,
};
const climb: Climb = {
  ids: ["s1"],
  ladder: ["controlled", "fast"],
  rung: 0,
  attempt: 1,
  attemptAtMs: 9900,
  frames: "pending",
  frameAtMs: 9900,
  done: false,
  stills: 0,
};
const bare: StopState = { ...stopAtBoot([], ["old"]), seen: true, generation: 5, attempts: 1 };
const stopping = (change: Partial<Climb> = {}, untilMs = 12_900): StopState => ({
  ...bare,
  latches: ["s1"],
  progress: { at: "stopping", untilMs, ...climb, ...change },
});
const owed = (silent: boolean, change: Partial<Climb> = {}): StopState => ({
  ...bare,
  latches: ["s1"],
  progress: { at: "owed", silent, ...climb, rung: 1, ...change },
});

function line(step: ReturnType<typeof nextStop>): string | undefined {
  if (step === undefined) return undefined;
  const { state, effects } = step;
  const { progress: p } = state;
  const silent = p.at === "owed" && p.silent ? " silent" : "";
  const done = p.at !== "none" && p.done ? " done" : "";
  const at =
    p.at === "none"
      ? "none"
      : `${p.at}${silent} #${p.attempt} ${p.ladder[p.rung]} ${p.frames}${done} ${p.stills}`;
  const said = effects.map((effect) => {
    if (effect.kind === "send") return `send ${effect.stopClass} #${effect.attempt}`;
    if (effect.kind === "ack") return `${effect.status}(${effect.ids.join(",")})`;
    if (effect.kind === "confirmed") return "confirmed!";
    if (effect.kind === "unconfirmed") return effect.critical ? "critical!" : "unconfirmed!";
    if (effect.kind === "began") return `began ${effect.id}`;
    return effect.kind;
  });
  return [`g${state.generation} ${at} [${state.latches.join(",")}]`, ...said].join("; ");
}

type Order = StopInput & { readonly kind: "order" };
const order = (id: string, change: Partial<Order> = {}): Order => ({
  ...{ kind: "order", id, stop: "stop", latch: true, reason: "stop", answer: true },
  ...change,
});
const frame = (outcome: "acked" | "refused" | "lost" | "notSent"): StopInput => ({
  ...{ kind: "frame", attempt: 1, outcome, sentAtMs: 9950 },
});

describe("stop machine, axis that falls without power", () => {
  checkTable<StopState, StopInput>("stop", {
    states: {
      none: bare,
      "none, state/stop not seen": { ...bare, seen: false },
      "stopping, frames pending": stopping(),
      "stopping, acked, one still": stopping({ frames: "acked", done: true, stills: 1 }),
      "stopping, failed, bound over": stopping({ frames: "failed", rung: 1 }, 10_000),
      "owed, silent": owed(true, { attemptAtMs: 1000, frames: "failed" }),
      "owed, answering": owed(false, { attemptAtMs: 1000, frames: "acked" }),
    },
    inputs: {
      "new order": order("s2"),
      "repeated order": order("s1"),
      "order without latch": order("s3", { latch: false }),
      "order that was reset": order("old"),
      quickStop: order("s4", { stop: "quickStop" }),
      "own order": order("drv-1", { latch: false, answer: false }),
      owe: { kind: "owe", id: "drv-2", reason: "no answer" },
      "frame acked": frame("acked"),
      "frame refused": frame("refused"),
      "frame lost": frame("lost"),
      "frame not sent": frame("notSent"),
      "frame of another attempt": { kind: "frame", attempt: 9, outcome: "acked", sentAtMs: 9950 },
      "class done": { kind: "classEnd", attempt: 1, ok: true, answered: true },
      "class failed": { kind: "classEnd", attempt: 1, ok: false, answered: true },
      "class unanswered": { kind: "classEnd", attempt: 1, ok: false, answered: false },
      "still reading": { kind: "reading", sentAtMs: 9960, still: true },
      "moving reading": { kind: "reading", sentAtMs: 9960, still: false },
      "reading from before the frame": { kind: "reading", sentAtMs: 9900, still: true },
      tick: { kind: "tick" },
      life: { kind: "life" },
      "reset of s1": { kind: "reset", ids: ["s1"] },
      "adopt s1": { kind: "adopt", ids: ["s1"], act: true },
      "adopt missed": { kind: "adopt", ids: ["s8", "s9"], act: true },
      "adopt missed, still": { kind: "adopt", ids: ["s9"], act: false },
      "adopt what was reset": { kind: "adopt", ids: ["old"], act: true },
    },
    run: (state, input) => line(nextStop(state, input, rules)),
    cells: {
      none: {
        "new order":
          "g6 stopping #2 controlled pending 0 [s2]; send controlled #2; endLease; received(s2); began s2; persist",
        "repeated order":
          "g6 stopping #2 controlled pending 0 [s1]; send controlled #2; endLease; received(s1); began s1; persist",
        "order without latch":
          "g6 stopping #2 controlled pending 0 []; send controlled #2; endLease; received(s3); began s3",
        "order that was reset": "g5 none []; received(old); confirmed(old)",
        quickStop:
          "g6 stopping #2 fast pending 0 [s4]; send fast #2; endLease; received(s4); began s4; persist",
        "own order":
          "g6 stopping #2 controlled pending 0 []; send controlled #2; endLease; began drv-1",
        owe: "g6 owed silent #2 controlled pending 0 []; send controlled #2; endLease",
        "frame acked": "-",
        "frame refused": "-",
        "frame lost": "-",
        "frame not sent": "-",
        "frame of another attempt": "-",
        "class done": "-",
        "class failed": "-",
        "class unanswered": "-",
        "still reading": "-",
        "moving reading": "-",
        "reading from before the frame": "-",
        tick: "-",
        life: "-",
        "reset of s1": "g5 none []; persist",
        "adopt s1":
          "g6 stopping #2 controlled pending 0 [s1]; send controlled #2; endLease; began s1; persist",
        "adopt missed":
          "g6 stopping #2 controlled pending 0 [s8,s9]; send controlled #2; endLease; began s9; persist",
        "adopt missed, still": "g6 none [s9]; endLease; persist",
        "adopt what was reset": "-",
      },
      "none, state/stop not seen": {
        "new order":
          "g6 stopping #2 controlled pending 0 [s2]; send controlled #2; endLease; received(s2); began s2; persist",
        "repeated order":
          "g6 stopping #2 controlled pending 0 [s1]; send controlled #2; endLease; received(s1); began s1; persist",
        "order without latch":
          "g6 stopping #2 controlled pending 0 []; send controlled #2; endLease; received(s3); began s3",
        "order that was reset": "g5 none []; received(old); confirmed(old)",
        quickStop:
          "g6 stopping #2 fast pending 0 [s4]; send fast #2; endLease; received(s4); began s4; persist",
        "own order":
          "g6 stopping #2 controlled pending 0 []; send controlled #2; endLease; began drv-1",
        owe: "g6 owed silent #2 controlled pending 0 []; send controlled #2; endLease",
        "frame acked": "-",
        "frame refused": "-",
        "frame lost": "-",
        "frame not sent": "-",
        "frame of another attempt": "-",
        "class done": "-",
        "class failed": "-",
        "class unanswered": "-",
        "still reading": "-",
        "moving reading": "-",
        "reading from before the frame": "-",
        tick: "-",
        life: "-",
        "reset of s1": "g5 none []; persist",
        "adopt s1":
          "g6 stopping #2 controlled pending 0 [s1]; send controlled #2; endLease; began s1; persist",
        "adopt missed":
          "g6 stopping #2 controlled pending 0 [s8,s9]; send controlled #2; endLease; began s9; persist",
        "adopt missed, still": "g6 none [s9]; endLease; persist",
        "adopt what was reset": "g5 none []",
      },
      "stopping, frames pending": {
        "new order":
          "g6 stopping #1 controlled pending 0 [s1,s2]; endLease; received(s2); began s2; persist",
        "repeated order": "g5 stopping #1 controlled pending 0 [s1]; received(s1)",
        "order without latch":
          "g6 stopping #1 controlled pending 0 [s1]; endLease; received(s3); began s3",
        "order that was reset":
          "g5 stopping #1 controlled pending 0 [s1]; received(old); confirmed(old)",
        quickStop:
          "g6 stopping #2 fast pending 0 [s1,s4]; send fast #2; endLease; received(s4); began s4; persist",
        "own order": "g6 stopping #1 controlled pending 0 [s1]; endLease; began drv-1",
        owe: "-",
        "frame acked": "g5 stopping #1 controlled acked 0 [s1]",
        "frame refused": "g5 stopping #1 controlled failed 0 [s1]",
        "frame lost": "g5 stopping #1 controlled failed 0 [s1]",
        "frame not sent": "g5 stopping #1 controlled failed 0 [s1]",
        "frame of another attempt": "-",
        "class done": "g5 stopping #1 controlled pending done 0 [s1]",
        "class failed": "g5 stopping #2 fast pending 0 [s1]; send fast #2",
        "class unanswered": "g5 stopping #1 controlled failed 0 [s1]",
        "still reading": "-",
        "moving reading": "-",
        "reading from before the frame": "-",
        tick: "-",
        life: "-",
        "reset of s1": "g5 stopping #1 controlled pending 0 []; persist",
        "adopt s1": "-",
        "adopt missed":
          "g6 stopping #1 controlled pending 0 [s1,s8,s9]; endLease; began s9; persist",
        "adopt missed, still": "g6 stopping #1 controlled pending 0 [s1,s9]; endLease; persist",
        "adopt what was reset": "-",
      },
      "stopping, acked, one still": {
        "new order":
          "g6 stopping #1 controlled acked done 1 [s1,s2]; endLease; received(s2); began s2; persist",
        "repeated order": "g5 stopping #1 controlled acked done 1 [s1]; received(s1)",
        "order without latch":
          "g6 stopping #1 controlled acked done 1 [s1]; endLease; received(s3); began s3",
        "order that was reset":
          "g5 stopping #1 controlled acked done 1 [s1]; received(old); confirmed(old)",
        quickStop:
          "g6 stopping #2 fast pending 0 [s1,s4]; send fast #2; endLease; received(s4); began s4; persist",
        "own order": "g6 stopping #1 controlled acked done 1 [s1]; endLease; began drv-1",
        owe: "-",
        "frame acked": "g5 stopping #1 controlled acked done 0 [s1]",
        "frame refused": "-",
        "frame lost": "-",
        "frame not sent": "-",
        "frame of another attempt": "-",
        "class done": "g5 stopping #1 controlled acked done 1 [s1]",
        "class failed": "g5 stopping #2 fast pending 0 [s1]; send fast #2",
        "class unanswered": "g5 stopping #1 controlled failed done 1 [s1]",
        "still reading": "g5 none [s1]; confirmed(s1); confirmed!",
        "moving reading": "g5 stopping #1 controlled acked done 0 [s1]",
        "reading from before the frame": "-",
        tick: "-",
        life: "-",
        "reset of s1": "g5 stopping #1 controlled acked done 1 []; persist",
        "adopt s1": "-",
        "adopt missed":
          "g6 stopping #1 controlled acked done 1 [s1,s8,s9]; endLease; began s9; persist",
        "adopt missed, still": "g6 stopping #1 controlled acked done 1 [s1,s9]; endLease; persist",
        "adopt what was reset": "-",
      },
      "stopping, failed, bound over": {
        "new order":
          "g6 stopping #1 fast failed 0 [s1,s2]; endLease; received(s2); began s2; persist",
        "repeated order": "g5 stopping #1 fast failed 0 [s1]; received(s1)",
        "order without latch":
          "g6 stopping #1 fast failed 0 [s1]; endLease; received(s3); began s3",
        "order that was reset": "g5 stopping #1 fast failed 0 [s1]; received(old); confirmed(old)",
        quickStop:
          "g6 stopping #1 fast failed 0 [s1,s4]; endLease; received(s4); began s4; persist",
        "own order": "g6 stopping #1 fast failed 0 [s1]; endLease; began drv-1",
        owe: "-",
        "frame acked": "g5 stopping #1 fast acked 0 [s1]",
        "frame refused": "g5 stopping #1 fast failed 0 [s1]",
        "frame lost": "g5 stopping #1 fast failed 0 [s1]",
        "frame not sent": "g5 stopping #1 fast failed 0 [s1]",
        "frame of another attempt": "-",
        "class done": "g5 stopping #1 fast failed done 0 [s1]",
        "class failed": "g5 owed silent #1 fast failed 0 [s1]; unconfirmed(s1); critical!",
        "class unanswered": "g5 stopping #1 fast failed 0 [s1]",
        "still reading": "-",
        "moving reading": "-",
        "reading from before the frame": "-",
        tick: "g5 owed silent #1 fast failed 0 [s1]; unconfirmed(s1); critical!",
        life: "-",
        "reset of s1": "g5 stopping #1 fast failed 0 []; persist",
        "adopt s1": "-",
        "adopt missed": "g6 stopping #1 fast failed 0 [s1,s8,s9]; endLease; began s9; persist",
        "adopt missed, still": "g6 stopping #1 fast failed 0 [s1,s9]; endLease; persist",
        "adopt what was reset": "-",
      },
      "owed, silent": {
        "new order":
          "g6 stopping #2 controlled pending 0 [s1,s2]; send controlled #2; endLease; received(s2); began s2; persist",
        "repeated order": "g5 owed silent #1 fast failed 0 [s1]; received(s1)",
        "order without latch":
          "g6 stopping #2 controlled pending 0 [s1]; send controlled #2; endLease; received(s3); began s3",
        "order that was reset":
          "g5 owed silent #1 fast failed 0 [s1]; received(old); confirmed(old)",
        quickStop:
          "g6 stopping #2 fast pending 0 [s1,s4]; send fast #2; endLease; received(s4); began s4; persist",
        "own order":
          "g6 stopping #2 controlled pending 0 [s1]; send controlled #2; endLease; began drv-1",
        owe: "-",
        "frame acked": "g5 owed #1 fast acked 0 [s1]",
        "frame refused": "g5 owed #1 fast failed 0 [s1]",
        "frame lost": "g5 owed silent #1 fast failed 0 [s1]",
        "frame not sent": "g5 owed silent #1 fast failed 0 [s1]",
        "frame of another attempt": "-",
        "class done": "g5 owed silent #1 fast failed done 0 [s1]",
        "class failed": "g5 owed silent #1 fast failed 0 [s1]",
        "class unanswered": "g5 owed silent #1 fast failed 0 [s1]",
        "still reading": "-",
        "moving reading": "-",
        "reading from before the frame": "-",
        tick: "-",
        life: "g5 owed #2 fast pending 0 [s1]; send fast #2",
        "reset of s1": "g5 owed silent #1 fast failed 0 []; persist",
        "adopt s1": "-",
        "adopt missed":
          "g6 stopping #2 controlled pending 0 [s1,s8,s9]; send controlled #2; endLease; began s9; persist",
        "adopt missed, still": "g6 owed silent #1 fast failed 0 [s1,s9]; endLease; persist",
        "adopt what was reset": "-",
      },
      "owed, answering": {
        "new order":
          "g6 stopping #2 controlled pending 0 [s1,s2]; send controlled #2; endLease; received(s2); began s2; persist",
        "repeated order": "g5 owed #1 fast acked 0 [s1]; received(s1)",
        "order without latch":
          "g6 stopping #2 controlled pending 0 [s1]; send controlled #2; endLease; received(s3); began s3",
        "order that was reset": "g5 owed #1 fast acked 0 [s1]; received(old); confirmed(old)",
        quickStop:
          "g6 stopping #2 fast pending 0 [s1,s4]; send fast #2; endLease; received(s4); began s4; persist",
        "own order":
          "g6 stopping #2 controlled pending 0 [s1]; send controlled #2; endLease; began drv-1",
        owe: "-",
        "frame acked": "g5 owed #1 fast acked 0 [s1]",
        "frame refused": "-",
        "frame lost": "-",
        "frame not sent": "-",
        "frame of another attempt": "-",
        "class done": "g5 owed #1 fast acked done 0 [s1]",
        "class failed": "g5 owed #1 fast failed 0 [s1]",
        "class unanswered": "g5 owed #1 fast failed 0 [s1]",
        "still reading": "g5 owed #1 fast acked 1 [s1]",
        "moving reading": "g5 owed #1 fast acked 0 [s1]",
        "reading from before the frame": "-",
        tick: "g5 owed #2 fast pending 0 [s1]; send fast #2",
        life: "-",
        "reset of s1": "g5 owed #1 fast acked 0 []; persist",
        "adopt s1": "-",
        "adopt missed":
          "g6 stopping #2 controlled pending 0 [s1,s8,s9]; send controlled #2; endLease; began s9; persist",
        "adopt missed, still": "g6 owed #1 fast acked 0 [s1,s9]; endLease; persist",
        "adopt what was reset": "-",
      },
    },
  });
});
