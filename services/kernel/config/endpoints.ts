/**
 * Addresses in a cell file: `host:port`, broker URLs, and which of them stay on this PC.
 *
 * The idea: a name counts as this PC only when it is a loopback name or address; nothing is
 * looked up. It refuses user names and passwords in a URL.
 */

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** `192.168.10.21:502`, `localhost:1502`, `[::1]:502`; undefined when it is not one. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const found = /^(?:\[([0-9a-fA-F:]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text.trim());
  const host = found?.[1] ?? found?.[2];
  const port = Number(found?.[3]);
  return host !== undefined && port >= 1 && port <= 65_535 ? { host, port } : undefined;
}

/** The host of `mqtt://host:1883` or `mqtts://…`; undefined when it is not a broker's URL. */
export function brokerHost(url: string): string | undefined {
  const found = /^mqtts?:\/\/(?:\[([0-9a-fA-F:]+)\]|([A-Za-z0-9._-]+))(?::\d{1,5})?\/?$/.exec(url);
  return found?.[1] ?? found?.[2];
}

export function staysOnThisPc(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}
