/**
 * Virtual sockets keep TCP's promises, and no more.
 *
 * The idea: each promise that a wire or a broker leans on is one case: order, pieces, ends,
 * resets, silence, death without a word, a full reader. It refuses real sockets.
 */
import { expect, test } from "vitest";
import { MemoryNetwork, type MemorySocket } from "#simulators/world/memory-socket.js";
import type { SeededRandom } from "#simulators/world/seeded-random.js";
import type { VirtualClock } from "#simulators/world/virtual-clock.js";
import { inTime } from "./in-time.js";

interface Ear {
  readonly bytes: number[];
  readonly pieces: number[];
  readonly events: string[];
}

function earOf(socket: MemorySocket): Ear {
  const ear: Ear = { bytes: [], pieces: [], events: [] };
  socket.on("data", (piece: Uint8Array) => {
    ear.bytes.push(...piece);
    ear.pieces.push(piece.length);
  });
  socket.on("connect", () => ear.events.push("connect"));
  socket.on("error", (error) => ear.events.push(error.message));
  socket.on("end", () => ear.events.push("end"));
  socket.on("close", () => ear.events.push("close"));
  return ear;
}

function setUp(clock: VirtualClock, random: SeededRandom) {
  const network = new MemoryNetwork(clock, random, { delayMaxMs: 5, cut: 0.5 });
  const accepted: { socket: MemorySocket; ear: Ear }[] = [];
  network.listen("here", "server", (socket) => accepted.push({ socket, ear: earOf(socket) }));
  const client = clock.as("client", () => network.connect("here"));
  const ear = earOf(client);
  const server = () => {
    const [one] = accepted;
    if (one === undefined) throw new Error("nobody connected");
    return one;
  };
  return { network, client, ear, server };
}

test("bytes come in order and in pieces, those from before the connection too", () =>
  inTime((clock, random) => {
    const { client, server } = setUp(clock, random);
    const sent = Array.from({ length: 200 }, (_, i) => i);
    for (let i = 0; i < 200; i += 10) client.write(Uint8Array.from(sent.slice(i, i + 10)));
    clock.run(100);
    expect(server().ear.bytes).toEqual(sent);
    expect(server().ear.pieces.length).toBeGreaterThan(20);
  }));

test("an end comes after the last byte, and closes both ends", () =>
  inTime((clock, random) => {
    const { client, ear, server } = setUp(clock, random);
    client.end(Uint8Array.of(1, 2, 3));
    clock.run(100);
    expect(server().ear.bytes).toEqual([1, 2, 3]);
    expect(server().ear.events).toEqual(["connect", "end", "close"].slice(1));
    expect(ear.events).toEqual(["connect", "end", "close"]);
  }));

test("a reset is an error at the other end; nobody there is refused", () =>
  inTime((clock, random) => {
    const { network, client, ear, server } = setUp(clock, random);
    clock.run(20);
    client.resetAndDestroy();
    const refused = earOf(clock.as("client", () => network.connect("nowhere")));
    clock.run(40);
    expect(ear.events).toEqual(["connect", "close"]);
    expect(server().ear.events).toEqual(["ECONNRESET", "close"]);
    expect(refused.events).toEqual(["ECONNREFUSED", "close"]);
  }));

test("a killed node hears nothing more, and its peer hears the end", () =>
  inTime((clock, random) => {
    const { network, client, ear, server } = setUp(clock, random);
    clock.run(20);
    clock.kill("server");
    network.cut("server");
    client.write(Uint8Array.of(1));
    clock.run(40);
    expect(server().ear.bytes).toEqual([]);
    expect(ear.events.at(-1)).toBe("close");
  }));

test("a silent network holds back what a dead connection swallows", () =>
  inTime((clock, random) => {
    const { network, client, ear, server } = setUp(clock, random);
    clock.run(20);
    network.silence("client", 500);
    client.write(Uint8Array.of(1));
    clock.run(510);
    expect(server().ear.bytes).toEqual([]);
    clock.run(540);
    expect(server().ear.bytes).toEqual([1]);
    network.halfOpen("client");
    client.write(Uint8Array.of(2));
    server().socket.write(Uint8Array.of(3));
    clock.run(60_000);
    expect(server().ear.bytes).toEqual([1]);
    expect(ear.bytes).toEqual([]);
    expect(ear.events).toEqual(["connect"]);
  }));

test("a reader that does not read holds its writer up", () =>
  inTime((clock, random) => {
    const { client, server } = setUp(clock, random);
    clock.run(20);
    server().socket.pause();
    clock.run(30);
    for (let i = 0; i < 300; i += 1) client.write(new Uint8Array(1024));
    clock.run(200);
    expect(client.writableLength).toBeGreaterThan(100_000);
    clock.as("server", () => server().socket.resume());
    clock.run(2000);
    expect(client.writableLength).toBe(0);
    expect(server().ear.bytes.length).toBe(300 * 1024);
  }));
