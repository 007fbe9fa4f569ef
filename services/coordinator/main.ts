/**
 * The process of the coordinator.
 *
 * The idea: wires only. It refuses nothing that app.ts and the edge do not.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { takesCommands } from "#kernel/config/takes-commands.js";
import { openMqttLink } from "#kernel/edge/mqtt-link.js";
import { runService } from "#kernel/edge/process.js";
import { openStore } from "#kernel/edge/sqlite-store.js";
import { openStopFanOut } from "#kernel/edge/stop-fan-out.js";
import { buildCoordinator } from "./app.js";
import { armCrashPoints } from "./crash-points.js";
import { coordinatorSchema } from "./schema.js";

// Only tests ask for this: the process ends itself as `kill -9` would.
armCrashPoints(process.env.SERVOCELL_CRASH_AT, () => process.kill(process.pid, "SIGKILL"));

await runService({
  service: "coordinator",
  env: process.env,
  build: async ({ config, boot, newId, log, fail }) => {
    const { runDir, broker, prefix, cell, dataDir } = config;
    const file = join(dataDir, "coordinator.db");
    const store = await openStore(file, coordinatorSchema, { onDead: fail });
    const hostBootId = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const base = {
      url: broker.kind === "external" ? broker.url : `mqtt://${broker.host}:${broker.port}`,
      prefix: `${prefix}/${cell}`,
      newId,
      log,
    };
    const devices = config.devices.filter(takesCommands).map((d) => d.id);
    return buildCoordinator(
      {
        // The will ends the leases at once when this process dies [PROTOCOL 3].
        main: openMqttLink({ ...base, clientId: boot.service, will: boot }),
        stop: openMqttLink({ ...base, clientId: `${boot.service}-stop` }),
        store,
        fanOut: openStopFanOut({ runDir, devices, log }),
        log,
        boot,
        hostBootId,
        newId,
      },
      config,
    );
  },
});
