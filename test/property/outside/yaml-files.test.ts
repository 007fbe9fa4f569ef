/**
 * Cell files, sagas and profiles as anybody may have written them: read, or refused with places.
 *
 * The idea: the examples and the profiles with some nodes spoiled, lines changed, and any YAML at
 * all. Two mistakes are both told, and what is taken is taken again. It refuses to look at what
 * the problems say beyond that they say something, somewhere in the file.
 */
import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { parse, stringify } from "yaml";
import type { Problem } from "#drivers/device-model.js";
import { loadProfile, parseProfile, profileIds } from "#drivers/profile-loader.js";
import { openYaml } from "#drivers/yaml-source.js";
import { type CellSources, parseCell } from "#kernel/config/cell-file.js";
import { parseSagas } from "#kernel/config/saga-file.js";
import { sagaDevices } from "../../fixtures/config/saga-devices.js";
import { type Change, changed, changeWith, oddValue } from "../../fixtures/odd-values.js";
import { outside } from "../../fixtures/outside.js";

const textOf = (file: string) => readFileSync(file, "utf8");
const folders = readdirSync("examples");
const yamlsOf = (folder: string) =>
  readdirSync(`examples/${folder}`)
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => `examples/${folder}/${name}`);
const cellFiles = folders.flatMap(yamlsOf).filter((file) => /\/cell[^/]*$/.test(file));
const sagaFiles = folders.flatMap(yamlsOf).filter((file) => !/\/cell[^/]*$/.test(file));
const profileFiles = profileIds().map((id) => `drivers/profiles/${id}.yaml`);

const sources: CellSources = {
  readText: (file) => {
    try {
      return { text: textOf(file) };
    } catch {
      return { why: "there is no such file" };
    }
  },
  loadProfile,
  profileIds,
  readModule: () => ({ why: "no modules here" }),
};

interface Outcome {
  readonly ok: boolean;
  readonly problems: readonly Problem[];
  /** What was made of the text, where it was taken. */
  readonly value: unknown;
}

const kinds = {
  cell: (text: string, file: string): Outcome => {
    const checked = parseCell(text, `${process.cwd()}/${file}`, sources, {
      dataDir: "/nowhere",
      runDir: "/nowhere",
    });
    if (!checked.ok) return { ok: false, problems: checked.problems, value: undefined };
    return { ok: true, problems: checked.warnings, value: checked.value };
  },
  profile: (text: string, file: string): Outcome => {
    const checked = parseProfile(text, file);
    if (!checked.ok) return { ok: false, problems: checked.problems, value: undefined };
    return { ok: true, problems: checked.warnings, value: checked.value };
  },
  saga: (text: string, file: string): Outcome => {
    const [draft] = parseSagas([{ file, text }], sagaDevices);
    const problems = draft?.problems() ?? [];
    return { ok: draft?.definition !== undefined, problems, value: draft?.definition };
  },
} as const;
type Kind = keyof typeof kinds;
const filesOf: { readonly [K in Kind]: readonly string[] } = {
  cell: cellFiles,
  profile: profileFiles,
  saga: sagaFiles,
};
const anyFile = fc
  .constantFrom<Kind>("cell", "profile", "saga")
  .chain((kind) => fc.record({ kind: fc.constant(kind), file: fc.constantFrom(...filesOf[kind]) }));

function isFrozen(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true;
  return Object.isFrozen(value) && Object.values(value).every(isFrozen);
}

function judge(kind: Kind, text: string, file: string): Outcome {
  const outcome = kinds[kind](text, file);
  const errors = outcome.problems.filter(({ severity }) => severity === "error");
  expect(errors.length > 0).toBe(!outcome.ok);
  const lines = text.split(/\r\n|\r|\n/).length;
  for (const { message, line, column, file: at, severity } of outcome.problems) {
    expect(message.length).toBeGreaterThan(3);
    expect(["error", "warning"]).toContain(severity);
    expect(Number.isInteger(line) && line >= 1 && column >= 1).toBe(true);
    // A profile may be wrong where it rests on another, a cell in one of its sagas.
    if (at.endsWith(file)) expect(line).toBeLessThanOrEqual(lines + 1);
  }
  if (!outcome.ok) return outcome;
  if (kind === "cell") expect(isFrozen(outcome.value)).toBe(true);
  expect(kinds[kind](text, file)).toEqual(outcome);
  return outcome;
}

