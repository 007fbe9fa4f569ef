/**
 * The event stream over real sockets: snapshot, changes, resume, slow readers, and the end.
 *
 * The idea: clients are bare sockets, so a client that does not read or does not leave is real.
 * It refuses to measure speed.
 */
import { afterEach, beforeEach, expect, test } from "vitest";
import { clientBytesMax, ringMax } from "../../../services/gateway/stream.js";
import { PlayedCell, runRecord } from "../../fixtures/gateway/played-cell.js";
import { RawClient, until } from "../../fixtures/gateway/raw-client.js";

let cell: PlayedCell;
const clients: RawClient[] = [];
beforeEach(async () => {
  cell = new PlayedCell();
  await cell.start();
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.destroy();
  await cell.end();
});

async function open(lastEventId?: string): Promise<RawClient> {
  const client = await RawClient.open(cell.port);
  clients.push(client);
  client.stream(lastEventId);
  await until("the stream has begun", () => client.text.includes("retry: "));
  return client;
}

function event(n: number, text = "") {
  const id = `e${n}`;
  const type = "axis.fault";
  const head = { specversion: "1.0" as const, id, source: "driver-x", type, subject: "x" };
  const body = { datacontenttype: "application/json" as const, data: { n, text } };
  const levels = { kind: "axis", id: "x", type: "fault" };
  cell.main.say("event", levels, { ...head, time: new Date(0).toISOString(), ...body });
}

function numbers(client: RawClient): number[] {
  return client.ids().map((id) => Number(id?.split("-").at(-1)));
}

test("stream: a snapshot of everything first, then each change under its name", async () => {
  cell.cell("Idle", ["start"]);
  const client = await open();
  await until("the snapshot is there", () => client.records().length === 1);
  const [snapshot] = client.records();
  expect(snapshot?.event).toBe("snapshot");
  expect(snapshot?.data).toMatchObject({ cell: { state: "Idle" }, you: { role: "operator" } });
  expect(snapshot?.data.axes).toHaveLength(5);
  cell.cell("Execute", ["stop"]);
  cell.axis("x", { position: 4 });
  cell.device("x");
  cell.runs(runRecord("r1"));
  cell.stops("s1");
  event(1, "line one\nline two\u2028three");
  await until("the event is there", () => client.records().some((r) => r.event === "event"));
  const names = client.records().map((r) => r.event);
  for (const name of ["cell", "axis", "device", "run", "stop", "event"]) {
    expect(names).toContain(name);
  }
  const last = client.records().find((r) => r.event === "event");
  expect(last?.data.data).toEqual({ n: 1, text: "line one\nline two\u2028three" });
});

test("stream: the same state said again is not sent again", async () => {
  const client = await open();
  const at = cell.main;
  cell.axis("x", { position: 4, ts: 1 });
  await until("x is there", () => client.records().some((r) => r.event === "axis"));
  const before = client.records().filter((r) => r.event === "axis").length;
  cell.axis("x", { position: 4, ts: 1 });
  event(2);
  await until("the event is there", () => client.records().some((r) => r.event === "event"));
  expect(client.records().filter((r) => r.event === "axis").length).toBe(before);
  expect(at.connected).toBe(true);
});

test("HT-06: resume after id n brings exactly n+1 and on (50 events missed)", async () => {
  const first = await open();
  for (let n = 0; n < 10; n++) event(n);
  await until("10 events", () => first.records().filter((r) => r.event === "event").length === 10);
  const seen = first.ids().at(-1);
  first.socket.destroy();
  for (let n = 10; n < 60; n++) event(n);
  const second = await open(seen);
  await until("50 events", () => second.records().filter((r) => r.event === "event").length >= 50);
  const events = second.records().filter((r) => r.event === "event");
  expect(events.map((r) => (r.data.data as { n: number }).n)).toEqual(
    Array.from({ length: 50 }, (_, i) => i + 10),
  );
  expect(second.records().some((r) => r.event === "snapshot")).toBe(false);
  const all = numbers(second);
  expect(all[0]).toBe(Number(seen?.split("-").at(-1)) + 1);
  expect(all).toEqual(all.map((_, i) => (all[0] ?? 0) + i));
});

