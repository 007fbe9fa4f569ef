/**
 * The machine of custody by its full table, then the stories that it is for.
 *
 * The idea: every state meets every input once; a cell says what leaves, and where the readers
 * stand afterwards: `has/said`, and when one is told again. It refuses brokers and disks.
 */
import { describe, expect, it } from "vitest";
import {
  againMs,
  type CustodyEffect,
  type CustodyInput,
  type CustodyState,
  custodyAtBoot,
  custodyDueMs,
  hearing,
  nextCustody,
  waitMsMax,
  waitMsMin,
} from "#kernel/custody.machine.js";
import { checkTable } from "../driver/table.js";

const nowMs = 10_000;
const all = { has: 100, said: 100, waitMs: waitMsMin };
const idle: CustodyState = {
  connected: true,
  newest: 100,
  floor: 100,
  readers: { broker: all, rules: all },
};
const told = { ...all, said: 101 };
const states = {
  "at boot": custodyAtBoot(["rules"], 100),
  idle,
  "a page is under way": { ...idle, newest: 101, page: { reader: "broker", after: 100 } },
  "one is owed, not yet due": {
    ...idle,
    newest: 101,
    readers: { broker: { ...all, has: 101, said: 101 }, rules: { ...told, dueMs: nowMs + 1900 } },
  },
  "one is owed, and due": {
    ...idle,
    newest: 101,
    readers: { broker: { ...all, has: 101, said: 101 }, rules: { ...told, dueMs: nowMs } },
  },
  "receipts alone": { ...idle, readers: { broker: all } },
} satisfies { readonly [name: string]: CustodyState };

const inputs = {
  connected: { kind: "connected" },
  lost: { kind: "lost" },
  "added 150": { kind: "added", seq: 150 },
  "said 101": { kind: "said", upTo: 101, count: 1, whole: true },
  "said none": { kind: "said", upTo: 101, count: 0, whole: true },
  "not said": { kind: "said", upTo: 100, count: 0, whole: false },
  "ack 100": { kind: "ack", consumer: "rules", seq: 100 },
  "ack 101": { kind: "ack", consumer: "rules", seq: 101 },
  "ack 50": { kind: "ack", consumer: "rules", seq: 50 },
  "ack 999": { kind: "ack", consumer: "rules", seq: 999 },
  "ack of a stranger": { kind: "ack", consumer: "nobody", seq: 100 },
  "overflowed 120": { kind: "overflowed", upTo: 120 },
  tick: { kind: "tick" },
} as const satisfies { readonly [name: string]: CustodyInput };

function effectText(effect: CustodyEffect): string {
  if (effect.kind === "drop") return `drop ${effect.upTo}`;
  if (effect.kind === "raise") return `raise ${effect.above}`;
  return `say ${effect.after}–${effect.upTo} follows ${effect.follows}`;
}

