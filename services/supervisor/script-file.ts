/**
 * Which file a service's process runs: its bundle, or the plain build where that is newer.
 *
 * The idea: the bundle starts in half the time (services/cli/bundle.mjs), but a plain `tsc` run does
 * not renew it, and a stale service would be a trap. It refuses to build anything.
 */
import { statSync } from "node:fs";
import { join } from "node:path";

function changedMs(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
}

/** `script` is relative to the package: `dist/services/driver/main.js`. */
export function scriptFile(root: string, script: string): string {
  const plain = join(root, script);
  const [, room] = /^dist\/(?:services\/)?([a-z]+)\/main\.js$/.exec(script) ?? [];
  if (room === undefined) return plain;
  const bundle = join(root, "dist", "bundle", room, "main.js");
  const builtMs = changedMs(join(root, "dist", ".tsbuildinfo"));
  const bundledMs = changedMs(bundle);
  if (bundledMs === undefined || (builtMs !== undefined && builtMs > bundledMs)) return plain;
  return bundle;
}
