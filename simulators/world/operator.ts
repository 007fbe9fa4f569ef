/**
 * A person at the panel of a world: starts, stops, resets, chooses, and tidies up with patience.
 *
 * The idea: the operator has what a gateway has, a connection and the stop sockets, and sees only
 * what is published. Its first saga is the one that others name in `prepare`. It refuses to look
 * into the apps.
 */
import { commandSchema, type StopOrder } from "#kernel/contract/payloads.js";
import type { MessageLink, StopFanOut } from "#kernel/ports.js";
import type { PressAction } from "./fault-plan.js";
import type { Finger } from "./finger.js";
import type { JogPress } from "./jog-press.js";

export interface RunView {
  readonly run: string;
  readonly saga: string;
  readonly state: string;
  readonly endedAt?: number | undefined;
}

export interface OperatorParts {
  readonly link: MessageLink;
  readonly fanOut: StopFanOut;
  readonly newId: () => string;
  readonly schedule: (ms: number, run: () => void) => void;
  readonly note: (what: string, text: string) => void;
  /** A finger that is not on its button yet. */
  readonly finger: (press: JogPress) => Finger;
}

/** How often a stop is published, every 50 ms, as a gateway does until it is acknowledged. */
const stopRepeats = 9;
/** What a person looks at before the button is pressed, and after it was let go, ms. */
const modeMs = 60;
const afterJogMs = 600;
const lookMs = 300;
const usualMode = "Production";

export function isEnded(run: RunView): boolean {
  return run.endedAt !== undefined;
}

export class Operator {
  readonly #parts: OperatorParts;
  runs: readonly RunView[] = [];
  cell = "unknown";
  mode: string = usualMode;
  /** Nobody holds a button any more; who does lets go. */
  resting = false;
  stops: readonly string[] = [];
  constructor(parts: OperatorParts) {
    this.#parts = parts;
    const { link } = parts;
    link.subscribe("stateRun", {}, ({ payload }) => {
      this.runs = payload.runs;
    });
    link.subscribe("stateCell", {}, ({ payload }) => {
      this.cell = payload.state;
      this.mode = payload.mode;
    });
    link.subscribe("stateStop", {}, ({ payload }) => {
      this.stops = payload.stops.map((stop) => stop.id);
    });
  }

  get open(): readonly RunView[] {
    return this.runs.filter((run) => !isEnded(run));
  }

  /** The run that ended last. */
  get newest(): RunView | undefined {
    const ended = this.runs.filter(isEnded);
    return ended.toSorted((a, b) => (a.endedAt ?? 0) - (b.endedAt ?? 0)).at(-1);
  }

  command(topic: "runCommand" | "cellCommand", verb: string, args: object): string {
    const { newId, link } = this.#parts;
    const command = commandSchema.parse({
      v: 1,
      id: newId(),
      ts: Date.now(),
      ttlMs: 5000,
      by: { user: "operator", role: "operator" },
      replyTo: "operator",
      args,
    });
    void link.publish(topic, { verb }, command).catch(() => undefined);
    return command.id;
  }

  start(saga: string, input?: object): string {
    const run = this.#parts.newId();
    const given = input === undefined ? {} : { input };
    this.command("runCommand", "start", { saga, run, ...given });
    return run;
  }

  stop(kind: "stop" | "quickStop" | "abort"): void {
    const { newId, fanOut, link, schedule } = this.#parts;
    const order: StopOrder = { id: newId(), by: { user: "operator", role: "operator" } };
    fanOut.send(kind, order);
    const repeat = (left: number) => {
      void link.publish("cellStop", { verb: kind }, order).catch(() => undefined);
      if (left > 0) schedule(50, () => repeat(left - 1));
    };
    repeat(stopRepeats);
  }

  /** Presses one thing; `pick` chooses a run where one is meant. */
  press(
    { what, saga = "", jog }: Omit<PressAction, "kind">,
    pick: (runs: readonly RunView[]) => RunView | undefined,
  ): void {
    const about = what === "start" ? ` ${saga}` : what === "jog" ? ` ${jog?.device}` : "";
    this.#parts.note(what, `${what}${about}`);
    if (what === "jog") {
      if (jog !== undefined) this.#jog(jog);
    } else if (what === "start") this.start(saga);
    else if (what === "stop" || what === "quickStop" || what === "abort") this.stop(what);
    else if (what === "reset") this.reset();
    else if (what === "hold" || what === "unhold") this.command("cellCommand", what, {});
    else if (what === "tidyUp") this.tidyUp();
    else {
      const run = pick(this.open);
      if (run !== undefined) this.command("runCommand", what, { run: run.run });
    }
  }

  /** In the mode that allows it, and back again: nothing is started in another than the usual. */
  #jog(press: JogPress, patienceMs = press.patienceMs ?? 0): void {
    const { schedule, finger } = this.#parts;
    if (this.resting) return;
    if (this.open.length > 0 && patienceMs > 0) {
      schedule(lookMs, () => this.#jog(press, patienceMs - lookMs));
      return;
    }
    const asked = this.mode !== press.mode;
    if (asked) this.command("cellCommand", "mode", { mode: press.mode });
    schedule(asked ? modeMs : 0, () => finger(press).press());
    schedule(press.forMs + afterJogMs, () => this.usualMode());
  }

  /** False: it is not the usual one, and was asked for. */
  usualMode(): boolean {
    if (this.mode === usualMode) return true;
    this.command("cellCommand", "mode", { mode: usualMode });
    return false;
  }

  reset(): void {
    this.command("cellCommand", "reset", { stops: [...this.stops] });
  }

  /** What a person with patience does until the cell is idle: choose, unhold, clear, reset. */
  tidyUp(): void {
    for (const run of this.runs) {
      if (run.state === "stopped") this.command("runCommand", "makeSafe", { run: run.run });
      if (run.state === "needsOperator") this.command("runCommand", "abandon", { run: run.run });
    }
    if (this.cell === "Held") this.command("cellCommand", "unhold", {});
    if (this.cell === "Suspended") this.command("cellCommand", "unsuspend", {});
    if (this.open.length > 0) return;
    if (this.cell === "Aborted") this.command("cellCommand", "clear", {});
    if (this.cell === "Stopped" || this.stops.length > 0) this.reset();
  }
}
