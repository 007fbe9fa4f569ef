/**
 * The commands on the cell as a whole: hold, suspend, reset, clear, its mode, devices taken out.
 *
 * The idea: each is one request to the gateway under the person's name; what the cell is then is
 * said. It refuses to reset what it has not shown.
 */
import { Argument, type Command } from "commander";
import { cellModes } from "#kernel/config/saga.js";
import type { CellAct } from "./client.js";
import { actOnCell, reset } from "./client-commands.js";
import { type ApiOptions, type ClientDeps, withGateway } from "./gateway-option.js";

const plainActs = {
  hold: "begin no new step; steps under way end, and nothing is given up",
  unhold: "go on after hold",
  suspend: "begin no new step, because production is starved or blocked",
  unsuspend: "go on after suspend",
  clear: "leave Aborted; reset is next",
} as const satisfies { readonly [A in CellAct]?: string };

export function addCellCommands(program: Command, deps: ClientDeps): void {
  const { say, ends, apiOf } = deps;
  const group = withGateway(program.command("cell")).description("commands to the whole cell");
  for (const action of ["hold", "unhold", "suspend", "unsuspend", "clear"] as const) {
    group
      .command(action)
      .description(plainActs[action])
      .action(
        ends((_: object, self: Command) =>
          actOnCell(apiOf(self.optsWithGlobals()), { action }, say),
        ),
      );
  }
  group
    .command("reset")
    .description("reset the latched stops that it shows; nothing moves by it")
    .action(ends((_: object, self: Command) => reset(apiOf(self.optsWithGlobals()), say)));
  group
    .command("mode")
    .addArgument(new Argument("<mode>", "the mode of the cell").choices([...cellModes]))
    .description("change the mode of the cell, where no run is open")
    .action(
      ends((mode: string, _: object, self: Command) =>
        actOnCell(apiOf(self.optsWithGlobals()), { action: "mode", body: { mode } }, say),
      ),
    );
  for (const action of ["exclude", "include"] as const) {
    const text = action === "exclude" ? "take a device out of use" : "take a device into use again";
    group
      .command(`${action} <device>`)
      .description(text)
      .option("--text <why>", "the reason, kept with your name")
      .action(
        ends((device: string, _: object, self: Command) => {
          const { text: why, ...options } = self.optsWithGlobals<ApiOptions & { text?: string }>();
          const body = { device, ...(why === undefined ? {} : { text: why }) };
          return actOnCell(apiOf(options), { action, body }, say);
        }),
      );
  }
  withGateway(program.command("reset", { hidden: true }))
    .description("the same as cell reset")
    .action(ends((options: ApiOptions) => reset(apiOf(options), say)));
}
