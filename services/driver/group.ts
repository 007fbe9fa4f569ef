/**
 * Several drivers in one process, for a PC with few cores (`isolation:` in the cell file).
 *
 * The idea: each is the whole driver it would be alone, with its own stop socket, store, lanes,
 * lease, will and word that it is there; they share the process, and the connection on which stop
 * orders, beats and permits come, so that each of these is read once for all of them. They start
 * and end together. It refuses to let one of them close what the others still use.
 */
import type { App, MessageLink } from "#kernel/ports.js";

export class DriverGroup implements App {
  readonly #apps: readonly App[];

  constructor(apps: readonly App[]) {
    this.#apps = apps;
  }

  async start(): Promise<void> {
    await Promise.all(this.#apps.map((app) => app.start()));
  }

  /** All of them at once, or none: the process is one. */
  isIdle(): boolean {
    return this.#apps.every((app) => app.isIdle?.() ?? true);
  }

  async stop(reason: string): Promise<void> {
    const ends = await Promise.allSettled(this.#apps.map((app) => app.stop(reason)));
    // Every axis had its chance to come to rest before one of them says what went wrong.
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }
}

/** The same link for so many owners; it is closed when the last of them has closed it. */
export function sharedLink(link: MessageLink, owners: number): MessageLink {
  let left = owners;
  return {
    get connected() {
      return link.connected;
    },
    publish: (key, levels, payload) => link.publish(key, levels, payload),
    subscribe: (key, levels, handler) => link.subscribe(key, levels, handler),
    onChange: (listener) => link.onChange(listener),
    close: async () => {
      left -= 1;
      if (left === 0) await link.close();
    },
  };
}
