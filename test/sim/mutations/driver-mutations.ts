/**
 * Drivers that are broken: towards their device, in their lease, in their stop.
 *
 * The idea: each is an error that a driver of this kind has really had somewhere, or that a person
 * would make when changing it. It refuses errors that no review would let through twice.
 */
import type { CellWorld } from "#simulators/world/cell-world.js";
import { MemoryLanes, MemoryWire } from "#simulators/world/field-bus.js";
import { LeaseRunner } from "../../../services/driver/lease-runner.js";
import { Permits } from "../../../services/driver/permits.js";
import { StopRunner } from "../../../services/driver/stop-runner.js";
import type { Mutation } from "./mutation.js";
import {
  acknowledged,
  isTrigger,
  isTriggerOf,
  isWrite,
  onExchange,
  replaceMethod,
  rest,
  type Sent,
  type Undo,
} from "./patches.js";

/** Goes on beating for a holder that is gone. */
function immortalLease(): Undo {
  return replaceMethod(LeaseRunner.prototype, "apply", (original) => {
    return function apply(this: LeaseRunner, input) {
      if (input.kind === "offline") return;
      const { state } = this;
      if (input.kind === "tick" && state.at === "held") {
        const { holder, bootId } = state;
        original.call(this, { kind: "beat", holder, bootId });
      }
      original.call(this, input);
    };
  });
}

function forgottenStop(): Undo {
  return replaceMethod(StopRunner.prototype, "own", () => () => {});
}

/** Nothing of a driver goes on for a while, just before its trigger leaves. */
function sleepBeforeTrigger(): Undo {
  const awake = new Map<object, Promise<void>>();
  return onExchange((sent) => {
    const { field, go } = sent;
    if (isTrigger(sent)) awake.set(field, rest(400));
    return awake.get(field)?.then(() => go());
  });
}

function triggerTwice(): Undo {
  return onExchange((sent) => {
    return isTrigger(sent) ? sent.go().then(() => sent.go()) : undefined;
  });
}

/** A trigger whose answer is late is sent again. */
function triggerAgainLater(): Undo {
  return onExchange((sent) => {
    if (!isTrigger(sent)) return undefined;
    void rest(120).then(() => sent.go());
    return sent.go();
  });
}

const isCommand = (sent: Sent) => sent.lane === "command" && isWrite(sent);

/** What was decided is handed over, whatever has happened since. */
function lateHandOver(): Undo {
  return onExchange((sent) => (isCommand(sent) ? rest(60).then(() => sent.go()) : undefined));
}

/** A gateway in the cabinet keeps triggers for a while, and a stop does not empty it. */
function keptOnTheWay(): Undo {
  return replaceMethod(MemoryWire.prototype, "exchange", (original) => {
    return function exchange(this: MemoryWire, unit, pdu, how) {
      const isHeld = isTriggerOf("x", Buffer.from(pdu).toString("hex"));
      const go = () => original.call(this, unit, pdu, how);
      return isHeld ? rest(180).then(go) : go();
    };
  });
}

function stopBehindPolls(): Undo {
  return onExchange((sent) => {
    return sent.lane === "stop" ? rest(900).then(() => sent.go()) : undefined;
  });
}

function swallowedStop(): Undo {
  return onExchange((sent) => {
    return sent.lane === "stop" && isWrite(sent) ? acknowledged(sent) : undefined;
  });
}

function blindGuardian(): Undo {
  return replaceMethod(MemoryLanes.prototype, "tell", (original) => {
    return function tell(this: MemoryLanes, field, message, reply) {
      // It has the frames, as it says, and never learns for whom the silence is.
      if (message.kind === "guard") return this.toBus(reply, field.roads.guard);
      original.call(this, field, message, reply);
    };
  });
}

function deafToPermits(): Undo {
  return replaceMethod(Permits.prototype, "forbids", () => () => undefined);
}

/** The gear of x is another one than the machine has. */
function wrongGear(world: CellWorld): Undo {
  const { config } = world;
  const devices = config.devices.map((device) => {
    const { axis } = device.setup;
    if (device.id !== "x" || axis === undefined) return device;
    const wrong = { ...axis, countsPerRev: axis.countsPerRev * 1.25 };
    return { ...device, setup: { ...device.setup, axis: wrong } };
  });
  Object.defineProperty(world, "config", { value: { ...config, devices } });
  return () => Object.defineProperty(world, "config", { value: config });
}

/** What a driver has sent for moves of x: set-points of two words, and a trigger. */
class SentMoves {
  readonly targets: Sent[] = [];
  trigger: Sent | undefined;

