/**
 * The wire to an RTU-over-TCP bridge, against a scripted raw peer.
 * The idea: the rules of a line over a socket, and what a socket adds: pieces, silence, refusal.
 */
import { createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { openRtuOverTcpWire } from "#kernel/edge/rtu-tcp-wire.js";
import type { Wire } from "#kernel/ports.js";
import { bytesOf, pause, rtu } from "../../fixtures/line-peer.js";
import { ask, closeAll, closers, log, read1, said, until, write6 } from "./line-setup.js";

afterEach(closeAll);

interface Bridge {
  readonly port: number;
  readonly connections: () => number;
  close(): Promise<void>;
}

type Answer = (request: Buffer, socket: Socket) => void | Promise<void>;

async function bridge(answer: Answer, port = 0): Promise<Bridge> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server: Server = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (bytes: Buffer) => void answer(bytes, socket));
  });
  await new Promise<void>((resolve) => {
    server.listen(port, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  closers.push(close);
  return { port: address.port, connections: () => connections, close };
}

function wireTo(port: number): Wire {
  const wire = openRtuOverTcpWire({ host: "127.0.0.1", port, units: [], log });
  closers.unshift(() => wire.close());
  return wire;
}

async function connected(answer: Answer): Promise<{ wire: Wire; peer: Bridge }> {
  const peer = await bridge(answer);
  const wire = wireTo(peer.port);
  await until(() => wire.connected, "the connection");
  return { wire, peer };
}

const reply = (value: string) => rtu(`01 03 02 ${value}`);

describe("frames over a stream", () => {
  it("FR-03: a reply cut at every byte, 10 ms apart: exact", async () => {
    let cut = 1;
    const whole = rtu("01 03 04 0001 86a0");
    const { wire } = await connected(async (_, socket) => {
      socket.write(whole.subarray(0, cut));
      await pause(10);
      socket.write(whole.subarray(cut));
    });
    for (; cut < whole.length; cut += 1) {
      expect(await ask(wire, bytesOf("03 0020 0002"))).toBe("0304000186a0");
    }
  });

  it("FR-04: the neighbour's frame, the reply and the begin of a third in one write", async () => {
    const { wire } = await connected((_, socket) => {
      socket.write(Buffer.concat([rtu("02 03 02 0007"), reply("0013"), bytesOf("01 03 02")]));
    });
    for (let i = 0; i < 10; i += 1) expect(await ask(wire)).toBe("03020013");
  });

  it("FR-10: a reply that announces more than it carries: that request only", async () => {
    let n = 0;
    const { wire } = await connected((_, socket) => {
      n += 1;
      socket.write(n % 2 === 1 ? rtu("01 03 08 0013") : reply("0001"));
    });
    for (let i = 0; i < 5; i += 1) {
      expect(await ask(wire, read1, 1, 100)).toBe("noReply malformed");
      expect(await ask(wire)).toBe("03020001");
    }
  });

  it("FR-12: 64 KiB of 01 03 in one write: the loop stays free, few lines, next right", async () => {
    let n = 0;
    const { wire } = await connected((_, socket) => {
      n += 1;
      if (n === 1) socket.write(Buffer.alloc(65_536, bytesOf("01 03")));
      else socket.write(reply("0001"));
    });
    let worstMs = 0;
    let lastMs = performance.now();
    const ticker = setInterval(() => {
      worstMs = Math.max(worstMs, performance.now() - lastMs);
      lastMs = performance.now();
    }, 5);
    expect(await ask(wire, bytesOf("03 0000 007d"), 1, 300)).toBe("noReply malformed");
    clearInterval(ticker);
    expect(worstMs).toBeLessThan(1000);
    expect(said.length).toBeLessThan(10);
    expect(await ask(wire)).toBe("03020001");
  });

  it("TX-05: another unit answers, the right one 20 ms later: the right value", async () => {
    const { wire } = await connected(async (_, socket) => {
      socket.write(rtu("02 03 02 0007"));
      await pause(20);
      socket.write(reply("0002"));
    });
    expect(await ask(wire)).toBe("03020002");
  });

  it("TX-09: a late reply comes into the quiet time: one result, next right", async () => {
    let n = 0;
    const { wire } = await connected(async (_, socket) => {
      n += 1;
      const value = n.toString(16).padStart(4, "0");
      if (n === 1) await pause(60);
      socket.write(reply(value));
    });
    expect(["noReply timeout", "03020001"]).toContain(await ask(wire, read1, 1, 55));
    await pause(100);
    expect(await ask(wire)).toBe("03020002");
  });

  it("TX-09: a late reply into the next request's wait, the own one never: no value", async () => {
    let n = 0;
    const { wire } = await connected((_, socket) => {
      n += 1;
      if (n > 1) socket.write(reply(n === 2 ? "0020" : "0030"));
    });
    const other = bytesOf("03 0030 0001");
    expect(await ask(wire, read1, 1, 200)).toBe("noReply timeout");
    const { kind, ...doubt } = await wire.exchange(1, other, { timeoutMs: 1000 });
    expect([kind, doubt]).toEqual(["noReply", { why: "malformed", restMs: expect.any(Number) }]);
    await pause("restMs" in doubt ? (doubt.restMs ?? 0) : 0);
    expect(await ask(wire, other)).toBe("03020030");
  });

  it("EX-06: an exception, timeout=10 s: told at once", async () => {
    const { wire } = await connected((_, socket) => void socket.write(bytesOf("01 83 02 C0 F1")));
    const beganMs = performance.now();
    expect(await ask(wire, read1, 1, 10_000)).toBe("8302");
    expect(performance.now() - beganMs).toBeLessThan(5000);
  });

  it("BC-01: a broadcast is sent once and tells itself apart", async () => {
    let frames = 0;
    const { wire } = await connected(() => {
      frames += 1;
    });
    const result = await wire.exchange(0, write6, { timeoutMs: 5000 });
    expect(result).toMatchObject({ kind: "reply", broadcast: true });
    expect(frames).toBe(1);
  });
});

describe("the bridge goes", () => {
  it("RC-01: half open: a new connection after three timeouts and a second", async () => {
    let deaf = true;
    const { wire, peer } = await connected((_, socket) => {
      if (!deaf) socket.write(reply("0001"));
    });
    const byMs = performance.now() + 15_000;
    while (peer.connections() < 2 && performance.now() < byMs) {
      await ask(wire, read1, 1, 100);
      await pause(10);
    }
    expect(peer.connections()).toBeGreaterThanOrEqual(2);
    deaf = false;
    await until(() => wire.connected, "the connection");
    expect(await ask(wire)).toBe("03020001");
  });

  it("RC-01: refused for 3 s, then there: back within the greatest pause, few lines", async () => {
    const first = await bridge((_, socket) => void socket.write(reply("0001")));
    const wire = wireTo(first.port);
    await until(() => wire.connected, "the connection");
    await first.close();
    await until(() => !wire.connected, "the loss");
    await pause(3000);
    expect(await ask(wire)).toBe("notSent link-down");
    await bridge((_, socket) => void socket.write(reply("0002")), first.port);
    await until(() => wire.connected, "the connection");
    expect(await ask(wire)).toBe("03020002");
    expect(said.length).toBeLessThan(10);
  });

  it("RC-06: closed while idle, then asked: connected again by itself, every value right", async () => {
    const { wire } = await connected((_, socket) => {
      socket.write(reply("0001"));
      setTimeout(() => socket.end(), 20);
    });
    for (let cycle = 0; cycle < 5; cycle += 1) {
      await until(() => wire.connected, "the connection");
      expect(await ask(wire)).toBe("03020001");
      await until(() => !wire.connected, "the close");
    }
  });

  it("RC-06: closed in the moment of a write: nobody knows, and it is not sent again", async () => {
    const heard: string[] = [];
    const { wire } = await connected((request, socket) => {
      heard.push(request.toString("hex"));
      socket.destroy();
    });
    expect(await ask(wire, write6)).toBe("noReply link-down");
    await until(() => wire.connected, "the connection");
    await pause(200);
    expect(heard).toEqual([rtu("01 06 0020 0003").toString("hex")]);
  });
});
