/**
 * Files with mistakes: each mistake is named once, at its place, with what to write instead.
 * The idea: one table of texts and the lines that must come out. Refuses to accept a first error
 * as the only one.
 */
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { formatProblem, readYaml } from "#drivers/yaml-source.js";

const schema = z.strictObject({
  address: z.number().int().optional(),
  unit: z.number().int().min(0).max(247).optional(),
  name: z.string().optional(),
  on: z.boolean().optional(),
  list: z.array(z.strictObject({ kind: z.enum(["servo", "gripper"]) })).optional(),
  either: z.union([z.number(), z.strictObject({ none: z.string() })]).optional(),
  values: z.record(z.string(), z.number()).optional(),
});

function lines(text: string): readonly string[] {
  const read = readYaml(text, "f.yaml", schema);
  return read.ok ? [] : read.problems.map(formatProblem);
}

describe("CF-01: number traps of YAML", () => {
  const table: readonly [string, readonly RegExp[]][] = [
    ["address: 0012", [/f\.yaml:1:10: error: .*leading zeros.*got "0012"; write 12/]],
    ["unit: 08", [/1:7: error: .*leading zeros.*write 8,/]],
    ["address: -007", [/leading zeros.*write -7/]],
    ["address: 0x30", []],
    ["address: 40001", []],
    ["address: 1e3", []],
    ["either: .5", []],
    ["address: .inf", [/not a finite number/]],
    ["address: 1_000", [/address: must be a (whole )?number, not text.*write 1000 without/]],
    ["address: 12:30", [/address: must be a (whole )?number, not text/]],
    ["on: on", [/on: must be true or false, not text \(got "on"; write true\)/]],
    ["on: no", [/on: must be true or false, not text \(got "no"; write false\)/]],
    ["values: {on: 1, off: 0}", []],
    ["address: 1\nunit: 2\naddress: 3", [/3:1: error: this key stands twice/]],
  ];
  it.each(table)("%s", (text, expected) => {
    const got = lines(text);
    expect(got).toHaveLength(expected.length);
    expected.forEach((pattern, i) => {
      expect(got[i]).toMatch(pattern);
    });
  });

  it("on and off stay text as keys", () => {
    const read = readYaml("values: {on: 1, off: 0}", "f.yaml", schema);
    expect(read).toMatchObject({ ok: true, value: { values: { on: 1, off: 0 } } });
  });
});

describe("all problems at once", () => {
  it("six mistakes in one file are six problems in the order of the file", () => {
    const got = lines(
      [
        "adress: 3",
        "unit: 300",
        "name: 5",
        "list:",
        "  - kind: gripr",
        "  - { kind: servo, extra: 1 }",
        "either: { nothing: a }",
      ].join("\n"),
    );
    expect(got).toHaveLength(7);
    expect(got[0]).toMatch(/^f\.yaml:1:1: error: adress: .*did you mean address\?/);
    expect(got[1]).toMatch(/^f\.yaml:2:7: error: unit: .*got "300"/);
    expect(got[2]).toMatch(/^f\.yaml:3:7: error: name: must be text, not a number/);
    expect(got[3]).toMatch(/^f\.yaml:5:11: error: list\[0\]\.kind: .*did you mean gripper\?/);
    expect(got[4]).toMatch(/^f\.yaml:6:20: error: list\[1\]\.extra: this key is not known/);
    expect(got.slice(5).join("\n")).toMatch(/either\.nothing.*not known/);
  });

  it("what is missing is placed at its parent", () => {
    const got = lines("list:\n  - {}");
    expect(got[0]).toMatch(
      /^f\.yaml:2:5: error: list\[0\]\.kind: one of servo, gripper is missing/,
    );
  });

  it("aliases, several documents and broken syntax are refused", () => {
    expect(lines("values: &a {x: 1}\neither: *a").join()).toMatch(/anchors and aliases/);
    expect(lines("unit: 1\n---\nunit: 2")).not.toHaveLength(0);
    expect(lines("list: [")).not.toHaveLength(0);
  });

  it("an empty file is a problem and not a value", () => {
    expect(lines("")).toHaveLength(1);
  });
});
