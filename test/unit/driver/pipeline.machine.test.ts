/**
 * The pipeline machine, by its full table.
 *
 * The idea: every state meets every input once; what is written, sent and told stands in one
 * line. It refuses to look at checks: command-checks.test.ts does.
 */
import { describe, expect, it } from "vitest";
import type { Verdict } from "#drivers/reading.js";
import {
  nextPipeline,
  type PipelineInput,
  type PipelineState,
  pipelineIdle,
} from "../../../services/driver/pipeline.machine.js";
import { checkTable } from "./table.js";

const command = { id: "c1", verb: "moveTo", epoch: 7, target: 100 };
const other = { id: "c2", verb: "moveTo", epoch: 7 };
const done: Verdict = { verdict: "done", result: {} };
const full: Verdict = { verdict: "refused", code: "STORE_FULL", text: "full" };
const running = { at: "running", command, triggered: false, accepted: false } as const;

function told(verdict: Verdict): string {
  return verdict.verdict === "done" ? "done" : `${verdict.verdict} ${verdict.code}`;
}

function line(step: ReturnType<typeof nextPipeline>): string | undefined {
  if (step === undefined) return undefined;
  const { state, effects } = step;
  const marks =
    state.at === "running" ? `${state.triggered ? "T" : ""}${state.accepted ? "A" : ""}` : "";
  const said = effects.map((effect) => {
    const id = effect.command.id === "c1" ? "" : ` ${effect.command.id}`;
    if (effect.kind === "answer") return `${effect.status}${id}`;
    if (effect.kind === "answerVerdict") return `tell ${told(effect.verdict)}${id}`;
    if (effect.kind === "storeVerdict") return `store ${told(effect.verdict)}${id}`;
    return `${effect.kind}${id}`;
  });
  return [`${state.at}${marks}`, ...said].join("; ");
}

const inputs: { readonly [name: string]: PipelineInput } = {
  command: { kind: "command", command: other, refusal: undefined },
  "command, refused": { kind: "command", command: other, refusal: full },
  "same command": { kind: "command", command, refusal: undefined },
  "stored started": { kind: "stored", id: "c1", row: "started" },
  "stored verdict": { kind: "stored", id: "c1", row: "verdict" },
  "stored verdict of another": { kind: "stored", id: "c2", row: "verdict" },
  "started not stored": { kind: "storeFailed", id: "c1", row: "started", verdict: full },
  "verdict not stored": { kind: "storeFailed", id: "c1", row: "verdict", verdict: full },
  trigger: { kind: "trigger" },
  deviceAccepted: { kind: "deviceAccepted" },
  ended: { kind: "ended", verdict: done },
  interrupted: {
    kind: "interrupted",
    code: "SUPERSEDED",
    fault: "STOPPED_SHORT",
    text: "ended by stop",
  },
  standstill: { kind: "standstill", position: 42 },
  lost: { kind: "lost", text: "no answer" },
};

const busy = "store refused BUSY c2; tell refused BUSY c2";
const refusedNow = "store refused STORE_FULL c2; tell refused STORE_FULL c2";
const nothing = {
  "stored started": "-",
  "stored verdict": "-",
  "stored verdict of another": "-",
  "started not stored": "-",
  "verdict not stored": "-",
  trigger: "-",
  deviceAccepted: "-",
  ended: "-",
  interrupted: "-",
  standstill: "-",
  lost: "-",
};

