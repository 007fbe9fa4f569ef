/**
 * The wire to a device, against a scripted raw peer.
 * The idea: what a reply must be to count, byte by byte, and what follows when it is not.
 */
import modbusSerial from "modbus-serial";
import { afterEach, describe, expect, it, vi } from "vitest";
import { openModbusWire } from "#kernel/edge/modbus-wire.js";
import type { Log, Wire, WireResult } from "#kernel/ports.js";
import { adu, healthy, type PeerRequest, pause, RawPeer, until } from "./raw-peer.js";

const lines: { readonly level: string; readonly text: string }[] = [];
const say = (level: string) => (_fields: object, text: string) => {
  lines.push({ level, text });
};
const log: Log = { debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") };

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
const hex = (result: WireResult) =>
  result.kind === "reply"
    ? Buffer.from(result.pdu).toString("hex")
    : `${result.kind} ${result.why}`;

const openOfLibrary = modbusSerial.default.prototype.open;
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  lines.length = 0;
});

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

const read2 = bytes("03 0000 0002");
const ask = async (wire: Wire, pdu = read2, unit = 1, timeoutMs = 150) =>
  hex(await wire.exchange(unit, pdu, { timeoutMs }));

describe("a reply in pieces", () => {
  it("FR-03: cut at every offset of the ADU, 20 ms apart (offsets=1..12): all values exact", async () => {
    let cut = 1;
    const { wire } = await connected((request) => {
      const whole = adu(request.transaction, request.unit, "03 04 0001 86a0");
      request.write(whole.subarray(0, cut));
      setTimeout(() => request.write(whole.subarray(cut)), 20);
    });
    for (; cut < 13; cut += 1) expect(await ask(wire, read2, 1, 1000)).toBe("0304000186a0");
  });

  it("FR-03: a tail that never comes is a timeout, not zeros, and the next read is right", async () => {
    let first = true;
    const { wire } = await connected((request) => {
      if (!first) return healthy(request);
      first = false;
      request.write(adu(request.transaction, request.unit, "03 04 0001 86a0").subarray(0, 11));
    });
    expect(await ask(wire)).toBe("noReply timeout");
    // The half frame swallows the begin of what follows; then no header can be right any more.
    expect(await ask(wire, read2, 1, 1000)).toBe("noReply link-down");
    await until(() => wire.connected, "the new connection");
    expect(await ask(wire)).toBe("030400000001");
  });

  it("FR-04: three replies and the begin of a fourth in one write, in any order", async () => {
    const held: PeerRequest[] = [];
    const { wire } = await connected((request) => {
      held.push(request);
      if (held.length < 4) return;
      const whole = held.map((r) => adu(r.transaction, r.unit, `03 02 00 0${r.unit}`));
      const [a, b, c, d] = whole as [Buffer, Buffer, Buffer, Buffer];
      request.write(Buffer.concat([c, a, b, d.subarray(0, 5)]));
      setTimeout(() => request.write(d.subarray(5)), 20);
    });
    const read1 = bytes("03 0000 0001");
    const all = await Promise.all([1, 2, 3, 4].map((unit) => ask(wire, read1, unit, 1000)));
    expect(all).toEqual(["03020001", "03020002", "03020003", "03020004"]);
  });
});