function run(state: CustodyState, input: CustodyInput): string | undefined {
  const turn = nextCustody(state, input, nowMs);
  if (turn === undefined) return undefined;
  const readers = Object.entries(turn.state.readers).map(([name, { has, said, dueMs }]) => {
    const due = dueMs === undefined ? "" : ` +${dueMs - nowMs}`;
    return `${name} ${has}/${said}${due}`;
  });
  const { pauseMs } = turn.state;
  const pause = pauseMs === undefined ? [] : [`pause +${pauseMs - nowMs}`];
  return [...turn.effects.map(effectText), ...readers, ...pause].join(", ");
}
const cells: { readonly [state: string]: { readonly [input: string]: string } } = {
  "at boot": {
    connected: "say 0–100 follows 0, broker 100/100, rules 0/0",
    lost: "-",
    "added 150": "broker 100/100, rules 0/0",
    "said 101": "-",
    "said none": "-",
    "not said": "-",
    "ack 100": "drop 100, broker 100/100, rules 100/100",
    "ack 101": "raise 101, broker 100/100, rules 0/0",
    "ack 50": "drop 50, broker 100/100, rules 50/50",
    "ack 999": "raise 999, broker 100/100, rules 0/0",
    "ack of a stranger": "-",
    "overflowed 120": "broker 100/100, rules 0/0",
    tick: "-",
  },
  idle: {
    connected: "broker 100/100, rules 100/100",
    lost: "broker 100/100, rules 100/100",
    "added 150": "say 100–150 follows 0, broker 100/100, rules 100/100",
    "said 101": "-",
    "said none": "-",
    "not said": "-",
    "ack 100": "-",
    "ack 101": "raise 101, broker 100/100, rules 100/100",
    "ack 50": "broker 100/100, rules 50/100 +1000",
    "ack 999": "raise 999, broker 100/100, rules 100/100",
    "ack of a stranger": "-",
    "overflowed 120": "broker 100/100, rules 100/100",
    tick: "-",
  },
  "a page is under way": {
    connected: "broker 100/100, rules 100/100",
    lost: "broker 100/100, rules 100/100",
    "added 150": "broker 100/100, rules 100/100",
    "said 101": "broker 101/101, rules 100/101 +2000",
    "said none": "drop 101, broker 101/101, rules 101/101",
    "not said": "broker 100/100, rules 100/100, pause +1000",
    "ack 100": "-",
    "ack 101": "drop 101, broker 100/100, rules 101/101",
    "ack 50": "broker 100/100, rules 50/100 +1000",
    "ack 999": "-",
    "ack of a stranger": "-",
    "overflowed 120": "broker 100/100, rules 100/100",
    tick: "-",
  },
  "one is owed, not yet due": {
    connected: "say 100–101 follows 0, broker 101/101, rules 100/100",
    lost: "broker 101/101, rules 100/101 +1900",
    "added 150": "say 101–150 follows 101, broker 101/101, rules 100/101 +1900",
    "said 101": "-",
    "said none": "-",
    "not said": "-",
    "ack 100": "broker 101/101, rules 100/101 +900",
    "ack 101": "drop 101, broker 101/101, rules 101/101",
    "ack 50": "broker 101/101, rules 50/101 +1000",
    "ack 999": "raise 999, broker 101/101, rules 100/101 +1900",
    "ack of a stranger": "-",
    "overflowed 120": "broker 101/101, rules 100/101 +1900",
    tick: "-",
  },
  "one is owed, and due": {
    connected: "say 100–101 follows 0, broker 101/101, rules 100/100",
    lost: "broker 101/101, rules 100/101 +0",
    "added 150": "say 101–150 follows 101, broker 101/101, rules 100/101 +0",
    "said 101": "-",
    "said none": "-",
    "not said": "-",
    "ack 100": "-",
    "ack 101": "drop 101, broker 101/101, rules 101/101",
    "ack 50": "broker 101/101, rules 50/101 +1000",
    "ack 999": "raise 999, broker 101/101, rules 100/101 +0",
    "ack of a stranger": "-",
    "overflowed 120": "broker 101/101, rules 100/101 +0",
    tick: "say 100–101 follows 0, broker 101/101, rules 100/100",
  },
  "receipts alone": {
    connected: "broker 100/100",
    lost: "broker 100/100",
    "added 150": "say 100–150 follows 0, broker 100/100",
    "said 101": "-",
    "said none": "-",
    "not said": "-",
    "ack 100": "-",
    "ack 101": "-",
    "ack 50": "-",
    "ack 999": "-",
    "ack of a stranger": "-",
    "overflowed 120": "broker 100/100",
    tick: "-",
  },
};

describe("custody by its full table", () => {
  checkTable<CustodyState, CustodyInput>("custody", { states, inputs, cells, run });
});

/** A source with its readers, and what has left it. */
class Walk {
  state: CustodyState;
  nowMs = 0;
  readonly effects: string[] = [];

  constructor(consumers: readonly string[], newest = 0) {
    this.state = custodyAtBoot(consumers, newest);
  }

  feed(input: CustodyInput): readonly CustodyEffect[] {
    const turn = nextCustody(this.state, input, this.nowMs);
    this.state = turn?.state ?? this.state;
    this.effects.push(...(turn?.effects ?? []).map(effectText));
    return turn?.effects ?? [];
  }

  ack(consumer: string, seq: number): void {
    this.feed({ kind: "ack", consumer, seq });
  }

  said(upTo: number, count = 1): void {
    this.feed({ kind: "said", upTo, count, whole: true });
  }

  /** Waits for what is due; says how long that was. */
  tick(): number | undefined {
    const dueMs = custodyDueMs(this.state);
    if (dueMs === undefined) return undefined;
    const waited = dueMs - this.nowMs;
    this.nowMs = dueMs;
    this.feed({ kind: "tick" });
    return waited;
  }
}

