/**
 * Services that say what is not so, and a coordinator whose disk is not asked.
 *
 * The idea: each stands at the port to the broker or to the disk and changes one kind of message
 * or statement. It refuses to touch the device.
 */
import type { Statement } from "#kernel/ports.js";
import type { CellWorld } from "#simulators/world/cell-world.js";
import { RunDesk } from "../../../services/coordinator/run-desk.js";
import type { Mutation } from "./mutation.js";
import { onCommit, onPublish, replaceMethod, rest, type Said, type Undo } from "./patches.js";

const nothing = Promise.resolve();

function permitsAlways(): Undo {
  return onPublish(({ key, payload, go }) => {
    return key === "permit" ? go({ ...payload, ok: true }) : undefined;
  });
}

const isMove = ({ key, levels }: Said) => key === "axisCommand" && levels.verb === "moveTo";

/** The same id, and another place. */
function sameIdOtherPlace(): Undo {
  return onPublish((said) => {
    if (!isMove(said)) return undefined;
    const { payload, go } = said;
    const args = payload.args as { readonly position: number };
    const other = { ...payload, args: { ...args, position: args.position - 1 } };
    return go().then(() => go(other));
  });
}

/** A step that is not answered at once is commanded anew. */
function newIdForTheSameStep(): Undo {
  let n = 0;
  return onPublish((said) => {
    if (!isMove(said)) return undefined;
    const { payload, go } = said;
    n += 1;
    return go().then(() => go({ ...payload, id: `anew-${n}` }));
  });
}

function changedState(change: (state: { position: number }) => object): Undo {
  return onPublish(({ key, levels, payload, go }) => {
    if (key !== "stateAxis" || levels.axis !== "x") return undefined;
    const { position } = payload;
    if (typeof position !== "number") return undefined;
    return go({ ...payload, ...change({ position }) });
  });
}

function shiftedPosition(): Undo {
  return changedState(({ position }) => ({ position: position + 3 }));
}

/** What was read first is shown for ever. */
function frozenPosition(): Undo {
  let first: number | undefined;
  return changedState(({ position }) => {
    first ??= position;
    return { position: first };
  });
}

function staleForEver(): Undo {
  return changedState(() => ({ q: "stale" }));
}

function doneAtOnce(): Undo {
  return onPublish(({ key, owner, payload, go }) => {
    const isNews =
      key === "response" && owner.startsWith("driver-") && payload.status === "running";
    if (!isNews) return undefined;
    const verdict = { verdict: "done", result: {} };
    return go({ ...payload, status: "succeeded", verdict, result: {} });
  });
}

function refusedAfterAll(): Undo {
  const moves = new Set<unknown>();
  return onPublish((said) => {
    const { key, owner, payload, go } = said;
    if (isMove(said)) moves.add(payload.id);
    const { verdict, result: _, ...others } = payload;
    const isDone = (verdict as { verdict?: string } | undefined)?.verdict === "done";
    if (key !== "response" || !owner.startsWith("driver-x#") || !isDone) return undefined;
    if (!moves.has(payload.id)) return undefined;
    const refused = { verdict: "refused", code: "NOT_READY", text: "not ready" };
    const error = { code: "NOT_READY", message: "not ready" };
    return go({ ...others, status: "failed", verdict: refused, error });
  });
}

function stopConfirmedAtOnce(): Undo {
  return onPublish(({ key, payload, go }) => {
    const isNews = key === "stopAck" && payload.status === "received";
    return isNews ? go({ ...payload, status: "confirmed" }) : undefined;
  });
}

/** What was commanded last is sent again when a stop is heard of. */
function stubbornCoordinator(): Undo {
  let last: Said | undefined;
  return onPublish((said) => {
    if (isMove(said)) last = said;
    const stops = said.key === "stateStop" ? said.payload.stops : undefined;
    if (Array.isArray(stops) && stops.length > 0) void last?.go();
    return undefined;
  });
}

/** A coordinator whose runs never learn of a person's stop. */
function deafRuns(): Undo {
  return replaceMethod(RunDesk.prototype, "feedAll", (original) => {
    return function feedAll(this: RunDesk, runs, event) {
      if (event.kind !== "operatorStop") original.call(this, runs, event);
    };
  });
}

/** Latches stay, although a person has named them. */
function swallowedReset(): Undo {
  return onPublish(({ key, levels, go }) => {
    if (key === "axisCommand" && levels.verb === "reset" && levels.axis === "x") return nothing;
    return go();
  });
}

const isIntent = ({ sql, params }: Statement) => {
  return sql.includes("INTO run_events") && params?.[2] === "intent";
};

/** The coordinator is told that its intent is on the disk before it is. */
function eagerJournal(): Undo {
  return onCommit(({ statements, go }) => {
    if (!statements.some(isIntent)) return undefined;
    void rest(40).then(() => go());
    return Promise.resolve(statements.map(() => []));
  });
}