describe("what does not belong to the request", () => {
  it("TX-02: the reply of a timed out request comes during the next one: dropped, no error more", async () => {
    let n = 0;
    const { wire } = await connected((request) => {
      n += 1;
      const value = n.toString(16).padStart(4, "0");
      const answer = () => request.reply(`0302${value}`);
      if (n % 4 === 0) setTimeout(answer, 120);
      else setTimeout(answer, 5);
    });
    const results: string[] = [];
    for (let i = 1; i <= 12; i += 1) results.push(await ask(wire, bytes("03 0000 0001"), 1, 80));
    const expected = Array.from({ length: 12 }, (_, i) => {
      const value = (i + 1).toString(16).padStart(4, "0");
      return (i + 1) % 4 === 0 ? "noReply timeout" : `0302${value}`;
    });
    expect(results).toEqual(expected);
  });

  it("TX-05: the neighbour's unit id first, the right one 20 ms later: the right value", async () => {
    const { wire } = await connected((request) => {
      request.write(adu(request.transaction, 2, "03 04 0009 0009"));
      setTimeout(() => request.reply("03 04 0001 0002"), 20);
    });
    expect(await ask(wire)).toBe("030400010002");
  });

  it("TX-05: only the neighbour's unit id ever: malformed at the deadline, no value", async () => {
    const { wire } = await connected((request) => {
      request.write(adu(request.transaction, 2, "03 04 0009 0009"));
    });
    expect(await ask(wire)).toBe("noReply malformed");
  });

  it("TX-10: a gateway that numbers by itself: discarded, said once, connection kept", async () => {
    const { peer, wire } = await connected((request) => {
      request.write(adu(request.transaction + 1000, request.unit, "03 04 0001 0002"));
    });
    for (let i = 0; i < 5; i += 1) expect(await ask(wire, read2, 1, 50)).toBe("noReply timeout");
    expect(lines.filter((l) => l.text.includes("transaction ids")).length).toBe(1);
    expect(peer.connections).toBe(1);
  });

  it.each([
    ["another function", "04 04 0001 0002"],
    ["a byte count of fewer registers", "03 02 0001"],
    ["a byte count that the frame does not hold", "03 04 0001"],
    ["more bytes than announced", "03 04 0001 0002 0003"],
    ["an exception of three bytes", "83 02 00"],
    ["another function's exception", "84 02"],
  ])("a reply with %s is malformed at once, and the next is right", async (_, pdu) => {
    let wrong = true;
    const { wire } = await connected((request) => {
      if (wrong) request.reply(pdu);
      else healthy(request);
      wrong = false;
    });
    const beganMs = performance.now();
    expect(await ask(wire, read2, 1, 5000)).toBe("noReply malformed");
    expect(performance.now() - beganMs).toBeLessThan(4000);
    expect(await ask(wire)).toBe("030400000001");
  });

  it.each([
    ["FC06, another register", "06 0020 0003", "06 0021 0003"],
    ["FC06, another value (clamped)", "06 0020 0003", "06 0020 0002"],
    ["FC16, another address", "10 0030 0002 04 0001 86a0", "10 0031 0002"],
    ["FC16, another count", "10 0030 0002 04 0001 86a0", "10 0030 0001"],
    ["FC05, another state", "05 0001 ff00", "05 0001 0000"],
  ])("a write echoed wrongly is no acknowledgement: %s", async (_, request, reply) => {
    const { wire } = await connected((r) => r.reply(reply));
    expect(await ask(wire, bytes(request))).toBe("noReply malformed");
  });
});

describe("what counts", () => {
  it.each([
    ["FC01", "01 0000 000a", "01 02 ff03"],
    ["FC02", "02 0000 0001", "02 01 01"],
    ["FC03", "03 0000 0002", "03 04 0001 86a0"],
    ["FC04", "04 0000 0001", "04 02 0007"],
    ["FC05", "05 0001 ff00", "05 0001 ff00"],
    ["FC06", "06 0020 0003", "06 0020 0003"],
    ["FC15", "0f 0000 000a 02 ff03", "0f 0000 000a"],
    ["FC16", "10 0030 0002 04 0001 86a0", "10 0030 0002"],
    ["FC22", "16 0004 00f2 0025", "16 0004 00f2 0025"],
    ["FC23", "17 0003 0001 000e 0001 02 00ff", "17 02 0012"],
    ["an exception", "03 0000 0001", "83 02"],
    ["EX-02: a gateway's exception", "03 0000 0001", "83 0b"],
    ["Kinco's 0x81 for any function", "06 0000 0001", "81 03"],
  ])("%s: the very bytes leave, the very reply comes back", async (_, request, reply) => {
    const { peer, wire } = await connected((r) => r.reply(reply));
    expect(await ask(wire, bytes(request))).toBe(reply.replaceAll(" ", ""));
    expect(peer.pdus(1)).toEqual([request.replaceAll(" ", "")]);
  });

  it("BC-03: unit 0 is an ordinary unit on TCP", async () => {
    const { peer, wire } = await connected(healthy);
    expect(await ask(wire, read2, 0)).toBe("030400000001");
    expect(peer.requests.map((r) => r.unit)).toEqual([0]);
  });

  it.each([
    ["FC05 with a value that is neither on nor off", "05 0001 1234"],
    ["FC16 with an odd byte", "10 0030 0002 04 0001 86"],
    ["FC15 with bits set beyond its count", "0f 0000 0003 01 ff"],
    ["bytes after the request", "06 0020 0003 00"],
    ["FC23 with more to write than there is", "17 0003 0001 000e 0100 02 00ff"],
    ["a function that this wire does not have", "2b 0e 01 00"],
  ])("what cannot be sent as it is never leaves: %s", async (_, request) => {
    const { peer, wire } = await connected(healthy);
    expect(await ask(wire, bytes(request))).toBe("notSent invalid-value");
    expect(await ask(wire)).toBe("030400000001");
    expect(peer.requests.length).toBe(1);
  });
});

