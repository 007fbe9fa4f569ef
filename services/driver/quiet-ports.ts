/**
 * The ports that wait while it is quiet after a stop order.
 *
 * The idea: what is published, stored and logged in those milliseconds is handed over afterwards,
 * in the order in which it came, whichever part of the driver it came from. It refuses to hold the
 * stop link and the lanes.
 */
import type { Aftermath } from "./aftermath.js";
import type { DriverPorts } from "./driver-ports.js";

/** Calls `work` when it is no longer quiet; at once where it is not. */
function afterwards<T>(aftermath: Aftermath, work: () => Promise<T>): Promise<T> {
  if (!aftermath.quiet) return work();
  return new Promise((resolve, reject) => {
    aftermath.later(() => void work().then(resolve, reject));
  });
}

export function quietPorts(ports: DriverPorts, aftermath: Aftermath): DriverPorts {
  const { main, store, log } = ports;
  return {
    ...ports,
    main: {
      get connected() {
        return main.connected;
      },
      publish: (key, levels, payload) => {
        return afterwards(aftermath, () => main.publish(key, levels, payload));
      },
      subscribe: (key, levels, handler) => main.subscribe(key, levels, handler),
      onChange: (listener) => main.onChange(listener),
      close: () => main.close(),
    },
    log: {
      debug: (fields, text) => log.debug(fields, text),
      info: (fields, text) => aftermath.later(() => log.info(fields, text)),
      warn: (fields, text) => aftermath.later(() => log.warn(fields, text)),
      error: (fields, text) => log.error(fields, text),
    },
    store: {
      tx: (statements, how) => afterwards(aftermath, () => store.tx(statements, how)),
      close: () => store.close(),
    },
  };
}
