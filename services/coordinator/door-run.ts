/**
 * Commands on one run: cancel, answers to its questions, signals, and a person's choices.
 *
 * The idea: a command becomes an event of the run's machine, and the answer is written beside it,
 * so that a repeat after a restart is no second choice. Choices that leave something out or vouch
 * for something carry the reason and the name. It refuses what means nothing to the run now.
 */
import {
  type Answer,
  type Asked,
  keeping,
  nameIn,
  reasonMissing,
  reasonOf,
  refusal,
} from "./door-answer.js";
import type { RunDesk, RunNews } from "./run-desk.js";
import type { Run } from "./run-state.js";
import { publishedState } from "./run-view.js";

export const runVerbs = [
  "cancel",
  "makeSafe",
  "abandon",
  "retry",
  "skip",
  "resolve",
  "answer",
  "signal",
] as const;

export class RunDoor {
  readonly #runs: RunDesk;

  constructor(runs: RunDesk) {
    this.#runs = runs;
  }

  async on(asked: Asked): Promise<Answer> {
    const { verb, command } = asked;
    const id = nameIn(command.args, "run");
    const run = this.#runs.find(id);
    if (run === undefined) return refusal("NOT_FOUND", `There is no open run "${id}".`);
    const means = meaningOf(run, asked);
    if (!("kind" in means)) return means;
    const answerOf = (now: Run): Answer => ({
      ok: true,
      result: { run: id, state: publishedState(now) },
    });
    // Kept beside the choice: a repeat after a restart is no second choice.
    const fed = this.#runs.feed(id, means, (now) => keeping(asked, answerOf(now)));
    if (fed === undefined) {
      const state = publishedState(run);
      const text = `The run is ${state}; ${verb} means nothing now.`;
      return refusal("STATE_CONFLICT", text, { run: id, state });
    }
    await fed.committed;
    return answerOf(this.#runs.find(id) ?? run);
  }
}

function meaningOf(run: Run, { verb, command }: Asked): RunNews | Answer {
  const { user } = command.by;
  switch (verb) {
    case "makeSafe":
    case "retry":
      return { kind: verb, user };
    case "skip":
    case "resolve": {
      const text = reasonOf(command);
      return text === undefined ? reasonMissing(verb) : { kind: verb, user, text };
    }
    case "answer":
      return answerTo(run, nameIn(command.args, "step"), nameIn(command.args, "choice"), user);
    case "signal": {
      const name = nameIn(command.args, "name");
      if (isAwaited(run, name)) return { kind: "signalled", name, user };
      return refusal("STATE_CONFLICT", `No step of the run waits for the signal "${name}" now.`);
    }
    case "abandon": {
      const why = reasonOf(command);
      return { kind: "abandon", text: `abandon by ${user}${why === undefined ? "" : `: ${why}`}` };
    }
    default:
      return { kind: "cancelled", text: `${verb} by ${user}` };
  }
}

function answerTo(run: Run, name: string, choice: string, user: string): RunNews | Answer {
  const { phase } = run;
  const threads = phase.at === "running" ? phase.threads : [];
  for (const { wait, step } of threads) {
    const definition = run.saga.steps[step];
    if (wait.kind !== "ask" || definition?.name !== name) continue;
    const choices = definition.action.kind === "ask" ? definition.action.choices : [];
    if (choices.includes(choice)) return { kind: "answered", step, choice, user };
    const text = `"${choice}" is no answer to ${name}; it asks for one of ${choices.join(", ")}.`;
    return refusal("VALIDATION_FAILED", text, { choices: [...choices] });
  }
  return refusal("STATE_CONFLICT", `The step "${name}" of the run asks nothing now.`);
}

function isAwaited(run: Run, name: string): boolean {
  const { phase } = run;
  const threads = phase.at === "running" ? phase.threads : [];
  return threads.some(({ wait, step }) => {
    const action = run.saga.steps[step]?.action;
    return wait.kind === "signal" && action?.kind === "signal" && action.signal === name;
  });
}
