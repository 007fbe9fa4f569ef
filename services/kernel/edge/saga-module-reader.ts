/**
 * Reads a saga that is a module: runs it in a process of its own and takes the plain data.
 *
 * The idea: the cell file is read in one go, and a module is somebody's code; so it runs apart, for
 * a bounded time, and what it exports comes back as JSON. TypeScript is read by Node itself where
 * it can (22.18 and newer), else by esbuild where that is installed. It refuses what is not plain
 * data, because a saga is the same each time it is read.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname } from "node:path";

export type ModuleRead =
  | { readonly exported: unknown; readonly text: string }
  | { readonly why: string };

const runMsMax = 10_000;
const bytesMax = 4_000_000;

/** What the other process runs: `file` and the place of this package come as arguments. */
const script = `
import { createRequire } from "node:module";
import { writeSync } from "node:fs";
import { pathToFileURL } from "node:url";
const [file, own] = process.argv.slice(1);
const answer = (value) => {
  const bytes = Buffer.from(JSON.stringify(value));
  for (let at = 0; at < bytes.length; ) at += writeSync(3, bytes, at);
};
const esbuildFrom = (place) => {
  try {
    return createRequire(place)("esbuild");
  } catch {
    return undefined;
  }
};
const load = async () => {
  const isTyped = /\\.[cm]?ts$/.test(file);
  if (!isTyped || process.features.typescript) return import(pathToFileURL(file).href);
  const esbuild = esbuildFrom(file) ?? esbuildFrom(own);
  if (esbuild === undefined) return undefined;
  const { outputFiles } = esbuild.buildSync({
    entryPoints: [file],
    bundle: true,
    format: "esm",
    platform: "node",
    write: false,
    logLevel: "silent",
  });
  const code = Buffer.from(outputFiles[0].contents).toString("base64");
  return import("data:text/javascript;base64," + code);
};
const oddAt = (value, path) => {
  if (value === null || typeof value === "string" || typeof value === "boolean") return undefined;
  if (typeof value === "number") return Number.isFinite(value) ? undefined : path;
  if (typeof value !== "object") return path;
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return entries.map(([key, inner]) => oddAt(inner, path + "." + key)).find((odd) => odd);
};
try {
  const loaded = await load();
  const saga = loaded?.saga;
  const odd = saga === undefined ? undefined : oddAt(saga, "saga");
  if (loaded === undefined) {
    const use = "use Node 22.18 or newer, install esbuild beside it, or compile it to .mjs";
    answer({ why: "Node " + process.versions.node + " cannot read TypeScript; " + use });
  } else if (saga === undefined) answer({ why: "the module exports no saga" });
  else if (odd !== undefined) answer({ why: odd + " is not plain data" });
  else answer({ exported: saga });
} catch (error) {
  answer({ why: "the module failed: " + String(error?.message ?? error).split("\\n")[0] });
}
process.exit(0);
`;

/** Never throws. Standard output of the module is not looked at. */
export function readSagaModule(file: string): ModuleRead {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return { why: code === "ENOENT" ? "there is no such file" : `it failed with ${code}` };
  }
  const here = import.meta.url;
  const run = spawnSync(
    process.execPath,
    ["--no-warnings", "--input-type=module", "-e", script, "--", file, here],
    {
      cwd: dirname(file),
      stdio: ["ignore", "ignore", "ignore", "pipe"],
      timeout: runMsMax,
      killSignal: "SIGKILL",
      maxBuffer: bytesMax,
      windowsHide: true,
    },
  );
  const said = run.output?.[3]?.toString() ?? "";
  if (said === "") {
    const late = run.signal === "SIGKILL" ? `it took longer than ${runMsMax / 1000} s` : undefined;
    return { why: late ?? `its process ended with ${run.signal ?? run.status}` };
  }
  const found = JSON.parse(said) as ModuleRead;
  return "why" in found ? found : { ...found, text };
}
