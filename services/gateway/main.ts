/**
 * The process of the gateway.
 *
 * The idea: wires only. `SERVOCELL_OPERATORS` names peer addresses that count as the cell's own
 * PC, such as a container's host. It refuses nothing that app.ts and the edge do not.
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { openCellLink } from "#kernel/edge/cell-link.js";
import { readPage } from "#kernel/edge/page-files.js";
import { runService } from "#kernel/edge/process.js";
import { openStopFanOut } from "#kernel/edge/stop-fan-out.js";
import { buildGateway } from "./app.js";
import { axisIds } from "./views.js";

/** This file is `dist/services/gateway/main.js` in the package. */
const built = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

await runService({
  service: "gateway",
  env: process.env,
  build: (context) => {
    const { config, boot, newId, log } = context;
    const page = readPage({ source: join(built, "..", "web"), built: join(built, "web") });
    const main = openCellLink(context, "main");
    const stop = openCellLink(context, "stop");
    const fanOut = openStopFanOut({ runDir: config.runDir, devices: axisIds(config), log });
    const operators = (process.env.SERVOCELL_OPERATORS ?? "").split(/[\s,]+/).filter(Boolean);
    return buildGateway({ main, stop, fanOut, log, boot, newId, page, operators }, config);
  },
});
