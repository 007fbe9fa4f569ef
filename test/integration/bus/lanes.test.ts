/**
 * Lanes from a driver's link to the bytes at the device, against a scripted raw peer.
 * The idea: what is counted is counted at the peer, never in the service's own figures.
 */
import { execFile } from "node:child_process";
import { statSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { openLaneServer } from "#kernel/edge/lane-server.js";
import { ServocellError } from "#kernel/errors.js";
import type { Exchange, FieldLink, Lane } from "#kernel/ports.js";
import { guardPath, lanePath } from "#kernel/run-dir.js";
import { BusCell, freePort, pduOf } from "./bus-cell.js";
import { adu, healthy, type PeerRequest, pause, until } from "./raw-peer.js";

let cell: BusCell | undefined;
afterEach(async () => {
  await cell?.close();
  cell = undefined;
});

async function open(
  script: (request: PeerRequest) => void,
  given: { readonly replyTimeoutMs?: number } = {},
): Promise<BusCell> {
  cell = await BusCell.open(script, given);
  return cell;
}

const read2 = pduOf("03 0000 0002");
const write = (value: number) => pduOf(`06 0020 000${value}`);
const stop = pduOf("06 0020 000b");

const text = (exchange: Exchange) =>
  exchange.kind === "reply"
    ? Buffer.from(exchange.pdu).toString("hex")
    : `${exchange.kind} ${exchange.why}`;
const ask = async (link: FieldLink, lane: Lane, pdu = read2) =>
  text(await link.exchange(lane, pdu));

describe("one request through", () => {
  it("each lane to the device and back; sentAtMs is before the peer saw it", async () => {
    const bus = await open(healthy);
    const link = await bus.link();
    expect(await ask(link, "poll")).toBe("030400000001");
    expect(await ask(link, "command", write(3))).toBe("0600200003");
    const exchange = await link.exchange("stop", stop);
    expect(exchange.kind).toBe("reply");
    const [, , atPeer] = bus.peer.requests;
    if (exchange.kind === "reply") {
      expect(exchange.sentAtMs).toBeLessThanOrEqual(atPeer?.atMs ?? 0);
    }
    expect(bus.peer.pdus(1)).toEqual(["0300000002", "0600200003", "060020000b"]);
  });

  it("a device's exception is a reply; 0x0A and 0x0B mean the same whoever says them", async () => {
    const replies = ["8302", "830a", "830b"];
    const bus = await open((request) => request.reply(replies.shift() ?? ""));
    const link = await bus.link();
    expect(await ask(link, "poll")).toBe("8302");
    expect(await ask(link, "poll")).toBe("notSent not-sent");
    expect(await ask(link, "poll")).toBe("unknown timeout");
  });

  it("a silent device: unknown, long before the driver's own 2 s", async () => {
    const bus = await open(() => undefined);
    const link = await bus.link();
    const beganMs = performance.now();
    expect(await ask(link, "command", write(3))).toBe("unknown timeout");
    expect(performance.now() - beganMs).toBeLessThan(1500);
  });

  it("requests of a client in pieces and several at once get each their own reply", async () => {
    const bus = await open(healthy);
    const socket = await bus.socket("poll");
    const got: Buffer[] = [];
    socket.on("data", (chunk) => got.push(chunk));
    const three = Buffer.concat([7, 8, 9].map((id) => adu(id, id, `03 000${id} 0001`)));
    for (let at = 0; at < three.length; at += 5) {
      socket.write(three.subarray(at, at + 5));
      await pause(2);
    }
    await until(() => Buffer.concat(got).length >= 33, "three replies");
    const expected = [7, 8, 9].map((id) => adu(id, id, `03 02 000${id}`).toString("hex"));
    const replies = Buffer.concat(got).toString("hex").match(/.{22}/g) ?? [];
    expect([...replies].sort()).toEqual(expected);
  });

  it("a client that does not speak Modbus TCP is closed, the others are served", async () => {
    const bus = await open(healthy);
    const link = await bus.link();
    const socket = await bus.socket("pollPort");
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.write("GET / HTTP/1.1\r\n\r\n");
    await closed;
    expect(await ask(link, "poll")).toBe("030400000001");
    expect(bus.peer.requests.length).toBe(1);
  });
});

describe("who goes first", () => {
  it("stop is pipelined beside the unit's request in flight", async () => {
    const held: PeerRequest[] = [];
    const bus = await open((request) => {
      if (request.pdu === "0300000002") held.push(request);
      else healthy(request);
    });
    const link = await bus.link();
    const poll = ask(link, "poll");
    await until(() => held.length === 1, "the poll at the peer");
    expect(await ask(link, "stop", stop)).toBe("060020000b");
    held[0]?.reply("03 04 0001 0002");
    expect(await poll).toBe("030400010002");
    expect(bus.peer.connections).toBe(1);
  });

  it("a stop empties its unit's command queue: never sent (waiting=3), neighbours untouched", async () => {
    const held: PeerRequest[] = [];
    const bus = await open((request) => {
      if (request.pdu === "0600200001") held.push(request);
      else healthy(request);
    });
    const link = await bus.link(1, "x");
    const neighbour = await bus.link(2, "y");
    const first = ask(link, "command", write(1));
    await until(() => held.length === 1, "the first command at the peer");
    const waiting = [2, 3, 4].map((value) => ask(link, "command", write(value)));
    await pause(20);
    expect(await ask(link, "stop", stop)).toBe("060020000b");
    expect(await Promise.all(waiting)).toEqual(Array(3).fill("notSent not-sent"));
    held[0]?.reply("06 0020 0001");
    expect(await first).toBe("0600200001");
    expect(await ask(neighbour, "command", write(5))).toBe("0600200005");
    expect(bus.peer.pdus(1)).toEqual(["0600200001", "060020000b"]);
  });

  it("a stop without reply goes again over a new connection, then is unknown", async () => {
    const bus = await open((request) => {
      if (request.pdu !== "060020000b" || request.connection > 2) healthy(request);
    });
    const link = await bus.link();
    expect(await ask(link, "stop", stop)).toBe("060020000b");
    const stops = bus.peer.requests.filter((r) => r.pdu === "060020000b");
    expect(stops.map((r) => r.connection)).toEqual([1, 2, 3]);
    const [first, second] = stops;
    expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(95);
  });

  it("a stop that is never answered is unknown after its repeats (sends=4)", async () => {
    const bus = await open(() => undefined);
    const link = await bus.link();
    expect(await ask(link, "stop", stop)).toBe("unknown timeout");
    expect(bus.peer.pdus(1)).toEqual(Array(4).fill("060020000b"));
  });
});

describe("a sick neighbour", () => {
  it("ST-01: one unit silent (timeout=1 s): the healthy one's polls go on beside it", async () => {
    const bus = await open(
      (request) => {
        if (request.unit !== 2) healthy(request);
      },
      { replyTimeoutMs: 1000 },
    );
    const x = await bus.link(1, "x");
    const y = await bus.link(2, "y");
    let healthyReplies = 0;
    let refused = 0;
    // Ends with the silent unit's fourth poll, which is not sent any more.
    const silent = (async () => {
      while (refused === 0) if ((await ask(y, "poll")) === "notSent not-sent") refused += 1;
    })();
    while (refused === 0) {
      if ((await ask(x, "poll")) === "030400000001") healthyReplies += 1;
      await pause(20);
    }
    await silent;
    // One behind the other, three timeouts would leave room for three polls.
    expect(healthyReplies).toBeGreaterThan(30);
    expect(bus.peer.pdus(1).length).toBe(healthyReplies);
    expect(bus.peer.pdus(2).length).toBe(3);
  });

  it("EX-02: a gateway that says 0x0B for one unit keeps its connection", async () => {
    const bus = await open((request) => {
      if (request.unit === 2) request.reply("83 0b");
      else healthy(request);
    });
    const x = await bus.link(1, "x");
    const y = await bus.link(2, "y");
    for (let i = 0; i < 5; i += 1) {
      expect(await ask(y, "poll")).toMatch(/^(unknown|notSent)/);
      expect(await ask(x, "poll")).toBe("030400000001");
    }
    expect(bus.peer.connections).toBe(1);
  });
});

describe("what never reaches the device", () => {
  it("a write on the poll lane: exception 1, by socket and by TCP port", async () => {
    const bus = await open(healthy);
    const link = await bus.link();
    expect(await ask(link, "poll", write(1))).toBe("8601");
    expect(await ask(link, "poll", pduOf("10 0030 0001 02 0001"))).toBe("9001");
    expect(bus.peer.requests).toEqual([]);
  });

  it("mbpoll reads through the poll port and is refused a write", async () => {
    const bus = await open(healthy);
    const mbpoll = (...args: string[]) =>
      new Promise<string>((resolve) => {
        const all = ["-m", "tcp", "-p", String(bus.pollPort), "-a", "1", "-0", "-1", ...args];
        execFile("/usr/bin/mbpoll", all, (error, stdout, stderr) => {
          resolve(`${error?.code ?? 0}\n${stdout}${stderr}`);
        });
      });
    const read = await mbpoll("-t", "4", "-r", "18", "-c", "2", "127.0.0.1");
    expect(read).toMatch(/^0\n/);
    expect(read).toMatch(/\[18\]:\s+18/);
    expect(read).toMatch(/\[19\]:\s+19/);
    const written = await mbpoll("-t", "4", "-r", "18", "127.0.0.1", "--", "5");
    expect(written).toMatch(/Illegal function/i);
    expect(bus.peer.pdus(1)).toEqual(["0300120002"]);
  });

  it("the queued write of a client that has gone; the one in flight is not called back", async () => {
    const held: PeerRequest[] = [];
    const bus = await open((request) => {
      held.push(request);
    });
    const link = await bus.link();
    const gone = await bus.socket("command");
    gone.write(Buffer.concat([adu(1, 1, "06 0020 0001"), adu(2, 1, "06 0020 0002")]));
    await until(() => held.length === 1, "the first write at the peer");
    gone.destroy();
    await pause(30);
    held[0]?.reply("06 0020 0001");
    const after = ask(link, "command", write(3));
    await until(() => held.length === 2, "the next write at the peer");
    held[1]?.reply("06 0020 0003");
    expect(await after).toBe("0600200003");
    expect(bus.peer.pdus(1)).toEqual(["0600200001", "0600200003"]);
  });

  it("a command that a stop has overtaken between the lanes; a neighbour's goes on", async () => {
    const held: PeerRequest[] = [];
    const bus = await open((request) => {
      if (request.pdu === "060020000b") held.push(request);
      else healthy(request);
    });
    const link = await bus.link();
    const neighbour = await bus.link(2, "y");
    const stopped = ask(link, "stop", stop);
    await until(() => held.length === 1, "the stop at the peer");
    expect(await ask(link, "command", write(1))).toBe("notSent not-sent");
    expect(await ask(neighbour, "command", write(1))).toBe("0600200001");
    held[0]?.reply("06 0020 000b");
    expect(await stopped).toBe("060020000b");
    expect(await ask(link, "command", write(2))).toBe("0600200002");
    expect(bus.peer.pdus(1)).toEqual(["060020000b", "0600200002"]);
  });

  it("the 33rd waiting request of a unit (queue=32)", async () => {
    const bus = await open(() => undefined, { replyTimeoutMs: 1000 });
    const link = await bus.link();
    const all = Array.from({ length: 34 }, () => ask(link, "command", write(1)));
    expect(await all[33]).toBe("notSent not-sent");
    await until(() => bus.peer.requests.length > 0, "the first request");
    expect(bus.peer.requests.length).toBe(1);
    await Promise.all(all);
  });

  it("commands while the device is away: refused at once, polls soon, and all works again", async () => {
    const bus = await open(healthy);
    const link = await bus.link();
    const { port } = bus.peer;
    await bus.peer.close();
    await until(() => bus.lines.some((l) => l.text.includes("is lost")), "the loss");
    expect(await ask(link, "command", write(1))).toBe("notSent not-sent");
    expect(await ask(link, "poll")).toBe("notSent not-sent");
    await bus.peer.listen(port);
    await until(() => bus.peer.connections === 2, "the connection back");
    await until(() => bus.lines.at(-1)?.text.includes("is connected") ?? false, "the log line");
    expect(await ask(link, "command", write(2))).toBe("0600200002");
    expect(bus.peer.pdus(1)).toEqual(["0600200002"]);
  });
});

describe("the sockets", () => {
  it("belong to the service user alone", async () => {
    const bus = await open(healthy);
    const paths = (["stop", "command", "poll"] as const).map((lane) => {
      return lanePath(bus.runDir, "gantry", lane);
    });
    for (const path of [...paths, guardPath(bus.runDir, "gantry")]) {
      expect(statSync(path).mode & 0o777).toBe(0o600);
    }
  });

  it("a second bus service is refused and told which process has them; the first goes on", async () => {
    const bus = await open(healthy);
    const link = await bus.link();
    const buses = [
      {
        id: "gantry",
        link: { kind: "tcp" as const, host: "127.0.0.1", port: 1 },
        units: [],
        replyTimeoutMs: 200,
      },
    ];
    const second = openLaneServer({ runDir: bus.runDir, buses, log: bus.log });
    const error: unknown = await second.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ServocellError);
    expect((error as ServocellError).code).toBe("STORE_LOCKED");
    expect((error as ServocellError).message).toContain(`process ${process.pid}`);
    expect(await ask(link, "poll")).toBe("030400000001");
  });

  it("a taken poll port is refused by its number", async () => {
    const bus = await open(healthy);
    const buses = [
      {
        id: "other",
        link: { kind: "tcp" as const, host: "127.0.0.1", port: 1 },
        units: [],
        pollPort: bus.pollPort,
        replyTimeoutMs: 200,
      },
    ];
    const second = openLaneServer({ runDir: bus.runDir, buses, log: bus.log });
    const error: unknown = await second.catch((thrown: unknown) => thrown);
    expect((error as ServocellError).code).toBe("PORT_IN_USE");
    expect((error as ServocellError).message).toContain(String(bus.pollPort));
    // What it had opened before is free again.
    const free = [{ ...buses[0], pollPort: await freePort() }] as typeof buses;
    const third = await openLaneServer({ runDir: bus.runDir, buses: free, log: bus.log });
    await third.close();
  });

  it("the bus service restarts: links lose, come back, and carry on", async () => {
    const bus = await open(healthy);
    const link = await bus.link();
    const changes: boolean[] = [];
    link.onChange((up) => changes.push(up));
    link.pulse({ still: true, connectedDevice: true });
    await bus.app?.stop("restart");
    expect(await ask(link, "poll")).toBe("notSent link-down");
    await bus.startBus();
    await until(() => link.connected, "the link back");
    await until(() => bus.peer.connections === 2, "the wire back");
    await until(() => bus.lines.at(-1)?.text.includes("connected") ?? false, "the log line");
    expect(await ask(link, "poll")).toBe("030400000001");
    expect(changes).toEqual([false, true]);
  });
});
