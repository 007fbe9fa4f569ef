/**
 * Loaded before a service (`node --import`): its wall clock is off by what a file says.
 *
 * The idea: `Date` alone is shifted, so the monotonic clock and the product stay as they are; the
 * file is named like the service and holds milliseconds. It refuses to do anything where the
 * folder is not named.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isMainThread } from "node:worker_threads";

const lookMs = 50;

/** `driver-x`, `bus`, `bus-rail`, `coordinator`, … from how the process was called. */
function serviceOf(argv: readonly string[]): string {
  const room = /([a-z]+)\/main\.js$/.exec(argv[1] ?? "")?.[1] ?? "none";
  const after = (flag: string) => {
    const at = argv.indexOf(flag);
    return at < 0 ? undefined : argv[at + 1];
  };
  const part = after("--device") ?? after("--bus");
  return part === undefined ? room : `${room}-${part}`;
}

function shiftOf(file: string): number {
  try {
    const ms = Number(readFileSync(file, "utf8"));
    return Number.isFinite(ms) ? ms : 0;
  } catch {
    return 0;
  }
}

const dir = process.env.CHAOS_CLOCKS;
if (dir !== undefined && isMainThread) {
  const file = join(dir, serviceOf(process.argv));
  let shiftMs = shiftOf(file);
  setInterval(() => {
    shiftMs = shiftOf(file);
  }, lookMs).unref();
  const Real = Date;
  const now = () => Real.now() + shiftMs;
  globalThis.Date = new Proxy(Real, {
    construct: (target, args, self) =>
      Reflect.construct(target, args.length === 0 ? [now()] : args, self) as object,
    apply: () => new Real(now()).toString(),
    get: (target, key) => (key === "now" ? now : Reflect.get(target, key)),
  });
}
