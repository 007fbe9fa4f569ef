/**
 * What a person may say to a run: answers to its questions, choices, and their reasons.
 *
 * The idea: a button for each thing that the coordinator offers, named by what it does. What is
 * kept with a reason opens a field first, made once, so that news neither takes the words away
 * nor the focus. It refuses to send a choice without the reason that it needs.
 */
import type { RunRecord } from "#kernel/contract/payloads.js";
import { keep, make, say, show } from "./dom.js";
import type { Live } from "./live.js";

/** Whether it was taken; why not is said elsewhere. */
export type Command = (path: string, body: object | undefined, what: string) => Promise<boolean>;

type Choice = RunRecord["choices"][number] | "cancel";
type Ask = NonNullable<RunRecord["asks"]>[number];

const choiceWords = {
  makeSafe: "Make safe",
  abandon: "Abandon",
  retry: "Retry what failed",
  skip: "Leave out what failed …",
  resolve: "I have looked: it is safe …",
  cancel: "Cancel run",
} as const satisfies Record<Choice, string>;

/** What is asked before they are sent, and the words of the button that sends them. */
const reasoned = {
  skip: {
    says:
      "What could not be made safe stays as it is. The run's axes are stopped, then what was not " +
      "tried yet is made safe, which may move them. The reason is kept with your name.",
    send: "Leave out what failed",
  },
  resolve: {
    says:
      "Nothing moves: the run ends as made safe because you say so. What you have seen is kept " +
      "with your name.",
    send: "It is safe: end the run",
  },
} as const satisfies { readonly [C in Choice]?: { readonly says: string; readonly send: string } };

type Reasoned = keyof typeof reasoned;

function isReasoned(choice: Choice): choice is Reasoned {
  return choice in reasoned;
}

/** As many letters as the gateway takes. */
const reasonMax = "500";

/** Where another run takes the place of one, a tap that was meant for that one does nothing. */
const settleMs = 700;

function choicesOf(run: RunRecord): readonly Choice[] {
  const runs = run.state === "running" || run.state === "pending";
  return runs ? [...run.choices, "cancel"] : run.choices;
}

