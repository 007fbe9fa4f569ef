/**
 * How much an outbox may hold, and how long.
 * The idea: small bounds and a clock of the test. It refuses disks.
 */
import { describe, expect, it } from "vitest";
import { blockSize, EventNumbers } from "#kernel/event-numbers.js";
import { graceMs, heapMax, heapMsMax, OutboxBook, outboxBounds } from "#kernel/outbox-book.js";

const bounds = { bytesMax: 10_000, ageMsMax: 10 * graceMs };

function filled(count: number, nowMs = 0): OutboxBook {
  const book = new OutboxBook(bounds);
  for (let seq = 1; seq <= count; seq += 1) book.add(seq, 100, nowMs);
  return book;
}

describe("outbox book", () => {
  it("holds 7 days or 100 MB", () => {
    expect(outboxBounds).toEqual({ bytesMax: 100_000_000, ageMsMax: 604_800_000 });
  });

  it("within its bounds nothing has to go", () => {
    expect(filled(100).overflow(0)).toBeUndefined();
  });

  it("one byte more: the oldest heap goes, and no more than that", () => {
    const book = filled(101);
    expect(book.overflow(0)).toEqual({ upTo: heapMax, count: heapMax });
    expect(book.count).toBe(101 - heapMax);
    expect(book.overflow(0)).toBeUndefined();
  });

  it("what is too old goes, what came later stays", () => {
    const book = filled(heapMax);
    book.add(heapMax + 1, 100, graceMs);
    expect(book.overflow(bounds.ageMsMax)).toBeUndefined();
    expect(book.overflow(bounds.ageMsMax + 1)).toEqual({ upTo: heapMax, count: heapMax });
  });

  it("a quiet source: what is too old takes nothing with it that came long after", () => {
    const book = new OutboxBook(bounds);
    for (let n = 0; n < 10; n += 1) book.add(n + 1, 100, n * heapMsMax);
    expect(book.overflow(bounds.ageMsMax + 1)).toEqual({ upTo: 1, count: 1 });
    expect(book.overflow(bounds.ageMsMax + heapMsMax)).toBeUndefined();
    expect(book.count).toBe(9);
  });

  it("it is roomy again well below its bounds", () => {
    const book = filled(100);
    expect(book.isRoomy(0)).toBe(false);
    book.dropped(heapMax);
    expect(book.isRoomy(0)).toBe(true);
    expect(book.isRoomy(bounds.ageMsMax * 0.8 + 1)).toBe(false);
  });

  it("what an earlier start has left is given an hour, whatever the clock says", () => {
    const book = new OutboxBook(bounds);
    const years = 26 * 365 * 24 * 3_600_000;
    book.restore([{ last: 5, count: 5, bytes: 500, at: 0 }], 1000, years);
    expect(book.overflow(1000 + graceMs)).toBeUndefined();
    expect(book.overflow(1001 + graceMs)).toEqual({ upTo: 5, count: 5 });
  });

  it("a clock that was set back makes nothing older", () => {
    const book = new OutboxBook(bounds);
    book.restore([{ last: 5, count: 5, bytes: 500, at: 9_000_000_000 }], 0, 5);
    expect(book.overflow(bounds.ageMsMax)).toBeUndefined();
  });
});

describe("event numbers", () => {
  async function begun(upTo: number, nowTs: number) {
    const claims: number[] = [];
    const numbers = new EventNumbers(async (claim) => void claims.push(claim));
    numbers.begin(upTo, nowTs);
    await Promise.resolve();
    return { numbers, claims };
  }

  it("a start begins at the microsecond of its clock, on a claim that the disk has", async () => {
    const { numbers, claims } = await begun(0, 1_700_000_000_000);
    expect(numbers.next()).toBe(1_700_000_000_000_001);
    expect(claims).toEqual([1_700_000_000_000_000 + blockSize]);
    expect(numbers.claimed).toBe(1_700_000_000_000_000 + blockSize);
  });

  it("a clock set back: above everything that earlier starts have claimed", async () => {
    const { numbers } = await begun(2_000_000, 5);
    expect(numbers.next()).toBe(2_000_001);
  });

  it("nothing may leave before the claim is on the disk", async () => {
    let written = () => {};
    const claim = () => new Promise<void>((resolve) => (written = resolve));
    const numbers = new EventNumbers(claim);
    numbers.begin(0, 1);
    numbers.next();
    await Promise.resolve();
    expect(numbers.claimed).toBe(0);
    written();
    await Promise.resolve();
    expect(numbers.claimed).toBe(1000 + blockSize);
  });

  it("the next block is claimed when half of the last is left, once", async () => {
    const { numbers, claims } = await begun(0, 0);
    for (let i = 0; i <= blockSize / 2 + 10; i += 1) numbers.next();
    expect(claims).toEqual([blockSize, 2 * blockSize]);
  });

  it("a number that others have and we do not is passed", async () => {
    const { numbers } = await begun(0, 0);
    numbers.raise(5_000_000);
    expect(numbers.next()).toBe(5_000_001);
    numbers.raise(7);
    expect(numbers.next()).toBe(5_000_002);
  });
});