describe("custody", () => {
  it("without consumers an event may go at the receipt, and nothing is told again", () => {
    const walk = new Walk([]);
    walk.feed({ kind: "connected" });
    walk.feed({ kind: "added", seq: 1 });
    walk.said(1);
    expect(walk.effects).toEqual(["say 0–1 follows 0", "drop 1"]);
    expect(walk.tick()).toBeUndefined();
  });

  it("with two consumers an event goes when both have it", () => {
    const walk = new Walk(["rules", "historian"]);
    walk.feed({ kind: "connected" });
    walk.feed({ kind: "added", seq: 1 });
    walk.said(1);
    walk.ack("rules", 1);
    expect(walk.effects).toEqual(["say 0–1 follows 0"]);
    walk.ack("historian", 1);
    expect(walk.effects.slice(1)).toEqual(["drop 1"]);
  });

  it("a consumer that says nothing is told again with growing pauses, a page at a time", () => {
    const walk = new Walk(["historian"]);
    walk.feed({ kind: "connected" });
    walk.feed({ kind: "added", seq: 500 });
    walk.said(500, 100);
    const waits: (number | undefined)[] = [];
    for (let i = 0; i < 8; i += 1) {
      waits.push(walk.tick());
      expect(walk.tick(), "one page at a time").toBeUndefined();
      walk.said(100, 100);
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 30, 30, 30].map((n) => n * waitMsMin));
    expect(Math.max(...waits.map(Number))).toBe(waitMsMax);
  });

  it("one that stays behind holds up neither what is new nor the others", () => {
    const walk = new Walk(["rules", "historian"]);
    walk.feed({ kind: "connected" });
    walk.feed({ kind: "added", seq: 1 });
    walk.said(1);
    walk.ack("rules", 1);
    walk.feed({ kind: "added", seq: 2 });
    expect(walk.effects.at(-1)).toBe("say 1–2 follows 1");
    walk.said(2);
    walk.ack("rules", 2);
    expect(walk.state.readers.rules).toMatchObject({ has: 2, said: 2 });
    expect(walk.state.readers.historian).toMatchObject({ has: 0, said: 2 });
  });

  it("a broker that takes nothing is asked again after a second, whoever would be next", () => {
    const walk = new Walk(["rules"]);
    walk.feed({ kind: "connected" });
    walk.feed({ kind: "added", seq: 1 });
    for (let i = 0; i < 3; i += 1) {
      const said = walk.effects.length;
      walk.feed({ kind: "said", upTo: 0, count: 0, whole: false });
      expect(walk.effects).toHaveLength(said);
      expect(walk.tick()).toBe(againMs);
      expect(walk.effects).toHaveLength(said + 1);
    }
  });

  it("one that is back and says where it stands is told again within a second", () => {
    const walk = new Walk(["rules"]);
    walk.feed({ kind: "connected" });
    walk.feed({ kind: "added", seq: 1 });
    walk.said(1);
    for (let i = 0; i < 4; i += 1) {
      walk.tick();
      walk.said(1);
    }
    walk.nowMs += 5000;
    walk.ack("rules", 0);
    expect(walk.effects.at(-1)).toBe("say 0–1 follows 0");
    walk.said(1);
    walk.nowMs += 1;
    walk.ack("rules", 0);
    expect(walk.tick()).toBe(againMs - 1);
  });

  it("a restart with unacknowledged events: they are told from the disk, then what is new", () => {
    const walk = new Walk(["rules"], 1000);
    walk.feed({ kind: "connected" });
    expect(walk.effects).toEqual(["say 0–1000 follows 0"]);
    walk.said(7, 3);
    walk.feed({ kind: "added", seq: 1001 });
    walk.said(1001);
    // Told before its turn; the consumer passes it over.
    walk.ack("rules", 7);
    expect(walk.effects.slice(1)).toEqual([
      "say 1000–1001 follows 1000",
      "drop 7",
      "say 7–1001 follows 0",
    ]);
  });

  it("a consumer without its memory is told from the oldest that is kept", () => {
    const walk = new Walk(["rules", "historian"]);
    walk.feed({ kind: "connected" });
    walk.feed({ kind: "added", seq: 9 });
    walk.said(9);
    walk.ack("historian", 5);
    walk.ack("rules", 9);
    walk.ack("rules", 0);
    walk.tick();
    expect(walk.effects.at(-1)).toBe("say 0–9 follows 0");
  });
});

describe("hearing", () => {
  it.each([
    ["the next one", 5, 6, 5, "next"],
    ["one of before", 5, 5, 4, "known"],
    ["one with another missing before it", 5, 8, 7, "early"],
    ["a later one with nothing kept before it", 5, 800, 0, "next"],
    ["a later one that follows the last", 5, 800, 5, "next"],
    ["the first of all", 0, 1, 0, "next"],
  ])("%s", (_what, has, sequence, follows, wanted) => {
    expect(hearing(has, { sequence, follows })).toBe(wanted);
  });
});
