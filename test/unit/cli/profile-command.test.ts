/**
 * What `servocell profile` generates is of today, and what it begins is right.
 *
 * The idea: pages and schemas in docs/ are compared with what the code makes now, so neither can
 * grow old; the schemas are asked about real files. It refuses to write into docs.
 */
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { loadProfile, profileIds } from "#drivers/profile-loader.js";
import { editorSchemas, schemaNames } from "../../../services/cli/editor-schemas.js";
import { addProfileCommands, pageFile } from "../../../services/cli/profile-command.js";
import { profilePage } from "../../../services/cli/profile-page.js";

async function run(...args: string[]): Promise<{ code: number; lines: string[] }> {
  const lines: string[] = [];
  const program = new Command();
  let code = -1;
  addProfileCommands(
    program,
    (line) => lines.push(line),
    (command) =>
      async (...given) => {
        try {
          code = await command(...given);
        } catch (thrown) {
          code = 1;
          lines.push(String(thrown));
        }
      },
  );
  await program.parseAsync(["node", "servocell", "profile", ...args]);
  return { code, lines };
}

describe("schemas for editors", () => {
  it.each(schemaNames)("docs/schemas/%s.schema.json is what the code makes", (name) => {
    const there: unknown = JSON.parse(readFileSync(`docs/schemas/${name}.schema.json`, "utf8"));
    expect(there, "write it anew with: servocell profile schema").toEqual(editorSchemas()[name]);
  });

  const ajv = new Ajv2020({ strict: false });
  const valid = Object.fromEntries(schemaNames.map((n) => [n, ajv.compile(editorSchemas()[n])]));
  const ask = (name: (typeof schemaNames)[number], value: unknown) => valid[name]?.(value);

  it("the cell and the saga of the example pass, a key that is not known does not", () => {
    const cell = parse(readFileSync("examples/pick-and-place/cell.yaml", "utf8"));
    expect(ask("cell", cell)).toBe(true);
    expect(ask("cell", { ...cell, devces: {} })).toBe(false);
    const saga = parse(readFileSync("examples/pick-and-place/pick-place.yaml", "utf8"));
    expect(ask("saga", saga)).toBe(true);
    expect(ask("saga", { ...saga, steps: [] })).toBe(false);
  });

  it("a profile whole; one that extends another leaves out what the base says", () => {
    const page = "test/fixtures/made-up-drive/profiles/velmar/mx2.yaml";
    const whole = parse(readFileSync(page, "utf8"));
    expect(ask("profile", whole)).toBe(true);
    const { points: _points, ...without } = whole;
    expect(ask("profile", without)).toBe(false);
    const over = { servocellProfile: 1, id: "velmar/mx3", extends: "velmar/mx2" };
    expect(ask("profile", over)).toBe(true);
    expect(ask("profile", { ...over, points: { jog: null } })).toBe(true);
    expect(ask("profile", { ...over, pionts: {} })).toBe(false);
  });
});

describe("pages of profiles", () => {
  it.each(profileIds())("%s: docs/profiles has the page of today", (id) => {
    const loaded = loadProfile(id);
    expect(loaded.ok).toBe(true);
    if (!loaded.ok) return;
    const there = readFileSync(join("docs/profiles", pageFile(id)), "utf8");
    expect(there, "write it anew with: servocell profile page").toBe(profilePage(loaded.value));
  });

  it("no page is left of a profile that has gone", () => {
    const wanted = profileIds().map(pageFile);
    expect(readdirSync("docs/profiles").filter((name) => name !== "README.md")).toEqual(
      wanted.sort(),
    );
  });
});

describe("servocell profile", () => {
  const folder = mkdtempSync(join(tmpdir(), "sc-profile-"));

  it("new: a profile that the lint takes, with a warning for everything invented", async () => {
    const made = await run("new", "acme/one", "--profiles", folder);
    expect(made.code).toBe(0);
    const file = join(folder, "acme", "one.yaml");
    const lint = await run("lint", file, "--profiles", folder);
    expect(lint.lines.at(-1)).toBe(`${file}: acme/one can be used`);
    expect(lint.lines.filter((line) => line.includes("only from memory")).length).toBeGreaterThan(
      8,
    );
    expect(lint.code).toBe(0);
  });

  it("new: a second time, a name of the package, a bad name: refused, nothing written", async () => {
    for (const id of ["acme/one", "kinco/fd5p", "Acme", "a/b/c"]) {
      expect((await run("new", id, "--profiles", folder)).code).toBe(1);
    }
  });

  it("list and show: profiles of one's own folder beside the package's", async () => {
    const list = await run("list", "--profiles", folder);
    expect(list.lines.some((line) => line.startsWith("acme/one"))).toBe(true);
    expect(list.lines.some((line) => line.startsWith("kinco/fd5p"))).toBe(true);
    const show = await run("show", "acme/one", "--profiles", folder);
    expect(show.lines[0]).toBe(`${folder}/acme/one.yaml`);
  });

  it("lint without files: the warnings of every profile, each once, and how many", async () => {
    const lint = await run("lint", "--profiles", folder);
    expect(lint.code).toBe(0);
    const warnings = lint.lines.filter((line) => line.includes(": warning: "));
    expect(warnings.some((line) => line.startsWith(`${folder}/acme/one.yaml`))).toBe(true);
    expect(warnings.some((line) => line.startsWith("drivers/profiles/"))).toBe(true);
    expect(new Set(warnings).size).toBe(warnings.length);
    const told = `${profileIds([folder]).length} profiles, 0 errors, ${warnings.length} warnings`;
    expect(lint.lines.at(-1)).toBe(told);
  });

  it("page without ids: pages of one's own profiles too", async () => {
    const dir = mkdtempSync(join(tmpdir(), "sc-pages-"));
    expect((await run("page", "--dir", dir, "--profiles", folder)).code).toBe(0);
    expect(readdirSync(dir)).toContain("acme-one.md");
  });

  it("lint: a mistake has file, line, value and suggestion, and the exit code says so", async () => {
    const file = join(folder, "acme", "one.yaml");
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replace("point: enableWord", "point: enableWrod"));
    const lint = await run("lint", file, "--profiles", folder);
    expect(lint.code).toBe(1);
    expect(lint.lines.join("\n")).toMatch(/one\.yaml:\d+:\d+: error: .*enableWrod/);
    writeFileSync(file, text);
  });
});
