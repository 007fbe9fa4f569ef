/**
 * `servocell profile`: what profiles there are, what one says, whether one is right, a new one.
 *
 * The idea: the same loader and lint as at run time, with the folder of one's own profiles beside
 * the package's. It refuses to overwrite a profile that somebody has written.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type Command, Option } from "commander";
import type { Problem } from "#drivers/device-model.js";
import type { Profile } from "#drivers/profile.js";
import { loadProfile, parseProfile, profileFile, profileIds } from "#drivers/profile-loader.js";
import { formatProblem } from "#drivers/yaml-source.js";
import { ServocellError } from "#kernel/errors.js";
import { editorSchemas, schemaNames } from "./editor-schemas.js";
import { profilePage } from "./profile-page.js";
import { profileTemplate } from "./profile-template.js";

type Say = (line: string) => void;
type Ends = <A extends unknown[]>(
  command: (...args: A) => Promise<number> | number,
) => (...args: A) => Promise<void>;
interface FolderFlag {
  readonly profiles: string;
}

const idPattern = /^[a-z0-9-]+\/[a-z0-9-]+$/;

export function addProfileCommands(program: Command, say: Say, ends: Ends): void {
  const profile = program
    .command("profile")
    .description("profiles of device models: list, show, lint, new");
  const own = () =>
    new Option("--profiles <dir>", "the folder of your own profiles").default("profiles");
  profile
    .command("list")
    .description("all profiles, yours included")
    .addOption(own())
    .action(ends(({ profiles }: FolderFlag) => list([resolve(profiles)], say)));
  profile
    .command("show <id>")
    .description("what a profile says, bases merged")
    .addOption(own())
    .action(ends((id: string, { profiles }: FolderFlag) => show(id, [resolve(profiles)], say)));
  profile
    .command("lint [files...]")
    .description("check profiles; without files, all of them")
    .addOption(own())
    .action(
      ends((files: readonly string[], { profiles }: FolderFlag) => {
        return files.length === 0
          ? lintAll([resolve(profiles)], say)
          : lint(files, resolve(profiles), say);
      }),
    );
  profile
    .command("new <id>")
    .description("begin a profile, maker/model, in your folder")
    .addOption(own())
    .action(ends((id: string, { profiles }: FolderFlag) => begin(id, profiles, say)));
  addGenerators(profile, say, ends, own);
}

function addGenerators(profile: Command, say: Say, ends: Ends, own: () => Option): void {
  profile
    .command("page [ids...]")
    .description("write the page of each profile")
    .option("--dir <dir>", "where the pages go", "docs/profiles")
    .addOption(own())
    .action(
      ends((ids: readonly string[], { dir, profiles }: FolderFlag & { dir: string }) => {
        return pages(ids, dir, [resolve(profiles)], say);
      }),
    );
  profile
    .command("schema")
    .description("write the JSON Schemas for editors")
    .option("--dir <dir>", "where they go", "docs/schemas")
    .action(ends(({ dir }: { dir: string }) => schemas(dir, say)));
}

/** @throws ServocellError with all problems, when it does not load. */
function loaded(id: string, folders: readonly string[]): Profile {
  const checked = loadProfile(id, folders);
  if (checked.ok) return checked.value;
  const text = checked.problems.map(formatProblem).join("\n");
  throw new ServocellError("VALIDATION_FAILED", `${id} cannot be used:\n${text}`);
}

function list(folders: readonly string[], say: Say): number {
  for (const id of profileIds(folders)) {
    const checked = loadProfile(id, folders);
    if (!checked.ok) {
      say(`${id.padEnd(28)} has problems; see servocell profile lint`);
      continue;
    }
    const { kind, title, unsupported, watchdog } = checked.value;
    const note = unsupported === undefined ? `watchdog ${watchdog.kind}` : "cannot be driven";
    say(`${id.padEnd(28)} ${kind.padEnd(9)} ${title} (${note})`);
  }
  return 0;
}

function show(id: string, folders: readonly string[], say: Say): number {
  const profile = loaded(id, folders);
  say(`${profileFile(id, folders)}`);
  for (const line of profilePage(profile).trimEnd().split("\n")) say(line);
  return 0;
}

function tell(problems: readonly Problem[], say: Say): number {
  for (const problem of problems) say(formatProblem(problem));
  return problems.filter(isError).length;
}

const isError = ({ severity }: Problem) => severity === "error";

/** 1 when a file has errors; warnings alone are told and pass. */
function lint(files: readonly string[], folder: string, say: Say): number {
  let errors = 0;
  for (const file of files) {
    // Bases may stand beside it: the folder above the maker's.
    const folders = [...new Set([folder, resolve(dirname(file), "..")])];
    const checked = parseProfile(textOf(file), file, folders);
    errors += tell(checked.ok ? checked.warnings : checked.problems, say);
    if (checked.ok) say(`${file}: ${checked.value.id} can be used`);
  }
  return errors === 0 ? 0 : 1;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    throw new ServocellError("NOT_FOUND", `${file} cannot be read.`);
  }
}

/** What stands in a base is found with each profile that rests on it, and told once. */
function lintAll(folders: readonly string[], say: Say): number {
  const ids = profileIds(folders);
  const found = new Map<string, Problem>();
  for (const id of ids) {
    const checked = loadProfile(id, folders);
    for (const problem of checked.ok ? checked.warnings : checked.problems) {
      found.set(formatProblem(problem), problem);
    }
  }
  const problems = [...found.values()];
  const errors = tell(problems, say);
  say(`${ids.length} profiles, ${errors} errors, ${problems.length - errors} warnings`);
  return errors === 0 ? 0 : 1;
}

function begin(id: string, folder: string, say: Say): number {
  if (!idPattern.test(id)) {
    throw new ServocellError("VALIDATION_FAILED", "An id is maker/model in small letters.");
  }
  if (profileFile(id, [resolve(folder)]) !== undefined) {
    throw new ServocellError("STATE_CONFLICT", `There is a profile ${id} already.`);
  }
  const file = join(folder, `${id}.yaml`);
  if (existsSync(file)) throw new ServocellError("STATE_CONFLICT", `${file} exists already.`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, profileTemplate(id));
  say(`${file}: replace what is marked REPLACE, then: servocell profile lint ${file}`);
  return 0;
}

/** The name of a page: maker-model.md. */
export function pageFile(id: string): string {
  return `${id.replace("/", "-")}.md`;
}

/** One that is broken costs the others nothing. */
function pages(ids: readonly string[], dir: string, folders: readonly string[], say: Say): number {
  mkdirSync(dir, { recursive: true });
  const wanted = ids.length > 0 ? ids : profileIds(folders);
  let errors = 0;
  for (const id of wanted) {
    const checked = loadProfile(id, folders);
    if (checked.ok) writeFileSync(join(dir, pageFile(id)), profilePage(checked.value));
    else errors += tell(checked.problems, say);
  }
  say(`${wanted.length} profiles, pages in ${dir}, ${errors} errors`);
  return errors === 0 ? 0 : 1;
}

function schemas(dir: string, say: Say): number {
  mkdirSync(dir, { recursive: true });
  const all = editorSchemas();
  for (const name of schemaNames) {
    writeFileSync(join(dir, `${name}.schema.json`), `${JSON.stringify(all[name], null, 2)}\n`);
  }
  say(`${schemaNames.length} schemas in ${dir}`);
  return 0;
}
