/**
 * Who may do what: one table, asked by every route.
 *
 * The idea: an actor is a peer address turned into a role, an action is named by the route, and
 * what the table does not hold is refused. Peers on loopback are operators, all others may only
 * look and stop. It refuses to know HTTP.
 */
import type { By } from "#kernel/contract/payloads.js";

export const actions = ["read", "stop", "run", "reset", "hold", "mode", "exclude", "jog"] as const;
export type Action = (typeof actions)[number];
export type Role = "viewer" | "operator";
export interface Actor extends By {
  readonly role: Role;
}

const rights: { readonly [R in Role]: readonly Action[] } = {
  viewer: ["read", "stop"],
  operator: ["read", "stop", "run", "reset", "hold", "mode", "exclude", "jog"],
};

export type Permission = { readonly ok: true } | { readonly ok: false; readonly text: string };

/** Deny by default: an action that no role holds, or no action at all, is refused. */
export function authorize(action: string | undefined, resource: string, actor: Actor): Permission {
  if (rights[actor.role].some((right) => right === action)) return { ok: true };
  return {
    ok: false,
    text:
      `${actor.user} is ${actor.role} and may not ${action ?? "use"} ${resource}; ` +
      "use a browser on the cell's own PC.",
  };
}

/** 127.0.0.0/8 and ::1, also as IPv4 within IPv6. */
export function isLoopback(address: string): boolean {
  const plain = address.replace(/^::ffff:/i, "");
  return plain === "::1" || /^127\.\d+\.\d+\.\d+$/.test(plain);
}

/** `operators`: further peer addresses that count as the cell's own PC (a container's host). */
export function actorOf(peer: string | undefined, operators: readonly string[]): Actor {
  const address = (peer ?? "").replace(/^::ffff:/i, "");
  if (address !== "" && (isLoopback(address) || operators.includes(address))) {
    return { user: "local", role: "operator" };
  }
  return { user: address === "" ? "unknown" : address, role: "viewer" };
}

function hostnameOf(host: string | undefined): string | undefined {
  if (host === undefined || host === "" || /[\s/@?#\\]/.test(host)) return undefined;
  return /^(\[[0-9a-f:.]+\]|[^:[\]]+)(:\d{1,5})?$/i.exec(host)?.[1]?.toLowerCase();
}

/**
 * A page of another site can point its name at this address, but it cannot make the browser send
 * a Host header that is ours: only loopback names, the bound host and the address that the
 * connection arrived at are accepted.
 */
export function hostAllowed(
  host: string | undefined,
  own: { readonly bound: string; readonly arrivedAt: string | undefined },
): boolean {
  const name = hostnameOf(host);
  if (name === undefined) return false;
  const bare = name.replace(/^\[|\]$/g, "");
  if (bare === "localhost" || isLoopback(bare)) return true;
  if (bare === own.bound.toLowerCase()) return true;
  return bare === (own.arrivedAt ?? "").replace(/^::ffff:/i, "").toLowerCase();
}

/** No Origin (not a browser), or the same host and port as the request itself. */
export function originAllowed(origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined) return true;
  const site = /^https?:\/\/([^/]+)$/i.exec(origin)?.[1];
  return site !== undefined && site.toLowerCase() === (host ?? "").toLowerCase();
}
