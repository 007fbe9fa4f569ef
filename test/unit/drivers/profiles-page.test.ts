/**
 * docs/PROFILES.md names what is there: keys, tests, and the drive that it teaches with.
 *
 * The idea: a table that names a test which has gone teaches nothing. It refuses to judge prose.
 */
import { existsSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { parse } from "yaml";
import { profileSchema } from "#drivers/profile.js";

const page = readFileSync("docs/PROFILES.md", "utf8");
const rows = page.split("\n").filter((line) => /^\| \d+ \|/.test(line));

it("has a row for each of the 27 variations, each with a test that exists", () => {
  expect(rows.map((row) => Number(row.split("|")[1]))).toEqual(
    Array.from({ length: 27 }, (_, i) => i + 1),
  );
  for (const row of rows) {
    const file = row.split("|").at(-2)?.replaceAll(/[ `]/g, "") ?? "";
    expect(existsSync(file), row).toBe(true);
  }
});

it("names every key of the file", () => {
  const told = page.slice(page.indexOf("# Reference"));
  for (const key of Object.keys(profileSchema.shape)) {
    if (["servocellProfile", "title", "kind"].includes(key)) continue;
    expect(told, key).toContain(`\`${key}\``);
  }
});

it("quotes its example as it stands in the profile of the made-up drive", () => {
  const file = "test/fixtures/made-up-drive/profiles/velmar/mx2.yaml";
  const profile = JSON.stringify(parse(readFileSync(file, "utf8")));
  const blocks = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map((found) => found[1] ?? "");
  expect(blocks.length).toBeGreaterThan(6);
  const values = blocks.flatMap((block) => leaves(parse(block)));
  expect(values.length).toBeGreaterThan(60);
  for (const value of values) expect(profile, value).toContain(value);
});

/** Each key with its plain value, as JSON would write it. */
function leaves(value: unknown): readonly string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    if (typeof inner === "object" && inner !== null) return leaves(inner);
    return Array.isArray(value) ? [] : [`${JSON.stringify(key)}:${JSON.stringify(inner)}`];
  });
}
