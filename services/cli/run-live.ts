/**
 * `servocell run --watch`: follows a run on the screen, answers its questions, and leaves it.
 *
 * The idea: the run belongs to the cell, not to this terminal. Ctrl-C leaves and says that the
 * run goes on; only a second one within two seconds cancels it, and then its stop and its making
 * safe are watched to the end. It refuses to end with the terminal in another mode than before.
 */
import type { RunRecord } from "#kernel/contract/payloads.js";
import { axisResource } from "#kernel/contract/resources.js";
import { ServocellError, textOf } from "#kernel/errors.js";
import type { Api, StreamMessage } from "./client.js";
import { type KeyInput, LiveScreen, openKeys, type ScreenOutput } from "./live-screen.js";
import { exitCodeOf, hasEnded, RunReport } from "./run-report.js";
import { RunTree } from "./run-tree.js";
import { watchRun } from "./run-watch.js";

/** A second Ctrl-C within this cancels the run; without one it is left. */
export const againMs = 2000;
/** What a shell expects of a program that was interrupted. */
export const leftExitCode = 130;
const paintEveryMs = 100;

export interface LiveParts {
  readonly output: ScreenOutput & { readonly isTTY?: boolean | undefined };
  readonly input: KeyInput;
  readonly say: (line: string) => void;
  /** Calls back on SIGINT, and once when the process ends; gives the way to end that. */
  readonly onSignal: (listener: (signal: "interrupt" | "end") => void) => () => void;
  readonly colours: boolean;
}

/** The exit code of the run as `--once` has it, or 130 when it was left. */
export async function watchLive(api: Api, run: string, parts: LiveParts): Promise<number> {
  const watch = new Watch(api, run, parts);
  try {
    return await watch.toEnd();
  } finally {
    watch.close();
  }
}

class Watch {
  readonly #api: Api;
  readonly #run: string;
  readonly #parts: LiveParts;
  readonly #tree = new RunTree();
  readonly #report = new RunReport();
  readonly #leaving = new AbortController();
  readonly #screen: LiveScreen | undefined;
  readonly #keys: { close(): void };
  readonly #offSignal: () => void;
  #painter: ReturnType<typeof setInterval> | undefined;
  #leaveTimer: ReturnType<typeof setTimeout> | undefined;
  #note = "";
  #cancelled = false;
  #answering = false;

  constructor(api: Api, run: string, parts: LiveParts) {
    this.#api = api;
    this.#run = run;
    this.#parts = parts;
    const { output, input } = parts;
    this.#screen = output.isTTY === true ? new LiveScreen(output) : undefined;
    this.#keys =
      this.#screen === undefined ? { close: () => {} } : openKeys(input, (key) => this.#key(key));
    this.#offSignal = parts.onSignal((signal) => {
      if (signal === "interrupt") this.#interrupt();
      else this.close();
    });
  }

  async toEnd(): Promise<number> {
    if (this.#screen !== undefined) {
      this.#painter = setInterval(() => this.#paint(), paintEveryMs);
    }
    try {
      const ended = await watchRun(this.#api, this.#run, {
        onRecord: (run) => this.#take(run),
        onMessage: (message) => this.#hear(message),
        signal: this.#leaving.signal,
      });
      this.#note = "";
      this.#paint();
      return exitCodeOf(ended);
    } catch (thrown) {
      const left = thrown instanceof ServocellError && thrown.code === "CANCELLED";
      if (!left) throw thrown;
      this.#note = "";
      this.#paint();
      this.close();
      this.#parts.say(`run ${this.#run} goes on; see it with: servocell runs show ${this.#run}`);
      return leftExitCode;
    }
  }

  close(): void {
    clearInterval(this.#painter);
    clearTimeout(this.#leaveTimer);
    this.#offSignal();
    this.#keys.close();
    this.#screen?.close();
  }

  #take(run: RunRecord): void {
    this.#tree.take(run);
    if (this.#screen !== undefined) return;
    for (const line of this.#report.take(run)) this.#parts.say(line);
  }

  #hear({ event, data }: StreamMessage): void {
    const list = event === "snapshot" ? (data as { axes?: unknown } | null)?.axes : [data];
    if (event !== "axis" && event !== "snapshot") return;
    for (const one of Array.isArray(list) ? list : []) {
      const axis = axisResource.safeParse(one);
      if (axis.success) this.#tree.see(axis.data);
    }
  }

  #paint(): void {
    const screen = this.#screen;
    if (screen === undefined) return;
    const note = this.#note === "" ? [] : [this.#note.slice(0, screen.columns - 1)];
    const { columns, rows } = screen;
    const { colours } = this.#parts;
    const view = { nowTs: Date.now(), columns, rows: rows - note.length, colours };
    screen.paint([...this.#tree.lines(view), ...note]);
  }

  #tell(note: string): void {
    this.#note = note;
    if (this.#screen === undefined) this.#parts.say(note);
    else this.#paint();
  }

  #key(key: string): void {
    // In raw mode the terminal gives the key and sends no signal.
    if (key === "\u0003") {
      this.#interrupt();
      return;
    }
    const [ask] = this.#tree.run?.asks ?? [];
    const choice = ask?.choices[Number(key) - 1];
    if (ask === undefined || choice === undefined || this.#answering) return;
    this.#answering = true;
    this.#tell(`${ask.step}: ${choice} …`);
    this.#api
      .actOnRun(this.#run, "answer", { step: ask.step, choice })
      .then(
        () => this.#tell(`${ask.step}: ${choice}`),
        (thrown: unknown) => this.#tell(`not answered: ${textOf(thrown)}`),
      )
      .finally(() => {
        this.#answering = false;
      });
  }

  #interrupt(): void {
    const run = this.#tree.run;
    if (this.#cancelled || (run !== undefined && hasEnded(run))) {
      this.#leaving.abort();
      return;
    }
    if (this.#leaveTimer === undefined) {
      this.#leaveTimer = setTimeout(() => this.#leaving.abort(), againMs);
      this.#tell("the run goes on; Ctrl-C again now to cancel it: stop, then make safe");
      return;
    }
    clearTimeout(this.#leaveTimer);
    this.#cancelled = true;
    this.#tell("cancelling: stop, then make safe; Ctrl-C again leaves it alone");
    this.#api.actOnRun(this.#run, "cancel").catch((thrown: unknown) => {
      // It may be over, or the gateway away: another attempt is the person's to make.
      this.#cancelled = false;
      this.#leaveTimer = undefined;
      this.#tell(`not cancelled: ${textOf(thrown)} Use servocell stop to stop the cell.`);
    });
  }
}
