/**
 * Bundles the services of which a cell starts many processes: one file each instead of hundreds.
 *
 * The idea: reading and linking some three hundred modules is most of a driver's start, and a cell
 * starts a dozen of them on two cores. Native packages stay outside. The gateway is not bundled:
 * its framework loads parts of itself by name. It refuses to replace the plain build, which the
 * supervisor falls back to when it is newer.
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const at = (path) => join(root, "dist", path);
const worker = at("services/kernel/edge/sqlite-worker.js");

/** CommonJS packages inside an ESM bundle still ask for `require`. */
const banner =
  'import { createRequire as __need } from "node:module";\n' +
  "const require = __need(import.meta.url);";

await build({
  entryPoints: [
    { in: at("services/broker/main.js"), out: "broker/main" },
    { in: at("services/bus/main.js"), out: "bus/main" },
    { in: at("services/driver/main.js"), out: "driver/main" },
    { in: at("services/coordinator/main.js"), out: "coordinator/main" },
    { in: at("simulators/main.js"), out: "simulators/main" },
    { in: at("simulators/line-worker.js"), out: "simulators/line-worker" },
    { in: worker, out: "driver/sqlite-worker" },
    { in: worker, out: "coordinator/sqlite-worker" },
    { in: at("services/kernel/edge/line-worker.js"), out: "bus/line-worker" },
  ],
  outdir: at("bundle"),
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  minifyWhitespace: true,
  minifySyntax: true,
  keepNames: false,
  legalComments: "linked",
  external: [
    "better-sqlite3",
    "@lydell/*",
    "serialport",
    "@serialport/*",
    "bufferutil",
    "utf-8-validate",
  ],
  banner: { js: banner },
  logLevel: "warning",
});
