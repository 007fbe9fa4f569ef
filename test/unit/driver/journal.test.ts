/**
 * What a driver's journal keeps, and for how long.
 *
 * The idea: the real tables on SQLite in memory; a second journal on the same store is the next
 * start. It refuses real files.
 */
import { beforeEach, describe, expect, it } from "vitest";
import { openMemoryStore } from "#kernel/edge/memory-store.js";
import type { Store } from "#kernel/ports.js";
import { type InboxEntry, idKeptMs, inboxMax, Journal } from "../../../services/driver/journal.js";
import { driverSchema } from "../../../services/driver/schema.js";

const entry = (id: string, change: Partial<InboxEntry> = {}): InboxEntry => ({
  ...{ id, body: `body ${id}`, verb: "moveTo", epoch: 1, status: "ended", at: 1000 },
  ...change,
});

let store: Store;
beforeEach(() => {
  store = openMemoryStore(driverSchema);
});

describe("journal", () => {
  it("gives back what was saved: epoch, latches, resets, commands with their verdicts", async () => {
    const journal = new Journal(store);
    await journal.load();
    await journal.saveEpoch(7);
    await journal.saveLatches(["s1", "s2"], ["r1"]);
    const verdict = { verdict: "faulted", code: "STOPPED_SHORT", text: "t", detail: { actual: 3 } };
    const kept = entry("c1", { verdict: verdict as InboxEntry["verdict"] & object, target: 9 });
    await journal.save(kept);
    const next = await new Journal(store).load();
    expect(next).toMatchObject({ epoch: 7, latches: ["s1", "s2"], resets: ["r1"] });
    expect(next.inbox).toEqual([kept]);
  });

  it(`keeps at most ${inboxMax} ids: those of ended epochs leave first`, async () => {
    const journal = new Journal(store);
    await journal.load();
    await journal.saveEpoch(2);
    await journal.save(entry("now", { epoch: 2 }));
    for (let i = 0; i <= inboxMax; i += 1) await journal.save(entry(`old${i}`));
    expect(journal.known("now")).toBeDefined();
    expect(journal.known("old0")).toBeUndefined();
    expect(journal.known(`old${inboxMax}`)).toBeDefined();
    const { inbox } = await new Journal(store).load();
    expect(inbox).toHaveLength(inboxMax);
  });

  it("the id of a command that leaves stays for its epoch, and no longer", async () => {
    const journal = new Journal(store);
    await journal.load();
    await journal.saveEpoch(1);
    for (let i = 0; i <= inboxMax + 1; i += 1) await journal.save(entry(`now${i}`));
    expect([journal.known("now0"), journal.isSpent("now0")]).toEqual([undefined, true]);
    expect(journal.isSpent(`now${inboxMax}`)).toBe(false);
    await journal.saveEpoch(2);
    expect(journal.isSpent("now0")).toBe(false);
  });

  it("ids whose epoch ended more than ten minutes ago leave together when room is needed", async () => {
    const journal = new Journal(store);
    await journal.load();
    await journal.saveEpoch(2);
    for (let i = 0; i < inboxMax; i += 1) await journal.save(entry(`old${i}`));
    await journal.save(entry("new", { epoch: 2, at: 1001 + idKeptMs }));
    const { inbox } = await new Journal(store).load();
    expect(inbox.map(({ id }) => id)).toEqual(["new"]);
  });

  it("a command that is not over never leaves", async () => {
    const journal = new Journal(store);
    await journal.load();
    await journal.saveEpoch(2);
    await journal.save(entry("started", { status: "started" }));
    for (let i = 0; i <= inboxMax; i += 1) await journal.save(entry(`old${i}`));
    expect(journal.known("started")).toBeDefined();
  });
});