const noStatement: Statement = { sql: "SELECT 1" };

/** Replaces single statements by none. */
function without(isLost: (statement: Statement) => boolean): Undo {
  return onCommit(({ statements, go }) => {
    return go(statements.map((statement) => (isLost(statement) ? noStatement : statement)));
  });
}

/** Every second intent is lost. */
function lostIntents(): Undo {
  let n = 0;
  return without((statement) => {
    if (!isIntent(statement)) return false;
    n += 1;
    return n % 2 === 0;
  });
}

function keptLocks(): Undo {
  return without(({ sql }) => sql.includes("DELETE FROM locks WHERE"));
}

const isOfDriver = ({ key, owner }: Said) => key === "event" && owner.startsWith("driver-x#");

/** What the broker has counts as what the rules have; those who are away get none of it. */
function forgottenAtReceipt(world: CellWorld): Undo {
  const forger = world.broker.open("forger");
  return onPublish(({ key, payload, go }) => {
    if (key !== "event") return undefined;
    const word = { v: 1 as const, consumer: "rules", seq: Number(payload.sequence) };
    const receipt = go();
    void receipt.then(
      () => forger.publish("ackSource", { source: String(payload.source) }, word),
      () => undefined,
    );
    return receipt;
  });
}

/** Every third event gets the number of the one before it. */
function numberedTwice(): Undo {
  let n = 0;
  return onPublish((said) => {
    if (!isOfDriver(said)) return undefined;
    n += 1;
    const { payload, go } = said;
    return n % 3 === 0 ? go({ ...payload, sequence: Number(payload.sequence) - 1 }) : undefined;
  });
}

/** Every third event is called sent, and leaves behind the one after it. */
function sentLater(): Undo {
  let n = 0;
  return onPublish((said) => {
    if (!isOfDriver(said)) return undefined;
    n += 1;
    if (n % 3 !== 0) return undefined;
    void rest(400).then(() => said.go());
    return nothing;
  });
}

export const messageMutations: readonly Mutation[] = [
  {
    breaks: "a coordinator sends its last command again when it hears of a stop",
    caughtBy: "stopped-runs",
    story: "stopped",
    apply: stubbornCoordinator,
  },
  {
    breaks: "the runs of a coordinator never learn of a person's stop",
    caughtBy: "stopped-runs",
    story: "stoppedBetween",
    apply: deafRuns,
  },
  {
    breaks: "an outbox forgets an event at the broker's receipt",
    caughtBy: "events",
    story: "deaf",
    apply: forgottenAtReceipt,
  },
  {
    breaks: "a driver gives a number twice",
    caughtBy: "events",
    story: "calm",
    apply: numberedTwice,
  },
  {
    breaks: "a driver calls an event sent and sends it behind later ones",
    caughtBy: "events",
    story: "calm",
    apply: sentLater,
  },
  {
    breaks: "every permit is published as given",
    caughtBy: "limits",
    story: "forbidden",
    apply: permitsAlways,
  },
  {
    breaks: "a coordinator uses an id again for another place",
    caughtBy: "once",
    story: "calm",
    apply: sameIdOtherPlace,
  },
  {
    breaks: "a coordinator commands a step again under a new id",
    caughtBy: "intent-first",
    story: "calm",
    apply: newIdForTheSameStep,
  },
  {
    breaks: "the journal says that it has an intent before the disk has it",
    caughtBy: "intent-first",
    story: "calm",
    apply: eagerJournal,
  },
  {
    breaks: "every second intent is not written",
    caughtBy: "intent-first",
    story: "calm",
    apply: lostIntents,
  },
  {
    breaks: "the locks of a run outlive it",
    caughtBy: "runs-end",
    story: "calm",
    apply: keptLocks,
  },
  {
    breaks: "the reset of a latch does not reach its driver",
    caughtBy: "runs-end",
    story: "stopped",
    apply: swallowedReset,
  },
  {
    breaks: "the shown position is off by 3 mm",
    caughtBy: "truth",
    story: "calm",
    apply: shiftedPosition,
  },
  {
    breaks: "the shown position is the first that was read",
    caughtBy: "truth",
    story: "calm",
    apply: frozenPosition,
  },
  {
    breaks: "a reading is called stale for ever",
    caughtBy: "truth",
    story: "calm",
    apply: staleForEver,
  },
  {
    breaks: "a move is reported as done when it has begun",
    caughtBy: "honest-verdicts",
    story: "calm",
    apply: doneAtOnce,
  },
  {
    breaks: "a finished move is reported as refused",
    caughtBy: "honest-verdicts",
    story: "calm",
    apply: refusedAfterAll,
  },
  {
    breaks: "a stop is confirmed when it has been received",
    caughtBy: "honest-verdicts",
    story: "stopped",
    apply: stopConfirmedAtOnce,
  },
];
