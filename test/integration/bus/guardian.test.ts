/**
 * The guardian on real sockets: the bytes at the device when a driver goes.
 * The idea: a bare guard client plays the driver; the peer counts. Refuses to look inside.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { openFieldLink } from "#kernel/edge/lane-link.js";
import { openLaneServer } from "#kernel/edge/lane-server.js";
import { BusCell } from "./bus-cell.js";
import { adu, healthy, type PeerRequest, pause, until } from "./raw-peer.js";

const blind = ["063100000f", "0631000b00"];

let cell: BusCell | undefined;
afterEach(async () => {
  await cell?.close();
  cell = undefined;
});

async function open(script: (request: PeerRequest) => void): Promise<BusCell> {
  cell = await BusCell.open(script);
  return cell;
}

const line = (message: object) => `${JSON.stringify(message)}\n`;
const hello = line({ kind: "hello", unit: 1, device: "x" });
const guard = line({ kind: "guard", frames: blind });
const pulse = (still: boolean) => line({ kind: "pulse", still, up: true });

/** A bare driver: hello and guard sent, `guarded` seen. */
async function driver(bus: BusCell) {
  const socket = await bus.socket("guard");
  let said = "";
  socket.on("data", (chunk) => {
    said += chunk.toString();
  });
  socket.write(hello + guard);
  await until(() => said === '{"kind":"guarded"}\n', "guarded");
  return socket;
}

