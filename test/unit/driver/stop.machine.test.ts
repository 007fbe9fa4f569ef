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
import { cells } from "./stop-table.js";
import { checkTable } from "./table.js";

const rules: StopRules = {
  nowMs: 10_000,
  classes: new Set(["controlled", "fast", "disable"]),
  whenOff: "falls",
  boundMs: { controlled: 3000, fast: 2000, coast: 5000, disable: 1000 },
  still: false,
  stands: false,
  begun: false,
};
const climb: Climb = {
  ids: ["s1"],
  ladder: ["controlled", "fast"],
  rung: 0,
  off: false,
  attempt: 1,
  attemptAtMs: 9900,
  frames: "pending",
  frameAtMs: 9900,
  done: false,
  stills: 0,
};
const bare: StopState = {
  ...stopAtBoot([], ["old"]),
  ...{ seen: true, generation: 5, attempts: 1, resetAtMs: new Map([["old", 9500]]) },
};
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

const switching = (untilMs: number) => {
  const ladder = ["disable"] as const;
  return { at: "off", untilMs, ...climb, ladder, off: true } as const;
};

function line(step: ReturnType<typeof nextStop>): string | undefined {
  if (step === undefined) return undefined;
  const { state, effects } = step;
  const { progress: p } = state;
  const silent = p.at === "owed" && p.silent ? " silent" : "";
  const off = p.at !== "none" && p.off ? " then off" : "";
  const done = p.at !== "none" && p.done ? " done" : "";
  const at =
    p.at === "none"
      ? "none"
      : `${p.at}${silent} #${p.attempt} ${p.ladder[p.rung]} ${p.frames}${done} ${p.stills}${off}`;
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
      off: { ...bare, latches: ["s1"], recent: ["s1"], progress: switching(12_900) },
      "off, failed, bound over": {
        ...{ ...bare, latches: ["s1"], recent: ["s1"] },
        progress: { ...switching(10_000), frames: "failed" },
      },
    },
    inputs: {
      "new order": order("s2"),
      "repeated order": order("s1"),
      "order without latch": order("s3", { latch: false }),
      "order that was reset": order("old"),
      quickStop: order("s4", { stop: "quickStop" }),
      abort: order("s5", { stop: "abort" }),
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
      overtaken: { kind: "overtaken" },
      "reset of s1": { kind: "reset", ids: ["s1"] },
      "adopt s1": { kind: "adopt", ids: ["s1"], act: true },
      "adopt missed": { kind: "adopt", ids: ["s8", "s9"], act: true },
      "adopt missed, still": { kind: "adopt", ids: ["s9"], act: false },
      "adopt what was reset": { kind: "adopt", ids: ["old"], act: true },
    },
    run: (state, input) => line(nextStop(state, input, rules)),
    cells,
  });
});