/** What no tree can hold, in place of a value. */
const tokens = fc.constantFrom(
  ...["*a", "&a [*a]", "&a x", "!!js/function x", "!!binary AAAA", "!!set {a}", "<<: {a: 1}"],
  ...["? {a: b} : c", "0x7fffffffffffffff", "1e999", "-1e999", ".nan", ".inf", "-.inf", "1_000"],
  ...["08", "0o17", "2026-01-01", "~", "null", "yes", "on", "|\n  x", ">-\n", "'", '"\\ud800"'],
  ...[
    "\t- x",
    "\t",
    "\ufeff",
    "\u0000",
    "\u2028",
    "\u0085",
    "{[}]",
    "}",
    "[",
    "---",
    "...",
    "%YAML 9",
  ],
  ..."= 1 + 1|= input.x|= var|=|= ((|5 mm|5mm|-5 mm/s|1e309 mm|x.y|__proto__|constructor".split(
    "|",
  ),
);
const place = fc.nat(100_000);
type Edit = (text: string) => string;
const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({ at: place, token: tokens }).map(
    ({ at, token }): Edit =>
      (text) => {
        const lines = text.split("\n");
        const i = at % lines.length;
        const [head] = (lines[i] ?? "").split(/(?<=:)\s/);
        return lines.with(i, `${head} ${token}`).join("\n");
      },
  ),
  fc.record({ at: place, token: tokens }).map(
    ({ at, token }): Edit =>
      (text) => {
        const i = at % (text.length + 1);
        return text.slice(0, i) + token + text.slice(i);
      },
  ),
  fc.record({ at: place, from: place }).map(
    ({ at, from }): Edit =>
      (text) => {
        const lines = text.split("\n");
        return lines.toSpliced(at % lines.length, 0, lines[from % lines.length] ?? "").join("\n");
      },
  ),
  fc.record({ at: place, by: fc.integer({ min: -4, max: 4 }) }).map(
    ({ at, by }): Edit =>
      (text) => {
        const lines = text.split("\n");
        const i = at % lines.length;
        const line = lines[i] ?? "";
        return lines.with(i, by < 0 ? line.slice(-by) : " ".repeat(by) + line).join("\n");
      },
  ),
  place.map(
    (at): Edit =>
      (text) =>
        text.slice(0, at % (text.length + 1)),
  ),
);

outside(
  "yaml",
  "a file with some lines spoiled is taken as a whole, or refused with places",
  fc.property(anyFile, fc.array(edit, { minLength: 1, maxLength: 3 }), ({ kind, file }, edits) => {
    judge(
      kind,
      edits.reduce((text, one) => one(text), textOf(file)),
      file,
    );
  }),
  { runs: 40 },
);

/** Without the marks that only JSON can stand for. */
const yamlValue = oddValue.filter((value) => !String(value).startsWith("@"));
outside(
  "yaml",
  "a file with some nodes spoiled is taken as a whole, or refused with places",
  fc.property(
    anyFile,
    fc.array(changeWith(yamlValue), { minLength: 1, maxLength: 3 }),
    ({ kind, file }, changes) => {
      // Of a root that was dropped nothing is left to write down.
      judge(kind, stringify(changed(parse(textOf(file)), changes)) ?? "", file);
    },
  ),
  { runs: 40 },
);

outside(
  "yaml",
  "any tree and any text at all is refused with places",
  fc.property(
    fc.constantFrom<Kind>("cell", "profile", "saga"),
    fc.oneof(
      fc.jsonValue({ maxDepth: 4 }).map((value) => stringify(value)),
      fc.json(),
      fc.string({ unit: "binary" }),
      fc.array(tokens, { maxLength: 8 }).map((list) => list.join("\n")),
    ),
    (kind, text) => {
      expect(judge(kind, text, "any.yaml").ok).toBe(false);
    },
  ),
  { runs: 150 },
);

/** Mappings with a strict set of keys: another one there is a mistake by itself. */
function withStrangers(text: string, places: readonly number[]): string {
  const add = (at: number, i: number): Change => {
    return { kind: "add", at, key: `stranger${i}`, value: 1 };
  };
  return stringify(changed(parse(text), places.map(add)));
}
const told = ({ problems }: Outcome) =>
  problems
    .filter(({ message }) => message === "this key is not known here")
    .map(({ path }) => path);

outside(
  "yaml",
  "of two keys that are not known, both are told",
  fc.property(anyFile, place, place, ({ kind, file }, one, other) => {
    const text = textOf(file);
    const first = told(judge(kind, withStrangers(text, [one]), file));
    const both = withStrangers(text, [one, other]);
    // The second is placed by what the first has made of the file.
    if (first.length === 0 || !both.includes("stranger1")) return;
    expect(told(judge(kind, both, file))).toEqual(expect.arrayContaining([...first]));
  }),
  { runs: 15 },
);

const laughs = "bcdefghi".split("").map((name, i) => {
  return `${name}: &${name} [${Array(9).fill(`*${"abcdefgh"[i]}`).join(", ")}]`;
});
const many = (count: number, line: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => line(i)).join("\n");

test.each<[string, string]>([
  ["a billion laughs", ["a: &a [x, x, x, x, x, x, x, x, x]", ...laughs].join("\n")],
  ["100,000 lists inside each other", "[".repeat(100_000)],
  ["5,000 lists inside each other, all closed", `a: ${"[".repeat(5000)}${"]".repeat(5000)}`],
  ["20,000 mappings inside each other", `${"{a: ".repeat(20_000)}1${"}".repeat(20_000)}`],
  ["100,000 dashes", `${"- ".repeat(100_000)}x`],
  ["101 indents", many(101, (i) => `${" ".repeat(i)}a:`)],
  ["20,000 keys in a mapping", many(20_000, (i) => `k${i}: 1`)],
  ["20,000 aliases", many(20_000, () => "- *a")],
  ["more than a million characters", `a: ${"x".repeat(1_000_000)}`],
])("%s: refused within seconds, with a place", (_, text) => {
  const before = process.cpuUsage().user;
  const opened = openYaml(text, "bomb.yaml");
  expect(opened.ok).toBe(false);
  if (!opened.ok)
    expect(opened.problems[0]).toMatchObject({ file: "bomb.yaml", severity: "error" });
  expect((process.cpuUsage().user - before) / 1_000_000).toBeLessThan(5);
});