test.each([
  ["older than the ring", "01GATEWAY-1", ringMax + 50],
  ["of an earlier start", "01EARLIER-5", 0],
  ["garbage", "%00-x-", 0],
  ["a number without a start", "17", 0],
  ["of the future", "01GATEWAY-999999999", 0],
])("HT-06: an id that is %s brings one resync and a snapshot", async (_what, id, missed) => {
  for (let n = 0; n < missed; n++) event(n);
  const client = await open(id);
  await until("the snapshot is there", () => client.records().length >= 2);
  const names = client.records().map((r) => r.event);
  expect(names.slice(0, 2)).toEqual(["resync", "snapshot"]);
  expect(names.filter((name) => name === "event")).toEqual([]);
});

test("HT-06: the oldest id that is kept is resumed, the one before it is not", async () => {
  for (let n = 0; n < ringMax + 10; n++) event(n);
  const first = await open();
  await until("the snapshot is there", () => first.ids().length > 0);
  const newest = numbers(first)[0] ?? 0;
  const resumed = async (seen: number) => {
    const client = await open(`01GATEWAY-${seen}`);
    await until("something is there", () => client.records().length > 0 || seen === newest);
    return { client, resync: client.records()[0]?.event === "resync" };
  };
  // Where the line of what is kept begins, by halves.
  let [gone, kept] = [newest - ringMax - 1, newest];
  while (kept - gone > 1) {
    const middle = Math.floor((gone + kept) / 2);
    const { client, resync } = await resumed(middle);
    client.socket.destroy();
    if (resync) gone = middle;
    else kept = middle;
  }
  expect(newest - kept).toBeGreaterThan(200);
  const { client: edge } = await resumed(kept);
  await until("all that is kept", () => numbers(edge).length >= newest - kept);
  expect(numbers(edge)).toEqual(Array.from({ length: newest - kept }, (_, i) => kept + 1 + i));
  const { client: over } = await resumed(gone);
  await until("the snapshot is there", () => over.records().length >= 2);
  expect(over.records().map((r) => r.event)).toEqual(["resync", "snapshot"]);
});

test("HT-06: twenty blips among 400 events lose, repeat and reorder none", async () => {
  let last: string | undefined;
  const seen: number[] = [];
  let n = 0;
  for (let blip = 0; blip < 20; blip++) {
    const client = await open(last);
    for (let i = 0; i < 10; i++) event(n++);
    await until("what was said before the blip is there", () =>
      client.text.includes(`"n":${n - 1},`),
    );
    const records = client.records();
    expect(records.some((r) => r.event === "resync")).toBe(false);
    expect(records.filter((r) => r.event === "snapshot").length).toBe(blip === 0 ? 1 : 0);
    for (const { event: name, data } of records) {
      if (name === "event") seen.push((data.data as { n: number }).n);
    }
    last = client.ids().findLast((id) => id !== undefined);
    client.socket.destroy();
    for (let i = 0; i < 10; i++) event(n++);
  }
  const end = await open(last);
  await until("the rest is there", () => end.text.includes(`"n":${n - 1},`));
  for (const { event: name, data } of end.records()) {
    if (name === "event") seen.push((data.data as { n: number }).n);
  }
  expect(seen).toEqual(Array.from({ length: 400 }, (_, i) => i));
});

test("HT-06: an event that the broker brings again goes into the line once", async () => {
  const client = await open();
  for (const n of [1, 2, 1, 3, 2, 1]) event(n);
  event(4);
  await until("the last is there", () => client.text.includes('"n":4,'));
  const events = client.records().filter((r) => r.event === "event");
  expect(events.map((r) => (r.data.data as { n: number }).n)).toEqual([1, 2, 3, 4]);
});

test.each([
  ["in the address", (id: string) => `?lastEventId=${id}`, undefined],
  ["in a header that is newer than the address", () => "?lastEventId=01GATEWAY-1", "header"],
])("HT-06: the id comes %s", async (_where, address, header) => {
  const first = await open();
  event(1);
  event(2);
  await until("two events", () => first.text.includes('"n":2,'));
  const id = first.ids().findLast((known) => known !== undefined) ?? "";
  event(3);
  const client = await RawClient.open(cell.port);
  clients.push(client);
  const last = header === undefined ? "" : `Last-Event-ID: ${id}\r\n`;
  client.send(`GET /api/v1/stream${address(id)} HTTP/1.1\r\nHost: localhost\r\n${last}\r\n`);
  await until("the missed event is there", () => client.text.includes('"n":3,'));
  const events = client.records().filter((r) => r.event === "event" || r.event === "snapshot");
  expect(events.map((r) => r.event)).toEqual(["event"]);
});

