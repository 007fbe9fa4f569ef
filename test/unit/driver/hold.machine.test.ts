/**
 * The hold machine, by its full table and by the rules of a finger that is not there any more.
 *
 * The idea: every state meets every input once; then the sequences that PROTOCOL 16 is about:
 * echoes that are late, doubled, out of order or of another press. It refuses to look at runners.
 */
import { describe, expect, it } from "vitest";
import {
  armMs,
  feedbackMs,
  type HoldGrant,
  type HoldInput,
  type HoldState,
  holdMs,
  nextHold,
  noHold,
} from "../../../services/driver/hold.machine.js";
import { checkTable } from "./table.js";

const nowMs = 1000;
const granter = { service: "coordinator", bootId: "c1" };
const grant: HoldGrant = { hold: "h7", epoch: 7, velocity: 20, bypass: [], granter };
const second: HoldGrant = { ...grant, hold: "h8", epoch: 8 };
const said = [
  { nonce: "n1", atMs: 690 },
  { nonce: "n2", atMs: 800 },
  { nonce: "n3", atMs: 910 },
];
const armed: HoldState = { at: "armed", grant, said, untilMs: 1500 };
const pressed: HoldState = { at: "pressed", grant, said, untilMs: 1100 };

const echo = { kind: "echo", hold: "h7", epoch: 7, nonce: "n3", ttlMs: 200 } as const;
const inputs: { readonly [name: string]: HoldInput } = {
  granted: { kind: "granted", grant: second },
  tick: { kind: "tick", nonce: "new" },
  "echo of the newest nonce": echo,
  "echo of the one before": { ...echo, nonce: "n2" },
  "echo older than its ttl": { ...echo, nonce: "n2", ttlMs: 150 },
  "echo older than any ttl": { ...echo, nonce: "n1", ttlMs: 9000 },
  "echo of no nonce of ours": { ...echo, nonce: "forged" },
  "echo of another press": { ...echo, hold: "h6" },
  "echo of an older epoch": { ...echo, epoch: 6 },
  release: { kind: "release", hold: "h7", epoch: 7 },
  "release of another press": { kind: "release", hold: "h6", epoch: 6 },
  ended: { kind: "ended", epoch: 7, reason: "stop" },
  "ended, another epoch": { kind: "ended", epoch: 6, reason: "stop" },
};

function line(step: ReturnType<typeof nextHold>): string | undefined {
  if (step === undefined) return undefined;
  const { state, effects } = step;
  const until = state.at === "none" ? "" : ` ${state.grant.hold}@${state.untilMs}`;
  const what = effects.map((effect) => {
    if (effect.kind === "say") return `say ${effect.nonce}`;
    if (effect.kind === "renew") return `renew ${effect.untilMs}`;
    if (effect.kind === "end") return `end ${effect.reason}`;
    if (effect.kind === "told") return `told ${effect.grant.hold} ${effect.reason}`;
    return effect.kind;
  });
  return [`${state.at}${until}`, ...what].join("; ");
}

const lapsed = "none; end lapsed; told h7 lapsed";
const never = {
  tick: "-",
  "echo of the newest nonce": "-",
  "echo of the one before": "-",
  "echo older than its ttl": "-",
  "echo older than any ttl": "-",
  "echo of no nonce of ours": "-",
  "echo of another press": "-",
  "echo of an older epoch": "-",
  release: "-",
  "release of another press": "-",
  ended: "-",
  "ended, another epoch": "-",
};
const allLapsed = Object.fromEntries(Object.keys(never).map((name) => [name, lapsed]));

describe("hold machine", () => {
  checkTable("hold", {
    states: {
      none: noHold,
      armed,
      pressed,
      "armed, nobody pressed in time": { ...armed, untilMs: nowMs },
      "pressed, past its deadline": { ...pressed, untilMs: nowMs },
    },
    inputs,
    run: (state, input) => line(nextHold(state, input, nowMs)),
    cells: {
      none: { granted: "armed h8@2000", ...never },
      armed: {
        granted: "armed h8@2000; told h7 superseded",
        ...never,
        tick: "-",
        "echo of the newest nonce": "pressed h7@1210; renew 1210; begin",
        "echo of the one before": "pressed h7@1100; renew 1100; begin",
        release: "none; end released; told h7 released",
        ended: "none; told h7 stop",
      },
      pressed: {
        granted: "armed h8@2000; told h7 superseded",
        ...never,
        "echo of the newest nonce": "pressed h7@1210; renew 1210",
        release: "none; end released; told h7 released",
        ended: "none; told h7 stop",
      },
      "armed, nobody pressed in time": {
        granted: `armed h8@2000; ${lapsed.slice(6)}`,
        ...allLapsed,
      },
      "pressed, past its deadline": {
        granted: `armed h8@2000; ${lapsed.slice(6)}`,
        ...allLapsed,
      },
    },
  });
});

/** Feeds inputs one after the other; the states and effects in lines. */
function told(start: HoldState, ...inputsAt: readonly (readonly [number, HoldInput])[]): string[] {
  let state = start;
  return inputsAt.map(([atMs, input]) => {
    const step = nextHold(state, input, atMs);
    state = step?.state ?? state;
    return line(step) ?? "-";
  });
}

describe("hold machine, rules", () => {
  it("says a nonce at once, and then every 100 ms", () => {
    const tick = (nonce: string): HoldInput => ({ kind: "tick", nonce });
    const lines = told(
      noHold,
      [0, { kind: "granted", grant }],
      [1, tick("a")],
      [feedbackMs, tick("b")],
      [1 + feedbackMs, tick("c")],
    );
    expect(lines).toEqual([
      `armed h7@${armMs}`,
      `armed h7@${armMs}; say a`,
      "-",
      `armed h7@${armMs}; say c`,
    ]);
  });

  it("a replay of an echo renews nothing, however often it comes", () => {
    const renewed: HoldState = { ...pressed, untilMs: 910 + holdMs };
    const lines = told(renewed, [1010, echo], [1100, echo], [1209, echo], [1210, echo]);
    expect(lines).toEqual(["-", "-", "-", lapsed]);
  });

  it("an echo that comes after a newer one takes nothing away", () => {
    const older: HoldInput = { ...echo, nonce: "n2" };
    expect(told(pressed, [1000, echo], [1000, older])).toEqual([
      "pressed h7@1210; renew 1210",
      "-",
    ]);
  });

  it("what has lapsed is not revived by an echo that is good in itself", () => {
    const late: HoldState = { ...pressed, untilMs: 1000 };
    expect(told(late, [1000, echo], [1001, echo])).toEqual([lapsed, "-"]);
  });

  it("the nonces that are kept are bounded", () => {
    let state: HoldState = { ...armed, said: [], untilMs: 1e9 };
    for (let n = 0; n < 100; n += 1) {
      state = nextHold(state, { kind: "tick", nonce: `${n}` }, n * 100)?.state ?? state;
    }
    expect(state.at === "none" ? 0 : state.said.length).toBe(8);
  });

  it("a ttl that a sender made up does not lengthen the hold", () => {
    const old: HoldState = { ...armed, said: [{ nonce: "n0", atMs: 600 }] };
    const asked: HoldInput = { ...echo, nonce: "n0", ttlMs: 60_000 };
    expect(told(old, [901, asked])).toEqual(["-"]);
    expect(told(old, [899, asked])).toEqual([`pressed h7@900; renew 900; begin`]);
  });
});