describe("pipeline machine", () => {
  checkTable<PipelineState, PipelineInput>("pipeline", {
    states: {
      idle: pipelineIdle,
      starting: { at: "starting", command },
      running,
      "running, triggered": { ...running, triggered: true },
      "running, accepted": { ...running, triggered: true, accepted: true },
      halting: {
        at: "halting",
        command,
        why: { code: "SUPERSEDED", fault: "STOPPED_SHORT", text: "ended by stop" },
      },
      "halting, as it was meant": {
        at: "halting",
        command,
        why: { code: "SUPERSEDED", fault: "STOPPED_SHORT", text: "let go", meant: true },
      },
      closing: { at: "closing", command, verdict: done },
    },
    inputs,
    run: (state, input) => line(nextPipeline(state, input)),
    cells: {
      idle: {
        command: "starting; storeStarted c2",
        "command, refused": `idle; ${refusedNow}`,
        "same command": "starting; storeStarted",
        ...nothing,
      },
      starting: {
        command: `starting; ${busy}`,
        "command, refused": `starting; ${refusedNow}`,
        "same command": "-",
        ...nothing,
        "stored started": "running; begin; accepted",
        "started not stored": "idle; tell refused STORE_FULL",
        interrupted: "closing; store refused SUPERSEDED",
        lost: "closing; store refused SUPERSEDED",
      },
      running: {
        command: `running; ${busy}`,
        "command, refused": `running; ${refusedNow}`,
        "same command": "-",
        ...nothing,
        trigger: "runningT",
        deviceAccepted: "runningA; running",
        ended: "closing; store done",
        interrupted: "closing; drop; store refused SUPERSEDED",
        lost: "closing; drop; store refused SUPERSEDED",
      },
      "running, triggered": {
        command: `runningT; ${busy}`,
        "command, refused": `runningT; ${refusedNow}`,
        "same command": "-",
        ...nothing,
        deviceAccepted: "runningTA; running",
        ended: "closing; store done",
        interrupted: "halting; drop",
        lost: "closing; drop; store unknown OUTCOME_UNKNOWN",
      },
      "running, accepted": {
        command: `runningTA; ${busy}`,
        "command, refused": `runningTA; ${refusedNow}`,
        "same command": "-",
        ...nothing,
        ended: "closing; store done",
        interrupted: "halting; drop",
        lost: "closing; drop; store unknown OUTCOME_UNKNOWN",
      },
      halting: {
        command: `halting; ${busy}`,
        "command, refused": `halting; ${refusedNow}`,
        "same command": "-",
        ...nothing,
        standstill: "closing; store faulted STOPPED_SHORT",
        lost: "closing; store unknown OUTCOME_UNKNOWN",
      },
      "halting, as it was meant": {
        command: `halting; ${busy}`,
        "command, refused": `halting; ${refusedNow}`,
        "same command": "-",
        ...nothing,
        standstill: "closing; store done",
        lost: "closing; store unknown OUTCOME_UNKNOWN",
      },
      closing: {
        command: `closing; ${busy}`,
        "command, refused": `closing; ${refusedNow}`,
        "same command": "-",
        ...nothing,
        "stored verdict": "idle; tell done",
        "verdict not stored": "idle; tell done",
      },
    },
  });

  it("a move stopped short tells both positions", () => {
    const halting: PipelineState = {
      at: "halting",
      command,
      why: { code: "SUPERSEDED", fault: "STOPPED_SHORT", text: "ended by stop" },
    };
    const step = nextPipeline(halting, { kind: "standstill", position: 42 });
    expect(step?.state).toMatchObject({
      verdict: { detail: { cause: "SUPERSEDED", target: 100, actual: 42 } },
    });
  });

  it("a jog whose button was let go is done where it stands", () => {
    const triggered: PipelineState = { ...running, triggered: true };
    const why = {
      code: "SUPERSEDED",
      fault: "STOPPED_SHORT",
      text: "let go",
      meant: true,
    } as const;
    const halting = nextPipeline(triggered, { kind: "interrupted", ...why });
    const end = nextPipeline(halting?.state ?? pipelineIdle, { kind: "standstill", position: 42 });
    expect(end?.state).toMatchObject({ verdict: { verdict: "done", result: { position: 42 } } });
  });

  it("a stop whose standstill nobody knows leaves the outcome unknown, with the target", () => {
    const triggered: PipelineState = { ...running, triggered: true };
    const step = nextPipeline(triggered, { kind: "lost", text: "no answer" });
    expect(step?.state).toMatchObject({
      verdict: { verdict: "unknown", code: "OUTCOME_UNKNOWN", detail: { target: 100 } },
    });
  });

  it("an interlock's trip is told as such, not as a plain stop", () => {
    const triggered: PipelineState = { ...running, triggered: true };
    const why = { code: "INTERLOCKED", fault: "INTERLOCKED", text: "z is low" } as const;
    const halting = nextPipeline(triggered, { kind: "interrupted", ...why });
    const end = nextPipeline(halting?.state ?? pipelineIdle, {
      kind: "standstill",
      position: undefined,
    });
    expect(end?.state).toMatchObject({ verdict: { verdict: "faulted", code: "INTERLOCKED" } });
  });
});
