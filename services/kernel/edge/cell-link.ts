/**
 * The two links of a service to its cell's broker, from its context.
 *
 * The idea: every main opens them alike: `main` carries the will, `stop` carries stops, beats
 * and permits and never waits for storage [PROTOCOL 5]. It refuses to decide who needs which.
 */

import type { Log } from "../ports.js";
import type { OpenStream } from "./mqtt-connection.js";
import { type MqttLink, openMqttLink } from "./mqtt-link.js";
import type { ServiceContext } from "./process.js";

/** On the stop link no handler waits, so a dead peer may be noticed sooner. */
const stopKeepaliveS = 4;

/** `open` stands for the network where there is none. */
export function openCellLink(
  context: Pick<ServiceContext, "config" | "boot" | "newId"> & { readonly log: Log },
  which: "main" | "stop",
  open?: OpenStream,
): MqttLink {
  const { config, boot, newId, log } = context;
  const { broker, prefix, cell } = config;
  return openMqttLink({
    url: broker.kind === "external" ? broker.url : `mqtt://${broker.host}:${broker.port}`,
    clientId: which === "main" ? boot.service : `${boot.service}-${which}`,
    prefix: `${prefix}/${cell}`,
    newId,
    log,
    open,
    ...(which === "main" ? { will: boot } : { keepaliveS: stopKeepaliveS }),
  });
}
