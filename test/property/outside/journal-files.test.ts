/**
 * Databases that a disk or a person has spoiled: the service starts, or says which file is wrong.
 *
 * The idea: files of a killed cell with bits flipped, stretches lost, tails torn off, and with odd
 * values in their rows. Whatever is in them, a start ends, an error has a code and names the file,
 * and nothing is commanded but what the sagas of the cell command. It refuses to say how much of a
 * spoiled file must still be known.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { linesOf } from "#simulators/judges/trace.js";
import { movesNothing } from "#simulators/judges/triggers.js";
import {
  type LyingFile,
  type Service,
  type Start,
  services,
  startOn,
  takenFiles,
} from "../../fixtures/journal-files.js";
import { type Damage, damage, damaged, outside } from "../../fixtures/outside.js";
import { cellOf } from "../../fixtures/world-cell.js";

const files = new Map<string, LyingFile>();
const forms = ["log", "tidy"] as const;

beforeAll(async () => {
  for (const form of forms) {
    for (const [service, file] of await takenFiles(form === "tidy")) {
      files.set(`${service} ${form}`, file);
    }
  }
}, 60_000);

function fileOf(service: Service, form: (typeof forms)[number]): LyingFile {
  const file = files.get(`${service} ${form}`);
  if (file === undefined) throw new Error(`no file of ${service}`);
  return file;
}

/** What the sagas of the cell may ask for: device, verb and arguments. */
const allowed = new Set(
  cellOf("test", "fixtures", "small-cell", "cell.yaml")
    .sagas.flatMap(({ steps }) =>
      steps.flatMap(({ action, makeSafe }) => [
        ...(action.kind === "operation" ? [action.operation] : []),
        ...(makeSafe.kind === "operations" ? makeSafe.operations : []),
      ]),
    )
    .map(({ device, verb, args }) => `${device} ${verb} ${JSON.stringify(args)}`),
);

function judge(service: Service, { refused, broken, trace }: Start): void {
  expect(broken).toEqual([]);
  if (refused !== undefined) {
    expect(refused.code).toMatch(/^STORE_/);
    expect(refused.text).toContain(`${service}.db`);
    expect(refused.text).not.toMatch(/\bat .*\.[tj]s:\d+/);
  }
  for (const { device, verb, body } of linesOf(trace, "command")) {
    if (movesNothing.has(verb)) continue;
    const { args } = JSON.parse(body) as { args: object };
    expect([...allowed]).toContain(`${device} ${verb} ${JSON.stringify(args)}`);
  }
}

const place = fc.nat(1_000_000);
const wide: fc.Arbitrary<Damage> = fc.oneof(
  { weight: 3, arbitrary: damage.map((one) => one) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("flip" as const), at: place, bit: fc.nat(7) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("tear" as const), at: place }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("drop" as const),
      at: place,
      count: fc.integer({ min: 1, max: 9000 }),
    }),
  },
);
const spoiled = fc.record({
  service: fc.constantFrom(...services),
  form: fc.constantFrom(...forms),
  db: fc.array(wide, { maxLength: 3 }),
  wal: fc.array(wide, { maxLength: 3 }),
});

outside(
  "journal",
  "a file with spoiled bytes is read, or refused by name, and commands nothing of its own",
  fc.asyncProperty(spoiled, async ({ service, form, db, wal }) => {
    const file = fileOf(service, form);
    const now = { db: damaged(file.db, db), wal: damaged(file.wal, wal) };
    judge(service, await startOn(service, now));
  }),
  { runs: 12 },
);

const oddCell = fc.oneof(
  fc.constantFrom<string | number | null>(null, "", 0, -1, 2 ** 53, 1e308, 0.5, "{}", "[]", "null"),
  fc.string({ unit: "binary", maxLength: 20 }),
);
/** What becomes of one value: another one, a part of it, or one of its characters. */
const change = fc.oneof(
  fc.record({ kind: fc.constant("odd" as const), value: oddCell }),
  fc.record({ kind: fc.constant("cut" as const), at: place }),
  fc.record({ kind: fc.constant("digit" as const), at: place, digit: fc.nat(9) }),
  fc.record({
    kind: fc.constant("letter" as const),
    at: place,
    code: fc.integer({ min: 32, max: 126 }),
  }),
  fc.record({ kind: fc.constant("gone" as const) }),
);
type Change = typeof change extends fc.Arbitrary<infer C> ? C : never;

