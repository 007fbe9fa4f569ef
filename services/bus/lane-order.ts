/**
 * Whose request is next among those that wait in a lane.
 *
 * The idea: a stop goes by what is known of its axis: moving or unknown, still, not answering, and
 * repeats after all of these [PROTOCOL 9]. Elsewhere the client that was served longest ago goes
 * first, then the unit whose turn it is, then the oldest request; so neither a busy drive nor a
 * vendor's tool that asks for everything starves another. Pure. It refuses to look at the wire.
 */
import { isSilent } from "./lane-silence.js";
import type { LaneName, LanesState, Request } from "./lane-state.js";

const repeatRank = 3;

/** The least is sent first. */
export function stopRank({ axes, silence }: Known, { unit, sends }: Request): number {
  const axis = axes.get(unit);
  const lost = axis === "lost" || isSilent(silence.get(unit));
  const rank = lost ? 2 : axis === "still" ? 1 : 0;
  return rank + (sends > 0 ? repeatRank : 0);
}

type Known = Pick<LanesState, "axes" | "silence">;

/** Orders the requests of one lane; those that are equal stay as they came. */
export function orderOf(
  state: Known & Pick<LanesState, "served" | "turns">,
  lane: LaneName,
): (a: Request, b: Request) => number {
  const unitTurn = ({ unit }: Request) => (unit - state.served[lane] + 511) % 256;
  if (lane === "stop") {
    return (a, b) => stopRank(state, a) - stopRank(state, b) || unitTurn(a) - unitTurn(b);
  }
  const clientTurn = ({ client }: Request) => state.turns.get(client) ?? -1;
  return (a, b) => clientTurn(a) - clientTurn(b) || unitTurn(a) - unitTurn(b);
}

/** The first in this order; of equal ones the one that came first. */
export function firstOf(
  requests: readonly Request[],
  order: (a: Request, b: Request) => number,
): Request | undefined {
  let best: Request | undefined;
  for (const request of requests) {
    if (best === undefined || order(request, best) < 0) best = request;
  }
  return best;
}
