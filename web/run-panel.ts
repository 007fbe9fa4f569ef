/**
 * The run: its steps as they happen, how each was made safe, and what a person may choose.
 *
 * The idea: one open run is shown whole, first one that waits for a person; what it asks and the
 * choices that the coordinator offers stand beside what it does not know. The other open ones are
 * one tap away, and marked where they wait. It refuses to offer more, and to put another run in
 * the place of one that is still open, under the hand of somebody about to press.
 */
import type { RunRecord, RunStep } from "#kernel/contract/payloads.js";
import type { SagaResource } from "#kernel/contract/resources.js";
import { byId, duration, keep, make, mark, say, sayWords, show } from "./dom.js";
import type { Live } from "./live.js";
import { type Command, RunDecisions } from "./run-decisions.js";

const openStates = ["pending", "running", "stopping", "makingSafe", "stopped", "needsOperator"];
const stateWords: { readonly [S in RunRecord["state"]]: string } = {
  pending: "about to start",
  running: "running",
  stopping: "stopping its axes",
  makingSafe: "making safe",
  completed: "completed",
  madeSafe: "ended, made safe",
  stopped: "stopped, waits for a choice",
  needsOperator: "needs an operator",
};
const icons: { readonly [S in RunStep["status"]]: string } = {
  pending: "○",
  running: "▶",
  done: "✓",
  refused: "◆",
  faulted: "▲",
  unknown: "▲",
  skipped: "–",
};
const safeWords: { readonly [S in RunStep["safe"]]: string } = {
  none: "",
  pending: "to be made safe",
  running: "being made safe",
  done: "made safe",
  failed: "▲ not made safe",
};

function levelOf(run: RunRecord): "attention" | "alarm" | undefined {
  if (run.state === "needsOperator") return "alarm";
  const worth = run.state === "stopped" || run.state === "madeSafe" || run.state === "makingSafe";
  return worth || run.state === "stopping" ? "attention" : undefined;
}

/** An abandoned run stays `stopped`, and waits for nobody. */
const isOpen = (run: RunRecord) => run.endedAt === undefined && openStates.includes(run.state);

const wordOf = (run: RunRecord) =>
  run.state === "stopped" && run.endedAt !== undefined ? "abandoned" : stateWords[run.state];

function waitsForPerson(run: RunRecord): boolean {
  return run.choices.length > 0 || (run.asks ?? []).length > 0;
}

export class RunPanel {
  readonly #live: Live;
  readonly #command: Command;
  readonly #decisions: RunDecisions;
  readonly #none = make("p", { class: "quiet" }, ["No run yet. Start one of the sagas."]);
  readonly #title = make("h3", { tabindex: "-1" });
  readonly #state = make("p", { class: "words run-state", role: "status" });
  readonly #unknowns = make("ul", { class: "unknowns" });
  readonly #steps = make("ol", { class: "steps" });
  /** The other ones: open, then ended. */
  readonly #earlier = make("ul", { class: "earlier" });
  /** The run that is shown, for as long as it is open. */
  #picked: string | undefined;