export class RunDecisions {
  readonly #live: Live;
  readonly #command: Command;
  readonly #asks = make("ul", { class: "asks", "aria-live": "polite" });
  readonly #choices = make("div", { class: "choices" });
  readonly #form = make("form", { class: "reason", id: "run-reason", hidden: true });
  readonly #says = make("p", { id: "run-reason-says" });
  readonly #text = make("input", {
    id: "run-reason-text",
    type: "text",
    maxlength: reasonMax,
    autocomplete: "off",
    required: true,
    "aria-describedby": "run-reason-says",
  });
  readonly #send = make("button", { type: "submit", class: "command" });
  /** What the field is open for. */
  #open: { readonly run: string; readonly choice: Reasoned } | undefined;
  #sending = false;
  /** The run that was shown last. */
  #run: string | undefined;
  #settledAtMs = Number.NEGATIVE_INFINITY;

  constructor(live: Live, command: Command) {
    this.#live = live;
    this.#command = command;
    const back = make("button", { type: "button", class: "command" }, ["Back"]);
    const label = make("label", { for: "run-reason-text" }, ["Reason"]);
    const buttons = make("div", { class: "reason-buttons" }, [this.#send, back]);
    this.#form.append(this.#says, label, this.#text, buttons);
    this.#text.addEventListener("input", () => this.#renderSend());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit();
    });
    back.addEventListener("click", () => this.#leave());
    this.#form.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#leave();
    });
  }

  get elements(): readonly HTMLElement[] {
    return [this.#asks, this.#choices, this.#form];
  }

  render(run: RunRecord | undefined): void {
    if (run !== undefined && run.run !== this.#run) {
      if (this.#run !== undefined) this.#settledAtMs = performance.now() + settleMs;
      this.#run = run.run;
    }
    keep(this.#asks, run?.asks ?? [], {
      key: (ask) => `${run?.run}/${ask.step}`,
      make: (ask) => this.#makeAsk(run?.run ?? "", ask),
      update: (item) => this.#enable(item.querySelectorAll("button")),
    });
    const choices = run === undefined ? [] : choicesOf(run);
    // A run that is not known for a moment keeps its words until it is.
    const open = run === undefined ? undefined : this.#open;
    if (run !== undefined && open !== undefined) {
      if (open.run !== run.run || !choices.includes(open.choice)) this.#close();
    }
    keep(this.#choices, choices, {
      key: (choice) => `${run?.run}/${choice}`,
      make: (choice) => this.#makeChoice(run?.run ?? "", choice),
      update: (button, choice) => {
        this.#enable([button]);
        if (!isReasoned(choice)) return;
        const opened = this.#open?.run === run?.run && this.#open?.choice === choice;
        button.setAttribute("aria-expanded", String(opened));
      },
    });
    show(this.#choices, choices.length > 0);
    show(this.#form, run !== undefined && this.#open !== undefined);
    this.#renderSend();
  }

  #enable(buttons: Iterable<HTMLButtonElement>): void {
    const settled = performance.now() >= this.#settledAtMs;
    for (const button of buttons) button.disabled = !this.#live.mayCommand || !settled;
  }

  #makeAsk(run: string, ask: Ask): HTMLElement {
    const answers = ask.choices.map((choice) => {
      const button = make("button", { type: "button", class: "command" }, [choice]);
      button.addEventListener("click", () => {
        const body = { step: ask.step, choice };
        void this.#command(`/runs/${encodeURIComponent(run)}/answer`, body, `Answer ${choice}`);
      });
      return button;
    });
    const shape = make("span", { "aria-hidden": "true" }, ["◆ "]);
    return make("li", {}, [
      make("p", {}, [shape, ask.text]),
      make("div", { role: "group", "aria-label": ask.text }, answers),
    ]);
  }

  #makeChoice(run: string, choice: Choice): HTMLButtonElement {
    const text = choiceWords[choice];
    const button = make("button", { type: "button", class: "command" }, [text]);
    if (isReasoned(choice)) button.setAttribute("aria-controls", "run-reason");
    button.addEventListener("click", () => {
      if (isReasoned(choice)) this.#ask(run, choice);
      else void this.#command(`/runs/${encodeURIComponent(run)}/${choice}`, undefined, text);
    });
    return button;
  }

  #ask(run: string, choice: Reasoned): void {
    if (this.#open?.run !== run || this.#open.choice !== choice) this.#text.value = "";
    this.#open = { run, choice };
    say(this.#says, reasoned[choice].says);
    say(this.#send, reasoned[choice].send);
    this.#markOpen();
    show(this.#form, true);
    this.#renderSend();
    this.#text.focus();
  }

  #renderSend(): void {
    const empty = this.#text.value.trim() === "";
    this.#send.disabled = empty || this.#sending || !this.#live.mayCommand;
  }

  async #submit(): Promise<void> {
    const open = this.#open;
    const text = this.#text.value.trim();
    if (open === undefined || text === "" || this.#send.disabled) return;
    this.#sending = true;
    this.#renderSend();
    const path = `/runs/${encodeURIComponent(open.run)}/${open.choice}`;
    const taken = await this.#command(path, { text }, reasoned[open.choice].send);
    this.#sending = false;
    // What was refused can be said again; meanwhile somebody may have opened another one.
    if (taken && this.#open === open) this.#leave();
    this.#renderSend();
  }

  /** Closes the field, and goes back to the button that opened it. */
  #leave(): void {
    const opener = this.#opener();
    this.#close();
    opener?.focus();
  }

  #close(): void {
    this.#open = undefined;
    this.#text.value = "";
    this.#markOpen();
    show(this.#form, false);
  }

  #opener(): HTMLElement | undefined {
    const key = `${this.#open?.run}/${this.#open?.choice}`;
    const buttons = [...this.#choices.children] as HTMLElement[];
    return buttons.find((button) => button.dataset.key === key);
  }

  #markOpen(): void {
    const opener = this.#opener();
    for (const button of this.#choices.querySelectorAll("[aria-expanded]")) {
      button.setAttribute("aria-expanded", String(button === opener));
    }
  }
}
