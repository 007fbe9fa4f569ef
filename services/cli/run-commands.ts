/**
 * The command `run`: starts a saga and follows it.
 *
 * The idea: the run has its id before it is asked for, so a start whose answer is lost can be
 * looked for and never happens twice. Followed by lines, or by a live tree with `--watch`. It
 * refuses inputs that the saga does not have before anything is sent.
 */
import { type Command, Option } from "commander";
import { ServocellError } from "#kernel/errors.js";
import { mayHaveActed } from "./client.js";
import { status } from "./client-commands.js";
import { type ApiOptions, type ClientDeps, collect, withGateway } from "./gateway-option.js";
import { parseInputs } from "./run-inputs.js";
import { type LiveParts, watchLive } from "./run-live.js";

interface RunFlags extends ApiOptions {
  readonly input: readonly string[];
  readonly id?: string;
  /** Absent: neither was said. False: the earlier spelling of `detach`. */
  readonly wait?: boolean;
  readonly watch?: boolean;
  readonly detach?: boolean;
}

export function addRunCommands(program: Command, deps: ClientDeps): void {
  const { say, ends, apiOf } = deps;
  withGateway(program.command("status"))
    .description("what the cell and its axes are doing")
    .action(ends((options: ApiOptions) => status(apiOf(options), say)));
  withGateway(program.command("run <saga>"))
    .description(
      "start a saga and follow it: exit 0 completed, 2 madeSafe, 3 needsOperator, 4 stopped",
    )
    .option(
      "--input <name=value>",
      "an input of the saga, with a unit where it has one",
      collect,
      [],
    )
    .option("--id <id>", "the run's id: the same start again under it is no second run")
    .option("--wait", "wait for devices that other runs have, instead of being refused")
    .option("--watch", "a live tree of its steps; keys answer its questions")
    .option("--detach", "start it and return")
    .addOption(new Option("--no-wait").hideHelp())
    .action(ends((saga: string, flags: RunFlags) => startAndFollow(saga, flags, deps)));
}

async function startAndFollow(saga: string, flags: RunFlags, deps: ClientDeps): Promise<number> {
  const { say, apiOf, newId } = deps;
  const api = apiOf(flags);
  const inputs = await inputsFor(saga, flags, deps);
  const run = flags.id ?? newId();
  const wait = flags.wait === true;
  try {
    await api.startRun({ saga, run, inputs, wait });
  } catch (thrown) {
    if (mayHaveActed(thrown)) {
      say(`look whether it runs: servocell runs show ${run}`);
      say(`the same start again, and no second run: add --id ${run}`);
    }
    throw thrown;
  }
  if (flags.detach === true || flags.wait === false) {
    say(`run ${run} of ${saga} has started`);
    return 0;
  }
  const tree = flags.watch === true && process.stdout.isTTY === true;
  if (!tree) say(`run ${run} of ${saga}`);
  return watchLive(api, run, liveParts(say, tree));
}

/** What the saga's own list of inputs makes of what was typed. */
async function inputsFor(saga: string, flags: RunFlags, { apiOf }: ClientDeps) {
  if (flags.input.length === 0) return {};
  const sagas = await apiOf(flags).sagas();
  const known = sagas.find((one) => one.name === saga);
  if (known !== undefined) return parseInputs(flags.input, known.inputs ?? {});
  const names = sagas.map((one) => one.name).join(", ");
  throw new ServocellError("NOT_FOUND", `There is no saga ${saga}; there are ${names}.`);
}

/** `tree`: the screen is ours, and the keys where there is a keyboard. */
function liveParts(say: (line: string) => void, tree: boolean): LiveParts {
  const { stdout, stdin } = process;
  return {
    output: tree ? stdout : { write: () => {} },
    input: stdin,
    say,
    onSignal,
    colours: tree && !process.env.NO_COLOR,
  };
}

/** Codes that a shell gives a program which ended by these. */
const signalCodes = { SIGTERM: 143, SIGHUP: 129 } as const;

function onSignal(listener: (signal: "interrupt" | "end") => void): () => void {
  const interrupt = () => listener("interrupt");
  const end = () => listener("end");
  const ended = (signal: keyof typeof signalCodes) => {
    listener("end");
    process.exit(signalCodes[signal]);
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", ended);
  process.on("SIGHUP", ended);
  process.on("exit", end);
  return () => {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", ended);
    process.off("SIGHUP", ended);
    process.off("exit", end);
  };
}
