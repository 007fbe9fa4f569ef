/**
 * A device that closes its connection while nobody asks: no failure, and no write twice.
 * The idea: the raw peer hangs up by itself, over and over. It refuses to wait long.
 */
import { afterEach, expect, it } from "vitest";
import { BusCell, pduOf } from "./bus-cell.js";
import { healthy, until } from "./raw-peer.js";

let cell: BusCell | undefined;
afterEach(async () => {
  await cell?.close();
  cell = undefined;
});

it("RC-06: closed while idle, ten times: ten values, no error", async () => {
  cell = await BusCell.open(healthy);
  const link = await cell.link();
  for (let cycle = 1; cycle <= 10; cycle += 1) {
    const { connections } = cell.peer;
    cell.peer.hangUp();
    const { peer } = cell;
    await until(() => peer.connections > connections, "the connection back", 10_000);
    const came = await link.exchange("poll", pduOf("0300100001"));
    expect(came.kind === "reply" && Buffer.from(came.pdu).toString("hex")).toBe("03020010");
  }
});

it("RC-06: closed in the moment of a read: the read goes once more and brings its value", async () => {
  let hung = false;
  cell = await BusCell.open((request) => {
    if (hung) return healthy(request);
    hung = true;
    request.hangUp();
  });
  const link = await cell.link();
  const came = await link.exchange("poll", pduOf("0300100001"));
  expect(came.kind === "reply" && Buffer.from(came.pdu).toString("hex")).toBe("03020010");
  expect(cell.peer.pdus(1)).toEqual(["0300100001", "0300100001"]);
});

it("RC-06, TX-03: closed in the moment of a write: nobody knows, and it is not sent again", async () => {
  let hung = false;
  cell = await BusCell.open((request) => {
    if (hung) return healthy(request);
    hung = true;
    request.hangUp();
  });
  const link = await cell.link();
  const came = await link.exchange("command", pduOf("0600200003"));
  expect(came.kind).toBe("unknown");
  const { peer } = cell;
  await until(() => peer.connections > 1, "the connection back", 10_000);
  expect((await link.exchange("poll", pduOf("0300100001"))).kind).toBe("reply");
  expect(peer.pdus(1)).toEqual(["0600200003", "0300100001"]);
});
