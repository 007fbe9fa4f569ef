/**
 * Two reported cases of Modbus TCP that the wire's other tests do not name.
 * The idea: the bytes of the reports, against a scripted raw peer. It refuses our own framing.
 */
import { afterEach, describe, expect, it } from "vitest";
import { openModbusWire } from "#kernel/edge/modbus-wire.js";
import type { Wire } from "#kernel/ports.js";
import { adu, healthy, type PeerRequest, RawPeer } from "../bus/raw-peer.js";
import { ask, closeAll, closers, log, read1, said, until, write6 } from "./line-setup.js";

afterEach(closeAll);

async function connected(
  script: (request: PeerRequest) => void,
): Promise<{ readonly peer: RawPeer; readonly wire: Wire }> {
  const peer = await RawPeer.open(script);
  const wire = openModbusWire({ host: "127.0.0.1", port: peer.port, log });
  closers.push(
    () => wire.close(),
    () => peer.close(),
  );
  await until(() => wire.connected, "the connection");
  return { peer, wire };
}

describe("replies that are too short", () => {
  it.each([
    ["announces 8 data bytes and carries 2", "03 08 0013"],
    ["is an exception without its code", "83"],
    ["has an odd byte count", "03 03 000102"],
  ])("FR-10: the reply %s: that request only, the connection stays", async (_, pdu) => {
    let n = 0;
    const { wire, peer } = await connected((request) => {
      n += 1;
      if (n % 2 === 1) request.write(adu(request.transaction, request.unit, pdu));
      else healthy(request);
    });
    for (let round = 0; round < 5; round += 1) {
      expect(await ask(wire, read1, 1, 100)).toMatch(/^noReply (malformed|timeout)$/);
      expect(await ask(wire)).toMatch(/^0302/);
    }
    expect(peer.connections).toBe(1);
  });
});

describe("RC-06: a device that closes idle connections", () => {
  it("closed after each reply, 5 cycles: connected again by itself, 5 values, no error", async () => {
    const { wire } = await connected((request) => {
      healthy(request);
      setTimeout(() => request.hangUp(), 20);
    });
    for (let cycle = 0; cycle < 5; cycle += 1) {
      await until(() => wire.connected, "the connection");
      expect(await ask(wire)).toMatch(/^0302/);
      await until(() => !wire.connected, "the close");
    }
    expect(said.filter((s) => s.level === "error")).toEqual([]);
  });

  it("closed in the moment of a write: nobody knows, and it is not sent again", async () => {
    const { wire, peer } = await connected((request) => request.hangUp());
    expect(await ask(wire, write6)).toBe("noReply link-down");
    await until(() => wire.connected, "the connection");
    await new Promise((resolve) => {
      setTimeout(resolve, 200);
    });
    expect(peer.pdus(1)).toEqual(["0600200003"]);
  });
});