describe("FR-06: a header that cannot be right", () => {
  it.each([
    ["length 32767", "0021 0000 7fff 01 03 02 0013"],
    ["length 0", "0021 0000 0000"],
    ["protocol id 1", "0021 0001 0005 01 03 02 0013"],
  ])("%s: the request fails, a new connection, the next read is right", async (_, raw) => {
    const { peer, wire } = await connected((request) => {
      if (request.connection === 1) request.write(bytes(raw));
      else healthy(request);
    });
    expect(await ask(wire, read2, 1, 1000)).toBe("noReply link-down");
    await until(() => wire.connected, "the new connection");
    expect(await ask(wire)).toBe("030400000001");
    expect(peer.connections).toBe(2);
  });

  it("FR-12: 64 KiB of noise in one write is one lost connection and one line of log", async () => {
    const { peer, wire } = await connected((request) => {
      if (request.connection > 1) return healthy(request);
      request.write(Buffer.alloc(65_536, Buffer.from([0x01, 0x03])));
    });
    expect(await ask(wire, read2, 1, 2000)).toBe("noReply link-down");
    await until(() => wire.connected && peer.connections === 2, "the new connection");
    expect(await ask(wire)).toBe("030400000001");
    expect(lines.filter((l) => l.level === "warn").length).toBe(1);
  });
});

describe("connections", () => {
  it("TX-09: a request without reply settles once, by its own deadline, and is forgotten", async () => {
    const libraries: { readonly _transactions: object }[] = [];
    const open = vi.spyOn(modbusSerial.default.prototype, "open");
    open.mockImplementation(function (this: never, ...args) {
      libraries.push(this);
      return openOfLibrary.apply(this, args);
    });
    const held: PeerRequest[] = [];
    const { wire } = await connected((request) => {
      held.push(request);
      if (held.length > 20) healthy(request);
    });
    open.mockRestore();
    const all = Array.from({ length: 20 }, (_, unit) => ask(wire, read2, unit, 100));
    expect(new Set(await Promise.all(all))).toEqual(new Set(["noReply timeout"]));
    for (const request of held) request.reply("03 04 0001 0002");
    for (let i = 0; i < 20; i += 1) expect(await ask(wire)).toBe("030400000001");
    expect(held.length).toBe(40);
    expect(libraries.map((library) => Object.keys(library._transactions))).toEqual([[]]);
  });

  it("ST-01: a late reply names its unit, a gateway's late 0x0A and 0x0B do not", async () => {
    const held: PeerRequest[] = [];
    const { wire } = await connected((request) => {
      if (held.length < 3) held.push(request);
      else healthy(request);
    });
    const late: number[] = [];
    wire.onLate?.((unit) => late.push(unit));
    for (const unit of [7, 8, 9]) expect(await ask(wire, read2, unit, 50)).toBe("noReply timeout");
    for (const [i, pdu] of ["83 0a", "83 0b", "03 04 0001 0002"].entries()) held[i]?.reply(pdu);
    expect(await ask(wire)).toBe("030400000001");
    expect(late).toEqual([9]);
  });

  it("the peer hangs up with a request out: noReply at once; then nothing leaves until it is back", async () => {
    const { peer, wire } = await connected((request) => {
      if (request.connection === 1) request.hangUp();
      else healthy(request);
    });
    const changes: boolean[] = [];
    wire.onChange((up) => changes.push(up));
    expect(await ask(wire, read2, 1, 5000)).toBe("noReply link-down");
    expect(await ask(wire)).toBe("notSent link-down");
    await until(() => wire.connected, "the connection back");
    expect(await ask(wire)).toBe("030400000001");
    expect(changes).toEqual([false, true]);
    expect(peer.requests.length).toBe(2);
  });

  it("reconnect: a request that waits in the old socket is settled, the new one serves at once", async () => {
    const { peer, wire } = await connected((request) => {
      if (request.connection > 1) healthy(request);
    });
    const lost = ask(wire, read2, 1, 5000);
    await until(() => peer.requests.length === 1, "the request at the peer");
    wire.reconnect();
    expect(await lost).toBe("noReply link-down");
    await until(() => wire.connected, "the new connection");
    expect(await ask(wire)).toBe("030400000001");
  });

  it("RC-01: a peer that takes everything and answers nothing is dropped, others are not blamed", async () => {
    const { peer, wire } = await connected((request) => {
      if (request.connection > 1) healthy(request);
    });
    await until(() => {
      if (wire.connected && peer.connections === 1) void ask(wire, read2, 1, 50);
      return peer.connections === 2;
    }, "the second connection");
    await until(() => wire.connected, "the connection");
    expect(await ask(wire)).toBe("030400000001");
  });

  it("RC-07: a peer that is away for long is said once, and found when it is back", async () => {
    const { peer, wire } = await connected(healthy);
    const { port } = peer;
    await peer.close();
    await until(() => !wire.connected, "the loss");
    await pause(1000);
    expect(lines.filter((l) => l.level === "warn").length).toBe(1);
    const back = await RawPeer.open(healthy);
    closers.push(() => back.close());
    await back.close();
    await peer.listen(port);
    await until(() => wire.connected, "the connection back");
    expect(await ask(wire)).toBe("030400000001");
  });
});
