/**
 * The commands on runs: list, show, answer, signal, cancel and the choices of an operator.
 *
 * The idea: each is one request to the gateway; `show` reads the journal, also of runs that have
 * ended long ago, as a timeline, as one JSON document or as a trace. It refuses to skip or to
 * vouch for anything without a reason.
 */
import { writeFileSync } from "node:fs";
import type { Command } from "commander";
import { ServocellError, textOf } from "#kernel/errors.js";
import type { RunAct } from "./client.js";
import { act, runs } from "./client-commands.js";
import { type ApiOptions, type ClientDeps, withGateway } from "./gateway-option.js";
import { exported, wholeHistory } from "./run-export.js";
import { timelineOf } from "./run-timeline.js";
import { traceOf } from "./run-trace.js";

interface ShowFlags extends ApiOptions {
  readonly json?: boolean;
  readonly trace?: string;
  readonly all?: boolean;
}

const plainActs = {
  cancel: ["cancel", "stop the run, then make it safe"],
  retry: ["retry", "try again what the run needs an operator for"],
  "make-safe": ["makeSafe", "make a stopped run safe"],
  abandon: ["abandon", "end a stopped run without making it safe"],
} as const satisfies { readonly [name: string]: readonly [RunAct, string] };

const reasonedActs = {
  skip: ["skip", "leave out what could not be made safe, and go on with the rest"],
  resolve: ["resolve", "say that you have looked and what is not known is safe; nothing moves"],
} as const satisfies { readonly [name: string]: readonly [RunAct, string] };

export function addRunsCommands(program: Command, deps: ClientDeps): void {
  const { say, ends, apiOf } = deps;
  const group = withGateway(program.command("runs").argument("[run]"))
    .description("runs: list and show them, answer and decide")
    .action(ends((id: string | undefined, options: ApiOptions) => runs(apiOf(options), id, say)));
  group
    .command("list")
    .description("open runs and the newest ended ones")
    .action(
      ends((_: object, self: Command) => runs(apiOf(self.optsWithGlobals()), undefined, say)),
    );
  group
    .command("show <run>")
    .description("what happened in a run, also in one that has ended long ago")
    .option("--all", "leases, ticks and other details too")
    .option(
      "--json",
      "the whole journal as one JSON document (docs/schemas/run-export.schema.json)",
    )
    .option("--trace <file>", "write a trace for a trace viewer (Trace Event Format)")
    .action(
      ends((run: string, _: object, self: Command) => show(run, self.optsWithGlobals(), deps)),
    );
  group
    .command("answer <run> <step> <choice>")
    .description("answer a question of a run")
    .action(
      ends((run: string, step: string, choice: string, _: object, self: Command) => {
        const body = { step, choice };
        return act(apiOf(self.optsWithGlobals()), { run, action: "answer", body }, say);
      }),
    );
  group
    .command("signal <run> <name>")
    .description("send a signal that a run waits for")
    .action(
      ends((run: string, name: string, _: object, self: Command) => {
        const body = { name };
        return act(apiOf(self.optsWithGlobals()), { run, action: "signal", body }, say);
      }),
    );
  for (const [name, [action, text]] of Object.entries(plainActs)) {
    const command = group.command(`${name} <run>`).description(text);
    command.action(
      ends((run: string, _: object, self: Command) =>
        act(apiOf(self.optsWithGlobals()), { run, action }, say),
      ),
    );
  }
  for (const [name, [action, text]] of Object.entries(reasonedActs)) {
    group
      .command(`${name} <run>`)
      .description(text)
      .requiredOption("--text <why>", "the reason, kept in the journal with your name")
      .action(
        ends((run: string, _: object, self: Command) => {
          const { text: why, ...options } = self.optsWithGlobals<ApiOptions & { text: string }>();
          return act(apiOf(options), { run, action, body: { text: why } }, say);
        }),
      );
  }
  addOldNames(program, deps);
}

/** `servocell cancel RUN` and the like, as they were called before `runs` was a group. */
function addOldNames(program: Command, { say, ends, apiOf }: ClientDeps): void {
  for (const action of ["cancel", "makeSafe", "abandon", "retry"] as const) {
    withGateway(program.command(`${action} <run>`, { hidden: true }))
      .description(`the same as runs ${action === "makeSafe" ? "make-safe" : action}`)
      .action(
        ends((run: string, options: ApiOptions) => act(apiOf(options), { run, action }, say)),
      );
  }
}

async function show(run: string, flags: ShowFlags, deps: ClientDeps): Promise<number> {
  const { say, apiOf } = deps;
  const history = await wholeHistory(apiOf(flags), run);
  if (flags.trace !== undefined) writeTrace(flags.trace, JSON.stringify(traceOf(history)));
  if (flags.json === true) say(JSON.stringify(exported(history), null, 2));
  else if (flags.trace !== undefined) say(`wrote ${flags.trace}`);
  else for (const line of timelineOf(history, flags.all === true)) say(line);
  return 0;
}

function writeTrace(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (thrown) {
    const why = `The trace cannot be written: ${textOf(thrown)}`;
    throw new ServocellError("VALIDATION_FAILED", why, { file }, thrown);
  }
}