test("HT-01: a client that does not read is dropped, the others see every event", async () => {
  const reader = await open();
  const sleeper = await open();
  sleeper.socket.pause();
  const text = "x".repeat(20_000);
  const before = process.memoryUsage().rss;
  // Loopback sockets swallow megabytes before the gateway's own buffer begins to fill.
  let n = 0;
  while (n < 2000 && !cell.log.some((line) => line.text === "stream client dropped")) {
    for (let i = 0; i < 10; i++) event(n++, text);
    await until("the reader follows", () => reader.text.includes(`"n":${n - 1},`), 10_000);
    reader.text = reader.text.slice(-100_000);
  }
  expect(cell.log.filter((line) => line.text === "stream client dropped")).toHaveLength(1);
  expect(n).toBeGreaterThan(clientBytesMax / 20_000);
  expect(process.memoryUsage().rss - before).toBeLessThan(300 * 1024 * 1024);
  event(n, "after");
  await until("the reader goes on", () => reader.text.includes("after"));
  expect(reader.closed).toBe(false);
});

test("stream: 65 clients, the oldest makes room", async () => {
  const first = await open();
  for (let i = 0; i < 64; i++) await open();
  await until("the oldest is gone", () => first.closed);
  expect(clients.filter((client) => client.closed)).toHaveLength(1);
});

test("HT-05: a hundred clients that come and go leave nothing behind", async () => {
  for (let i = 0; i < 100; i++) {
    const client = await open();
    clients.splice(clients.indexOf(client), 1);
    client.socket.destroy();
  }
  const count = async () => {
    const text = await (await fetch(`${cell.url}/metrics`)).text();
    return Number(/^servocell_stream_clients (\d+)$/m.exec(text)?.[1]);
  };
  let left = await count();
  for (let i = 0; i < 100 && left > 0; i++) left = await count();
  expect(left).toBe(0);
});

test("stream: losing the broker is said at once, in cell and beat", async () => {
  cell.cell("Idle", ["start"]);
  const client = await open();
  cell.main.lose();
  await until("the cell is unknown", () => {
    const last = client.records().findLast((r) => r.event === "cell");
    return last?.data.state === "unknown" && last.data.broker === false;
  });
  await until("the beat says so", () =>
    /event: beat\ndata: \{[^}]*"broker":false/.test(client.text),
  );
});

test("HT-03: shutdown with 3 streams, 5 idle keep-alive clients and a request under way", async () => {
  for (let i = 0; i < 3; i++) await open();
  for (let i = 0; i < 5; i++) {
    const idle = await RawClient.open(cell.port);
    clients.push(idle);
    idle.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n");
    await until("the idle client was served", () => idle.text.includes('"status":"ok"'));
  }
  cell.coordinatorSays("nothing");
  const late = await RawClient.open(cell.port);
  clients.push(late);
  const body = '{"saga":"pick-place"}';
  late.send(
    "POST /api/v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
      `Content-Length: ${body.length}\r\n\r\n${body}`,
  );
  await until("the command is out", () => cell.main.published.some((m) => m.key === "runCommand"));
  const port = cell.port;
  const from = performance.now();
  await cell.gateway.stop("SIGTERM");
  expect(performance.now() - from).toBeLessThan(5000);
  await until("every client is closed", () => clients.every((client) => client.closed));
  await expect(RawClient.open(port)).rejects.toThrow();
});

test("HT-03: a stop that is under way at shutdown is still delivered and answered", async () => {
  cell.fanOut.answering.delete("z");
  const client = await RawClient.open(cell.port);
  clients.push(client);
  client.send("POST /api/v1/stop HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await until("the stop is out", () => cell.fanOut.sent.length > 0);
  await cell.gateway.stop("SIGTERM");
  await until("the answer is there", () => client.text.includes('"axis":"z","status":"notDeli'));
});