  note(sent: Sent): void {
    if (sent.field.device !== "x" || !isCommand(sent)) return;
    if (sent.text.startsWith("104000")) this.targets.push(sent);
    if (isTrigger(sent) && this.targets.length > 0) this.trigger = sent;
  }

  /** Moves to a place of before, with a new edge. */
  async move(target: Sent): Promise<void> {
    const { trigger } = this;
    if (trigger === undefined) return;
    const low = trigger.pdu.slice();
    low[4] = 0x0f;
    await target.go();
    await trigger.go(low);
    await trigger.go();
  }
}

/** Two set-points from before are sent in turn, long after the run. */
function restlessDriver(): Undo {
  const sent = new SentMoves();
  const again = async (): Promise<void> => {
    for (let turn = 0; turn < 6; turn += 1) {
      await rest(4000);
      const target = sent.targets[turn % 2];
      if (target !== undefined) await sent.move(target);
    }
  };
  return onExchange((one) => {
    const before = sent.trigger;
    sent.note(one);
    if (before === undefined && sent.trigger !== undefined) void again();
    return undefined;
  });
}

/** An axis that nobody has on loan goes to where it was first. */
function parkingDriver(): Undo {
  const sent = new SentMoves();
  const undoNote = onExchange((one) => {
    sent.note(one);
    return undefined;
  });
  const undoRelease = replaceMethod(LeaseRunner.prototype, "apply", (original) => {
    return function apply(this: LeaseRunner, input) {
      original.call(this, input);
      const target = sent.targets[0];
      if (input.kind !== "release" || target === undefined) return;
      void rest(6000).then(() => sent.move(target));
    };
  });
  return () => {
    undoRelease();
    undoNote();
  };
}

/** Once the axis is on, the bit is set that starts the set-point of before. */
function eagerEnable(): Undo {
  const moves = new SentMoves();
  return onExchange((sent) => {
    moves.note(sent);
    const isOn = sent.field.device === "x" && isCommand(sent) && sent.text === "063100000f";
    if (!isOn || moves.targets.length === 0) return undefined;
    const both = sent.pdu.slice();
    both[4] = 0x1f;
    return sent.go().then((reply) => rest(30).then(() => sent.go(both).then(() => reply)));
  });
}

export const driverMutations: readonly Mutation[] = [
  {
    breaks: "a driver keeps a lease alive when its holder is gone",
    caughtBy: "motion-under-lease",
    story: "orphaned",
    apply: immortalLease,
  },
  {
    breaks: "a driver does not stop its axis when the lease ends",
    caughtBy: "motion-under-lease",
    story: "orphaned",
    apply: forgottenStop,
  },
  {
    breaks: "a driver sleeps between its last look at the device and the trigger",
    caughtBy: "motion-under-lease",
    story: "calm",
    apply: sleepBeforeTrigger,
  },
  {
    breaks: "the bus never learns the stop frames that it is to send for a dead driver",
    caughtBy: "motion-under-lease",
    story: "driverless",
    apply: blindGuardian,
  },
  {
    breaks: "a driver sends every trigger twice",
    caughtBy: "once",
    story: "calm",
    apply: triggerTwice,
  },
  {
    breaks: "a driver sends a trigger again when it is not sure",
    caughtBy: "once",
    story: "calm",
    apply: triggerAgainLater,
  },
  {
    breaks: "a driver does not look again before a frame leaves",
    caughtBy: "nothing-after-stop",
    story: "stoppedEarly",
    apply: lateHandOver,
  },
  {
    breaks: "a stop does not empty the queue on the way to the device",
    caughtBy: "nothing-after-stop",
    story: "stoppedLater",
    apply: keptOnTheWay,
  },
  {
    breaks: "a stop waits behind the polls",
    caughtBy: "stop-begins",
    story: "stopped",
    apply: stopBehindPolls,
  },
  {
    breaks: "stop frames are acknowledged and never reach the device",
    caughtBy: "stop-begins",
    story: "stopped",
    apply: swallowedStop,
  },
  {
    breaks: "a driver does not ask for its permits",
    caughtBy: "limits",
    story: "forbidden",
    apply: deafToPermits,
  },
  {
    breaks: "a driver counts with another gear than the machine has",
    caughtBy: "limits",
    story: "calm",
    apply: wrongGear,
  },
  {
    breaks: "a driver repeats a set-point long after its run",
    caughtBy: "disarmed",
    story: "calm",
    apply: restlessDriver,
  },
  {
    breaks: "a driver parks its axis when nobody has it",
    caughtBy: "disarmed",
    story: "calm",
    apply: parkingDriver,
  },
  {
    breaks: "a driver starts the set-point of before when it switches its axis on",
    caughtBy: "disarmed",
    story: "stoppedFast",
    apply: eagerEnable,
  },
];
