/**
 * `servocell jog`: holds the button of one axis for a short time, and lets go.
 *
 * The idea: a terminal cannot tell when a key is let go, so the time is given and bounded, and this
 * process is the finger: it echoes each nonce while the time lasts; ended in any way, it echoes
 * nothing more and the axis stands [PROTOCOL 16]. It refuses more than 2 s.
 */
import type { Command } from "commander";
import * as z from "zod";
import { baseUnits, parseDuration, parseQuantity } from "#drivers/units.js";
import { ServocellError } from "#kernel/errors.js";
import type { Api } from "./client.js";
import { type ApiOptions, type ClientDeps, collect, withGateway } from "./gateway-option.js";

/** The longest time that this process holds a button. */
export const heldMsMax = 2000;

const wordSchema = z.object({
  kind: z.enum(["granted", "nonce", "ended"]),
  nonce: z.string().optional(),
  reason: z.string().optional(),
});

interface JogFlags extends ApiOptions {
  readonly for: string;
  readonly bypass: readonly string[];
  readonly text?: string;
}

export function addJogCommand(program: Command, { say, ends, apiOf, newId }: ClientDeps): void {
  withGateway(program.command("jog <axis> <velocity>"))
    .description("move an axis for a moment, such as: jog x +10mm/s --for 500ms")
    .option("--for <time>", `how long the button is held, at most ${heldMsMax} ms`, "500ms")
    .option(
      "--bypass <interlock>",
      "leave it out of account; Maintenance only, slowly",
      collect,
      [],
    )
    .option("--text <why>", "the reason for a bypass, kept with your name")
    // A speed in the minus direction looks like an option.
    .allowUnknownOption()
    .action(
      ends((axis: string, written: string, flags: JogFlags) => {
        const forMs = timeOf(flags.for);
        const api = apiOf(flags);
        return jog({ api, axis, written, forMs, flags, hold: newId(), say });
      }),
    );
}

interface Jog {
  readonly api: Api;
  readonly axis: string;
  readonly written: string;
  readonly forMs: number;
  readonly flags: Pick<JogFlags, "bypass" | "text">;
  readonly hold: string;
  readonly say: (line: string) => void;
}

async function jog({ api, axis, written, forMs, flags, hold, say }: Jog): Promise<number> {
  const known = (await api.axes()).find((one) => one.axis === axis);
  if (known === undefined) throw new ServocellError("NOT_FOUND", `There is no axis "${axis}".`);
  const velocity = velocityOf(written, known.velocityUnit);
  const { bypass, text } = flags;
  const more = {
    ...(bypass.length === 0 ? {} : { bypass }),
    ...(text === undefined ? {} : { text }),
  };
  let untilMs = Number.POSITIVE_INFINITY;
  let reason = "the connection of the press has ended";
  let letGo = false;
  await api.press({ axis, hold, body: { velocity, ...more } }, async (line) => {
    const word = wordSchema.parse(JSON.parse(line));
    const nowMs = performance.now();
    if (word.kind === "granted") untilMs = nowMs + forMs;
    if (word.kind === "ended") reason = word.reason ?? reason;
    if (word.kind !== "nonce" || letGo) return;
    letGo = nowMs >= untilMs;
    await api.echo({ axis, hold }, letGo ? undefined : word.nonce);
  });
  const after = (await api.axes()).find((one) => one.axis === axis);
  const place =
    after?.position === undefined ? "" : ` at ${after.position.toFixed(2)} ${after.unit}`;
  say(`${axis}: ${reason}${place}`);
  return reason === "released" ? 0 : 1;
}

function timeOf(written: string): number {
  const time = parseDuration(written);
  if (time.ok && time.ms > 0 && time.ms <= heldMsMax) return time.ms;
  const why = time.ok ? `is not within 1 to ${heldMsMax} ms` : `is no time: ${time.message}`;
  throw new ServocellError("VALIDATION_FAILED", `--for ${written} ${why}.`);
}

/** In the unit of the axis, which is that of its readings. */
function velocityOf(written: string, unit: string): number {
  const quantity = parseQuantity(written);
  if (!quantity.ok) {
    throw new ServocellError("VALIDATION_FAILED", `${written} is no speed: ${quantity.message}.`);
  }
  const given = baseUnits[quantity.dimension];
  if (given === (unit === "percent" ? "%" : unit)) return quantity.value;
  throw new ServocellError("VALIDATION_FAILED", `${written} is not in ${unit}.`);
}
