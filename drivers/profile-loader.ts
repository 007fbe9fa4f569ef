/**
 * Profiles by id, from the folder `drivers/profiles` of the package and from a user's own.
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
import { extendsMax, mergeSources } from "./profile-merge.js";
import { suggestion } from "./yaml-schema.js";
import type { YamlOpened } from "./yaml-source.js";
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

/** Folders of the user's own profiles, laid out like the package's: maker/model.yaml. */
export type ProfileFolders = readonly string[];

interface Place {
  readonly id: string;
  readonly path: string;
  /** As it is named to people. */
  readonly file: string;
}

function placesIn(folder: string, shown: string): readonly Place[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((maker) => maker.isDirectory())
    .flatMap((maker) =>
      readdirSync(join(folder, maker.name))
        .filter((file) => file.endsWith(".yaml"))
        .map((file) => ({
          id: `${maker.name}/${file.slice(0, -".yaml".length)}`,
          path: join(folder, maker.name, file),
          file: `${shown}/${maker.name}/${file}`,
        })),
    );
}

/** The package's own first; a user's folder follows under its own path. */
function places(folders: ProfileFolders): readonly Place[] {
  const own = placesIn(join(packageRoot(), "drivers", "profiles"), "drivers/profiles");
  return [...own, ...folders.flatMap((folder) => placesIn(folder, folder))];
}

/** All ids, sorted; those of the user's folders among them. */
export function profileIds(folders: ProfileFolders = []): readonly string[] {
  return [...new Set(places(folders).map((place) => place.id))].sort();
}

/** Where a profile stands, as it is named to people; undefined: there is none. */
export function profileFile(id: string, folders: ProfileFolders = []): string | undefined {
  return places(folders).find((place) => place.id === id)?.file;
}

/** A cell has many devices of few models; each file is read once. */
const loaded = new Map<string, Checked<Profile>>();

/** Reads, checks and lints one profile, once per process. Unknown ids come back as a problem. */
export function loadProfile(id: string, folders: ProfileFolders = []): Checked<Profile> {
  const key = [id, ...folders].join("\n");
  const before = loaded.get(key);
  if (before !== undefined) return before;
  const checked = readProfile(id, folders);
  if (checked.ok) loaded.set(key, checked);
  return checked;
}

function refuse(
  file: string,
  message: string,
  more: Partial<Problem>,
): { readonly ok: false } & {
  readonly problems: readonly Problem[];
} {
  const where = { file, line: 1, column: 1, path: "", message };
  return { ok: false, problems: [{ ...where, severity: "error", ...more }] };
}

function readProfile(id: string, folders: ProfileFolders): Checked<Profile> {
  const found = places(folders).filter((place) => place.id === id);
  const [place, twice] = found;
  if (place === undefined) {
    const hint = suggestion(id, profileIds(folders));
    const more = hint === undefined ? {} : { suggestion: hint };
    return refuse("drivers/profiles", "there is no profile of this name", { value: id, ...more });
  }
  if (twice !== undefined) {
    const message = `there is a profile of this name in ${place.file} too`;
    return refuse(twice.file, message, { path: "id", suggestion: "give yours a name of its own" });
  }
  const checked = parseProfile(readFileSync(place.path, "utf8"), place.file, folders);
  if (!checked.ok || checked.value.id === id) return checked;
  const message = `the id must be the file's place, ${id}`;
  return refuse(place.file, message, { path: "id", value: checked.value.id });
}

/** Schema and lint over a text, merged over what it extends. `file` is used for messages only. */
export function parseProfile(
  text: string,
  file: string,
  folders: ProfileFolders = [],
): Checked<Profile> {
  const opened = openProfile(text, file, folders, []);
  if (!opened.ok) return opened;
  const checked = checkYaml(opened.source, profileSchema);
  if (!checked.ok) return checked;
  const found = lintProfile(checked.value, opened.source);
  if (found.some((problem) => problem.severity === "error")) return { ok: false, problems: found };
  return { ok: true, value: checked.value, warnings: found };
}

/** The text, and below it every base it rests on. */
function openProfile(
  text: string,
  file: string,
  folders: ProfileFolders,
  below: readonly string[],
): YamlOpened {
  const opened = openYaml(text, file);
  if (!opened.ok) return opened;
  const { source } = opened;
  const base = baseOf(source.value);
  if (base === undefined) return opened;
  const at = (message: string, hint?: string): YamlOpened => {
    const more = hint === undefined ? {} : { suggestion: hint };
    return { ok: false, problems: [source.problem(["extends"], message, more)] };
  };
  if (below.includes(base)) return at(`extends in a circle: ${[...below, base].join(", ")}`);
  if (below.length >= extendsMax)
    return at(`at most ${extendsMax} profiles may rest on each other`);
  const place = places(folders).find((one) => one.id === base);
  if (place === undefined) {
    return at(`there is no profile ${base}`, suggestion(base, profileIds(folders)));
  }
  const under = openProfile(readFileSync(place.path, "utf8"), place.file, folders, [
    ...below,
    base,
  ]);
  return under.ok ? { ok: true, source: mergeSources(under.source, source) } : under;
}

function baseOf(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null || !("extends" in value)) return undefined;
  return typeof value.extends === "string" ? value.extends : undefined;
}