function changedText(text: string, what: Change): string | number | null {
  if (what.kind === "odd") return what.value;
  if (what.kind === "gone") return text;
  const at = what.at % Math.max(1, text.length);
  if (what.kind === "cut") return text.slice(0, at);
  if (what.kind === "letter") {
    return text.slice(0, at) + String.fromCharCode(what.code) + text.slice(at + 1);
  }
  // The first digit from there on, where there is one.
  const digit = text.slice(at).search(/\d/);
  if (digit < 0) return text;
  return text.slice(0, at + digit) + String(what.digit) + text.slice(at + digit + 1);
}

interface RowChange {
  readonly table: number;
  readonly row: number;
  readonly column: number;
  readonly change: Change;
}

/** The same file after this was done to it. */
function edited(file: LyingFile, work: (db: Database.Database) => void): LyingFile {
  const folder = mkdtempSync(join(tmpdir(), "rows-"));
  const path = join(folder, "a.db");
  writeFileSync(path, file.db);
  const db = new Database(path);
  try {
    work(db);
    db.close();
    return { db: readFileSync(path), wal: new Uint8Array() };
  } finally {
    db.close();
    rmSync(folder, { recursive: true });
  }
}

/** The same file with some values of its rows changed; what the schema forbids stays. */
function withRows(file: LyingFile, changes: readonly RowChange[]): LyingFile {
  return edited(file, (db) => {
    const tables = db
      .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
      .all() as { name: string }[];
    for (const one of changes) {
      const { name = "" } = tables[one.table % tables.length] ?? {};
      const rows = db.prepare(`SELECT * FROM ${name}`).all() as { [column: string]: unknown }[];
      const row = rows[one.row % Math.max(1, rows.length)];
      if (row === undefined) continue;
      const columns = Object.keys(row);
      const column = columns[one.column % columns.length] ?? "";
      const where = columns.map((key) => `${key} IS ?`).join(" AND ");
      const old = columns.map((key) => row[key]);
      try {
        if (one.change.kind === "gone")
          db.prepare(`DELETE FROM ${name} WHERE ${where}`).run(...old);
        else {
          const now = changedText(String(row[column]), one.change);
          db.prepare(`UPDATE ${name} SET ${column} = ? WHERE ${where}`).run(now, ...old);
        }
      } catch {
        // Against the schema: no such row can lie there.
      }
    }
  });
}

outside(
  "journal",
  "a file with odd values in its rows is read, or refused by name, and commands nothing of its own",
  fc.asyncProperty(
    fc.record({
      service: fc.constantFrom(...services),
      changes: fc.array(fc.record({ table: place, row: place, column: place, change }), {
        minLength: 1,
        maxLength: 3,
      }),
    }),
    async ({ service, changes }) => {
      const file = withRows(fileOf(service, "tidy"), changes);
      judge(service, await startOn(service, file));
    },
  ),
  { runs: 20 },
);

test.each(services)("journal: the file of %s as it lay there is read", async (service) => {
  for (const form of forms) {
    const start = await startOn(service, fileOf(service, form));
    expect([start.refused, start.broken]).toEqual([undefined, []]);
    judge(service, start);
    if (service !== "coordinator") continue;
    const runs = linesOf(start.trace, "run").map(({ saga, state }) => `${saga} ${state}`);
    expect(runs).toContain("work completed");
    // Whether it may go on alone is another test's; its makeSafe is what the cell commands.
    expect(runs.some((text) => text.startsWith("unsafe "))).toBe(true);
  }
});

test.each(services)("journal: no file, an empty one and one that is none (%s)", async (service) => {
  const none = new Uint8Array();
  expect((await startOn(service, { db: none, wal: none })).refused).toBe(undefined);
  const text = new TextEncoder().encode(
    "This is not a database, and it is long enough. ".repeat(99),
  );
  const start = await startOn(service, { db: text, wal: none });
  expect(start.refused?.code).toBe("STORE_DAMAGED");
  judge(service, start);
});

test.each([
  [
    "a digit of a saga's text has turned: an axis would go somewhere else",
    "coordinator",
    "UPDATE sagas SET definition = replace(definition, '\"position\":100', '\"position\":700')",
    /saga of run .* is not the one that it was started with/,
  ],
  [
    "a run has no starter",
    "coordinator",
    "UPDATE runs SET by = 'ann' WHERE ended_ts IS NULL",
    /the starter of run/,
  ],
  ["the epoch is no number", "driver-x", "UPDATE fact SET value = 'seven'", /epoch/],
] as const)(
  "journal: %s (%s): refused with the name of the file",
  async (_what, service, sql, why) => {
    const file = edited(fileOf(service, "tidy"), (db) => {
      expect(db.prepare(sql).run().changes).toBeGreaterThan(0);
    });
    const start = await startOn(service, file);
    expect(start.refused).toMatchObject({
      code: "STORE_DAMAGED",
      text: expect.stringMatching(why),
    });
    judge(service, start);
  },
);