  constructor(live: Live, command: Command) {
    this.#live = live;
    this.#command = command;
    this.#decisions = new RunDecisions(live, command);
    const parts = [this.#none, this.#title, this.#state, this.#unknowns];
    byId("run").append(...parts, ...this.#decisions.elements, this.#steps, this.#earlier);
  }

  render(): void {
    this.#renderSagas();
    const runs = this.#live.snapshot?.runs ?? [];
    const run = this.#shown(runs);
    show(this.#none, run === undefined);
    for (const part of [this.#title, this.#state, this.#steps]) show(part, run !== undefined);
    if (run !== undefined) this.#renderRun(run);
    this.#decisions.render(run);
    const others = runs.filter((r) => r !== run);
    const open = others.filter(isOpen);
    const waiting = open.filter(waitsForPerson);
    this.#renderWaiting(waiting);
    const going = open.filter((r) => !waitsForPerson(r));
    const ended = others.filter((r) => !isOpen(r)).slice(0, 5);
    this.#renderEarlier([...waiting, ...going, ...ended]);
  }

  /** What is shown stays in view while it is open, whatever else begins or waits. */
  #shown(runs: readonly RunRecord[]): RunRecord | undefined {
    const open = runs.filter(isOpen);
    const picked = open.find((run) => run.run === this.#picked);
    const shown = picked ?? open.find(waitsForPerson) ?? open[0];
    // Where no run is known for a moment, the same one is shown afterwards.
    if (runs.length > 0) this.#picked = shown?.run;
    return shown ?? runs[0];
  }

  #pick(run: string): void {
    this.#picked = run;
    this.render();
    // The button that had the focus is gone with its line.
    this.#title.focus();
  }

  /** Stands above the run, where it moves nothing that somebody is about to press. */
  #renderWaiting(waiting: readonly RunRecord[]): void {
    const level = waiting.some((run) => levelOf(run) === "alarm") ? "alarm" : "attention";
    const many = waiting.length > 1 ? `${waiting.length} other runs wait` : "Another run waits";
    const words = waiting.length === 0 ? [] : [{ text: many, level } as const];
    sayWords(byId("run-waiting"), words);
  }

  #renderRun(run: RunRecord): void {
    const saga = this.#live.snapshot?.sagas.find((s) => s.name === run.saga);
    say(this.#title, saga?.title ?? run.saga);
    const ms = (run.endedAt ?? this.#live.now()) - run.startedAt;
    const level = levelOf(run);
    const said = { text: wordOf(run), ...(level === undefined ? {} : { level }) };
    const cause = run.cause.text === "" ? [] : [{ text: run.cause.text }];
    sayWords(this.#state, [said, ...cause, { text: duration(ms) }, { text: run.run }]);
    keep(this.#unknowns, run.unknowns, {
      key: (unknown) => unknown.device + unknown.text,
      make: () => make("li", { class: "alarm" }),
      update: (item, unknown) => say(item, `▲ ${unknown.device}: ${unknown.text}`),
    });
    show(this.#unknowns, run.unknowns.length > 0);
    keep(this.#steps, run.steps, {
      key: (step) => `${run.run}/${step.name}`,
      make: () =>
        make(
          "li",
          {},
          [1, 2, 3, 4].map(() => make("span")),
        ),
      update: (item, step) => this.#updateStep(item, step),
    });
  }

  #updateStep(item: HTMLElement, step: RunStep): void {
    const [icon, text, time, more] = [...item.children] as HTMLElement[];
    if (!icon || !text || !time || !more) return;
    const bad = step.status === "faulted" || step.status === "unknown" || step.safe === "failed";
    mark(item, "alarm", bad);
    mark(item, "attention", step.status === "refused");
    mark(item, "now", step.status === "running" || step.safe === "running");
    mark(item, "later", step.status === "pending");
    item.setAttribute("aria-label", `${step.text}: ${step.status}`);
    say(icon, icons[step.status]);
    icon.setAttribute("aria-hidden", "true");
    say(text, step.text);
    const running = step.status === "running" && step.startedAt !== undefined;
    const ms = running ? this.#live.now() - (step.startedAt ?? 0) : step.durationMs;
    say(time, ms === undefined ? "" : duration(ms));
    const error = step.error === undefined ? "" : `${step.status}: ${step.error.text}`;
    const safeError = step.safeError === undefined ? "" : `: ${step.safeError.text}`;
    const safe = step.safe === "done" && step.safeText ? `made safe: ${step.safeText}` : "";
    const made = safe !== "" ? safe : `${safeWords[step.safe]}${safeError}`;
    say(more, [error, made].filter((part) => part !== "").join(" · "));
    show(more, more.textContent !== "");
  }

  #renderEarlier(runs: readonly RunRecord[]): void {
    keep(this.#earlier, runs, {
      key: (run) => run.run,
      make: (run) => this.#makeEarlier(run),
      update: (item, run) => {
        const [words, button] = [...item.children] as HTMLElement[];
        if (!words || !button) return;
        const level = levelOf(run);
        const state = { text: wordOf(run), ...(level === undefined ? {} : { level }) };
        const asks = (run.asks ?? []).map(({ text }) => {
          return { text: `asks: ${text}`, level: "attention" } as const;
        });
        const ms = (run.endedAt ?? this.#live.now()) - run.startedAt;
        const name = isOpen(run) ? [{ text: run.run }] : [];
        sayWords(words, [{ text: run.saga }, state, ...asks, { text: duration(ms) }, ...name]);
        mark(item, "open", isOpen(run));
        show(button, isOpen(run));
      },
    });
    show(this.#earlier, runs.length > 0);
  }

  #makeEarlier(run: RunRecord): HTMLElement {
    const button = make("button", { type: "button", class: "command" }, ["Show"]);
    button.setAttribute("aria-label", `Show ${run.saga}, run ${run.run}`);
    button.addEventListener("click", () => this.#pick(run.run));
    return make("li", {}, [make("p", { class: "words" }), button]);
  }

  #renderSagas(): void {
    const snapshot = this.#live.snapshot;
    const startable = snapshot?.cell.allowed.includes("start") === true && this.#live.mayCommand;
    keep(byId("sagas"), snapshot?.sagas ?? [], {
      key: (saga) => saga.name,
      make: (saga) => this.#makeSaga(saga),
      update: (item) => {
        const button = item.querySelector("button");
        if (button !== null) button.disabled = !startable;
      },
    });
  }

  #makeSaga(saga: SagaResource): HTMLElement {
    const start = make("button", { type: "button", class: "command" }, ["Start"]);
    start.setAttribute("aria-label", `Start ${saga.title}`);
    start.addEventListener("click", () => {
      void this.#command("/runs", { saga: saga.name }, `Start ${saga.name}`);
    });
    const uses = `${saga.steps.length} steps · ${saga.uses.join(", ")}`;
    const text = make("div", {}, [
      make("h3", {}, [saga.title]),
      make("p", { class: "quiet" }, [`${saga.name} · ${uses}`]),
    ]);
    return make("li", {}, [text, start]);
  }
}