describe("the driver goes while its axis may move", () => {
  it("its connection closes: the frames in order at the peer, once; mark and event", async () => {
    const bus = await open(healthy);
    const socket = await driver(bus);
    socket.write(pulse(false));
    await pause(30);
    expect(bus.peer.requests).toEqual([]);
    socket.destroy();
    await until(() => bus.events.length === 1, "the event");
    await pause(400);
    expect(bus.peer.pdus(1)).toEqual(blind);
    expect(bus.lines.filter((l) => l.fields.mark === "GUARDIAN_STOP").length).toBe(1);
    const [event] = bus.events;
    expect(event?.type).toBe("device.guardian.stopped");
    expect(event?.subject).toBe("device/x");
    expect(event?.data).toEqual({ cause: "closed", rounds: 1, unit: 1, bus: "gantry" });
  });

  it("its pulse falls silent: the same after 500 ms, while the connection stands", async () => {
    const bus = await open(healthy);
    const socket = await driver(bus);
    for (let i = 0; i < 4; i += 1) {
      socket.write(pulse(false));
      await pause(50);
    }
    expect(bus.peer.requests).toEqual([]);
    await until(() => bus.events.length === 1, "the event");
    expect(bus.peer.pdus(1)).toEqual(blind);
    expect(bus.events[0]?.data.cause).toBe("silent");
    // Awake again and still: it may go without another stop.
    socket.write(pulse(true));
    await pause(30);
    socket.destroy();
    await pause(100);
    expect(bus.peer.pdus(1)).toEqual(blind);
  });

  it("no acknowledgement: the round again every 250 ms until there is one (missed=2)", async () => {
    let writes = 0;
    const bus = await open((request) => {
      writes += 1;
      if (writes <= 2) request.reply("8604");
      else healthy(request);
    });
    const socket = await driver(bus);
    socket.destroy();
    await until(() => bus.events.length === 1, "the event");
    expect(bus.peer.pdus(1)).toEqual([...blind, ...blind]);
    const [first, , third] = bus.peer.requests;
    expect((third?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(240);
    expect(bus.events[0]?.data.rounds).toBe(2);
  });

  it("the device's connection is down: the stop goes out when it is back", async () => {
    const bus = await open(healthy);
    const socket = await driver(bus);
    const { port } = bus.peer;
    await bus.peer.close();
    await until(() => bus.lines.some((l) => l.text.includes("is lost")), "the loss");
    socket.destroy();
    await pause(150);
    await bus.peer.listen(port);
    await until(() => bus.events.length === 1, "the event", 10_000);
    expect(bus.peer.pdus(1).slice(0, 2)).toEqual(blind);
  });

  it("its queued commands (waiting=2) are never sent, the stop goes beside the one in flight", async () => {
    const held: PeerRequest[] = [];
    const bus = await open((request) => {
      if (request.pdu === "0600200001") held.push(request);
      else healthy(request);
    });
    const socket = await driver(bus);
    const command = await bus.socket("command");
    command.write(Buffer.concat([1, 2, 3].map((n) => adu(n, 1, `06 0020 000${n}`))));
    await until(() => held.length === 1, "the first command at the peer");
    command.destroy();
    socket.destroy();
    await until(() => bus.events.length === 1, "the event");
    held[0]?.reply("06 0020 0001");
    await pause(50);
    expect(bus.peer.pdus(1)).toEqual(["0600200001", ...blind]);
  });
});

describe("a command without a driver that looks after the axis", () => {
  it("is never sent, although its lane stands: no hello, or the driver's guard socket is gone", async () => {
    const bus = await open(healthy);
    const command = await bus.socket("command");
    let said = "";
    command.on("data", (chunk) => {
      said += chunk.toString("hex");
    });
    const ask = async (transaction: number, answer: string) => {
      said = "";
      command.write(adu(transaction, 1, "06 0020 0001"));
      await until(() => said.endsWith(answer), `the answer ${answer}`);
    };
    await ask(1, "860a");
    const socket = await driver(bus);
    await ask(2, "0600200001");
    socket.write(pulse(false));
    await pause(30);
    socket.write(pulse(true));
    await pause(30);
    socket.destroy();
    await pause(50);
    // Killed between the write and its reading: the bus service reads the command last.
    await ask(3, "860a");
    expect(bus.peer.pdus(1)).toEqual(["0600200001"]);
  });

  it("is never sent while the guardian is stopping the axis of a silent driver", async () => {
    const held: PeerRequest[] = [];
    const bus = await open((request) => {
      if (request.pdu === "063100000f") held.push(request);
      else healthy(request);
    });
    const socket = await driver(bus);
    socket.write(pulse(false));
    await until(() => held.length > 0, "the guardian's first frame");
    const link = await bus.socket("command");
    let said = "";
    link.on("data", (chunk) => {
      said += chunk.toString("hex");
    });
    link.write(adu(1, 1, "06 0020 0001"));
    await until(() => said.endsWith("860a"), "the refusal");
    expect(bus.peer.pdus(1)).not.toContain("0600200001");
  });
});

describe("when it must not act", () => {
  it("the last pulse said still", async () => {
    const bus = await open(healthy);
    const socket = await driver(bus);
    socket.write(pulse(true));
    await pause(30);
    socket.destroy();
    await pause(150);
    expect(bus.peer.requests).toEqual([]);
  });

  it("no frames were registered", async () => {
    const bus = await open(healthy);
    const socket = await bus.socket("guard");
    socket.write(hello + pulse(false));
    await pause(30);
    socket.destroy();
    await pause(700);
    expect(bus.peer.requests).toEqual([]);
  });

  it("a new driver's hello came before the old one closed", async () => {
    const bus = await open(healthy);
    const old = await driver(bus);
    old.write(pulse(true));
    const link = await bus.link();
    await link.guard(blind.map((hex) => Uint8Array.from(Buffer.from(hex, "hex"))));
    link.pulse({ still: true, connectedDevice: true });
    await pause(30);
    old.destroy();
    await pause(150);
    expect(bus.peer.requests).toEqual([]);
  });

  it.each([
    ["no hello first", guard],
    ["two hellos", hello + hello],
    ["half a frame", hello + line({ kind: "guard", frames: ["063"] })],
    ["no JSON", "stop!\n"],
    ["17 frames", hello + line({ kind: "guard", frames: Array(17).fill("0631000000") })],
  ])("a connection that says what is not a guard line is closed: %s", async (_, said) => {
    const bus = await open(healthy);
    const socket = await bus.socket("guard");
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.write(said);
    await closed;
    expect(bus.peer.requests).toEqual([]);
  });
});

describe("a driver's link", () => {
  it("guard resolves when the guardian has the frames; hello and frames follow a reconnect", async () => {
    const bus = await open(healthy);
    const link = await bus.link();
    await link.guard(blind.map((hex) => Uint8Array.from(Buffer.from(hex, "hex"))));
    link.pulse({ still: true, connectedDevice: true });
    await bus.app?.stop("restart");
    await bus.startBus();
    await until(() => link.connected && bus.peer.connections === 2, "the link back");
    await pause(50);
    // Not one word more from the driver: the guardian holds the frames, and doubts.
    await link.close();
    await until(() => bus.events.length === 1, "the event");
    expect(bus.peer.pdus(1)).toEqual(blind);
  });

  it("a bus service that hangs: the link gives its lanes up with the frame in them", async () => {
    const runDir = mkdtempSync(join(tmpdir(), "hung-"));
    const bus = {
      id: "gantry",
      link: { kind: "tcp" as const, host: "127.0.0.1", port: 1 },
      units: [],
      replyTimeoutMs: 200,
    };
    const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
    const lanes = await openLaneServer({ runDir, buses: [bus], log });
    const closed: string[] = [];
    lanes.onRequest(() => {});
    lanes.onClientClosed((_, lane) => closed.push(lane));
    lanes.onGuard((_bus, _client, _message, reply) => reply());
    lanes.onGuardClosed(() => closed.push("guard"));
    const link = openFieldLink({ runDir, bus: "gantry", unit: 1, device: "x", log });
    await until(() => link.connected, "the link");
    const came = await link.exchange("command", Uint8Array.of(6, 0, 32, 0, 1));
    expect(came).toEqual({ kind: "unknown", why: "timeout" });
    await until(() => closed.length === 4, "all four connections closed");
    await until(() => link.connected, "the link anew");
    await link.close();
    await lanes.close();
    rmSync(runDir, { recursive: true, force: true });
  });

  it("guard without a bus service: refused after its bound, or when the link closes", async () => {
    const bus = await open(healthy);
    const link = await bus.link();
    await bus.app?.stop("gone");
    await until(() => !link.connected, "the loss");
    const waiting = link.guard([Uint8Array.of(6, 0, 0, 0, 0)]);
    const refused = expect(waiting).rejects.toMatchObject({ code: "CANCELLED" });
    await link.close();
    await refused;
  });
});

describe("the bus service is told to stop", () => {
  it("serves until the drivers have left, so that they can stop their axes", async () => {
    const bus = await open(healthy);
    const link = await bus.link();
    await link.guard(blind.map((hex) => Uint8Array.from(Buffer.from(hex, "hex"))));
    let stopped = false;
    const stopping = bus.app?.stop("SIGTERM").then(() => {
      stopped = true;
    });
    await pause(100);
    const reply = await link.exchange("stop", Uint8Array.of(6, 0, 0x20, 0, 0x0b));
    expect(reply.kind).toBe("reply");
    link.pulse({ still: true, connectedDevice: true });
    await pause(30);
    expect(stopped).toBe(false);
    await link.close();
    await stopping;
    expect(bus.peer.pdus(1)).toEqual(["060020000b"]);
    expect(bus.avail).toEqual(["online", "offline"]);
  });

  it("a driver that stays and moves is stopped by the guardian before the end", async () => {
    const bus = await open(healthy);
    const socket = await driver(bus);
    const pulses = setInterval(() => socket.write(pulse(false)), 50);
    await bus.app?.stop("supervisor gone");
    clearInterval(pulses);
    expect(bus.peer.pdus(1)).toEqual(blind);
    expect(bus.events.map((event) => event.type)).toEqual(["device.guardian.stopped"]);
  });
});
