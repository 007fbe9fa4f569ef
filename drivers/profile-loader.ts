/**
 * Profiles by id, from the folder `drivers/profiles` of the package.
 *
 * The idea: the one file of this room that reads files, so that everything else stays pure. The
 * folder is found from here upwards, whether this runs from the source or from the build. It
 * refuses a profile whose id is not its place, and hands out nothing that the lint refuses.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Checked, Problem } from "./device-model.js";
import type { Profile } from "./profile.js";
import { profileSchema } from "./profile.js";
import { lintProfile } from "./profile-lint.js";
import { suggestion } from "./yaml-schema.js";
import { checkYaml, openYaml } from "./yaml-source.js";

/** Folders between this file and the package, at most. */
const levelsMax = 6;

function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (let level = 0; level < levelsMax; level++) {
    const file = join(folder, "package.json");
    if (existsSync(file)) {
      const read: unknown = JSON.parse(readFileSync(file, "utf8"));
      if (
        typeof read === "object" &&
        read !== null &&
        "name" in read &&
        read.name === "servocell"
      ) {
        return folder;
      }
    }
    folder = dirname(folder);
  }
  throw new Error("the package servocell is not above this file");
}

function profilesFolder(): string {
  return join(packageRoot(), "drivers", "profiles");
}

/** All ids, sorted. */
export function profileIds(): readonly string[] {
  const folder = profilesFolder();
  return readdirSync(folder, { withFileTypes: true })
    .filter((maker) => maker.isDirectory())
    .flatMap((maker) =>
      readdirSync(join(folder, maker.name))
        .filter((file) => file.endsWith(".yaml"))
        .map((file) => `${maker.name}/${file.slice(0, -".yaml".length)}`),
    )
    .sort();
}

/** A cell has many devices of few models; each file is read once. */
const loaded = new Map<string, Checked<Profile>>();

/** Reads, checks and lints one profile, once per process. Unknown ids come back as a problem. */
export function loadProfile(id: string): Checked<Profile> {
  const before = loaded.get(id);
  if (before !== undefined) return before;
  const checked = readProfile(id);
  if (checked.ok) loaded.set(id, checked);
  return checked;
}

function readProfile(id: string): Checked<Profile> {
  const known = profileIds();
  if (!known.includes(id)) {
    const hint = suggestion(id, known);
    const problem: Problem = {
      file: "drivers/profiles",
      line: 1,
      column: 1,
      path: "",
      message: "there is no profile of this name",
      value: id,
      ...(hint === undefined ? {} : { suggestion: hint }),
      severity: "error",
    };
    return { ok: false, problems: [problem] };
  }
  const file = `drivers/profiles/${id}.yaml`;
  const checked = parseProfile(readFileSync(join(packageRoot(), file), "utf8"), file);
  if (!checked.ok || checked.value.id === id) return checked;
  const opened = { file, line: 1, column: 1, path: "id", value: checked.value.id };
  const message = `the id must be the file's place, ${id}`;
  return { ok: false, problems: [{ ...opened, message, severity: "error" }] };
}

/** Schema and lint over a text. `file` is used for messages only. */
export function parseProfile(text: string, file: string): Checked<Profile> {
  const opened = openYaml(text, file);
  if (!opened.ok) return opened;
  const checked = checkYaml(opened.source, profileSchema);
  if (!checked.ok) return checked;
  const found = lintProfile(checked.value, opened.source);
  if (found.some((problem) => problem.severity === "error")) return { ok: false, problems: found };
  return { ok: true, value: checked.value, warnings: found };
}
