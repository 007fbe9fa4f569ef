/**
 * `servocell scan`: what is on a serial port or a TCP endpoint, and a cell file for it.
 *
 * The idea: line settings are tried in the order in which the profiles' makers ship them, until
 * somebody answers; each unit is named by the profile that its registers prove. Progress goes to
 * standard error, the result to standard output, so that it can be kept. It refuses to write to
 * anything and a wire that a running cell has, and never speaks to unit 0.
 */
import { resolve } from "node:path";
import { type IdentityProbe, identityProbe } from "#drivers/identity-probe.js";
import type { Profile } from "#drivers/profile.js";
import { loadProfile, type ProfileFolders, profileIds } from "#drivers/profile-loader.js";
import { linkText } from "#kernel/config/bus-link.js";
import type { BusLink, SerialFormat } from "#kernel/config/cell.js";
import { ServocellError } from "#kernel/errors.js";
import { refuseWhereRunning } from "./running-cells.js";
import { type FoundUnit, scanWire } from "./scan.js";
import { isSerial, linkOf, openWire, serialFormats } from "./wire-target.js";

export interface ScanFlags {
  readonly baud?: string;
  readonly format?: string;
  readonly units: string;
  /** The folder of one's own profiles. */
  readonly profiles: string;
  readonly timeout: string;
  readonly thorough: boolean;
  readonly all: boolean;
}

export interface ScanVoice {
  say(line: string): void;
  /** Overwrites the line of progress; empty: removes it. */
  progress(line: string): void;
  ended(): boolean;
}

const usualSettings: readonly (readonly [number, SerialFormat])[] = [
  [19_200, "8E1"],
  [115_200, "8N1"],
  [9_600, "8N1"],
  [38_400, "8N2"],
];
/** Other profiles named beside the best one. */
const alsoMax = 8;
/** The whole reply, once its first byte has come. */
const replyMs = 300;

export async function scan(where: string, flags: ScanFlags, voice: ScanVoice): Promise<number> {
  const units = unitsOf(flags.units);
  const profiles = allProfiles([resolve(flags.profiles)], voice);
  const probes = profiles.flatMap((profile) => identityProbe(profile) ?? []);
  const links = linksOf(where, flags, profiles);
  const results: { readonly link: BusLink; readonly found: readonly FoundUnit[] }[] = [];
  for (const link of links) {
    if (voice.ended()) break;
    const found = await scanLink(where, link, { flags, units, probes }, voice);
    if (found.length > 0) results.push({ link, found });
    // A line has one setting; what answers at another one as well is noise.
    if (found.length > 0 && !flags.all) break;
  }
  voice.progress("");
  if (results.length === 0) {
    voice.say(`Nobody answered on ${where}. Tried: ${links.map(linkText).join("; ")}.`);
    voice.say("Check wiring (A/B), termination, power and the units' addresses; --units 1-247.");
    return 1;
  }
  for (const { link, found } of results) report(link, found, profiles, voice);
  return 0;
}

/** One's own among them; a broken one keeps nobody from finding the others. */
function allProfiles(folders: ProfileFolders, voice: ScanVoice): readonly Profile[] {
  return profileIds(folders).flatMap((id) => {
    const loaded = loadProfile(id, folders);
    if (loaded.ok) return [loaded.value];
    voice.say(`# ${id} has problems and is not looked for; see servocell profile lint`);
    return [];
  });
}

async function scanLink(
  where: string,
  link: BusLink,
  what: {
    readonly flags: ScanFlags;
    readonly units: readonly number[];
    readonly probes: readonly IdentityProbe[];
  },
  voice: ScanVoice,
): Promise<readonly FoundUnit[]> {
  const { flags, units, probes } = what;
  // Questions to units that are not there would hold up a stop at the device or its bridge.
  await refuseWhereRunning({ name: where, link });
  const wire = await openWire(link);
  let seen = 0;
  let found = 0;
  try {
    return await scanWire(wire, {
      units,
      probes,
      firstByteMs: milliseconds(flags.timeout),
      timeoutMs: milliseconds(flags.timeout) + replyMs,
      thorough: flags.thorough,
      ended: () => voice.ended(),
      onUnit: (unit, one) => {
        seen += 1;
        if (one !== undefined) found += 1;
        voice.progress(
          `${linkText(link)}: unit ${unit} (${seen} of ${units.length}), ${found} found`,
        );
      },
    });
  } finally {
    await wire.close();
  }
}

function linksOf(
  where: string,
  flags: ScanFlags,
  profiles: readonly Profile[],
): readonly BusLink[] {
  const one = (baud: number, format: SerialFormat) => linkOf(where, { baud, format, echo: false });
  if (!isSerial(where)) return [one(0, "8N1")];
  const bauds = flags.baud?.split(",").map(Number);
  const formats = flags.format?.split(",").map(formatOf);
  if (bauds?.some((baud) => !Number.isInteger(baud) || baud < 300)) {
    throw new ServocellError("VALIDATION_FAILED", `--baud ${flags.baud} is no list of rates.`);
  }
  const factory = profiles.flatMap(factorySettings);
  const pairs = [...usualSettings, ...factory].filter(
    ([baud, format]) =>
      (bauds === undefined || bauds.includes(baud)) &&
      (formats === undefined || formats.includes(format)),
  );
  const wished =
    bauds === undefined ? [] : bauds.flatMap((b) => (formats ?? ["8E1", "8N1"]).map((f) => [b, f]));
  const all = [...pairs, ...wished] as readonly (readonly [number, SerialFormat])[];
  const unique = new Map(all.map((pair) => [pair.join(" "), pair]));
  return [...unique.values()].map(([baud, format]) => one(baud, format));
}

function factorySettings({ transport }: Profile): readonly (readonly [number, SerialFormat])[] {
  const { baud, format } = transport.serial ?? {};
  return baud === undefined || format === undefined ? [] : [[baud, format]];
}

function formatOf(text: string): SerialFormat {
  const format = serialFormats.find((one) => one === text);
  if (format !== undefined) return format;
  const known = serialFormats.join(", ");
  throw new ServocellError("VALIDATION_FAILED", `--format ${text} is none of ${known}.`);
}

/** `1-32`, `1,5,9-12`. @throws VALIDATION_FAILED outside 1–247. */
export function unitsOf(text: string): readonly number[] {
  const units = text.split(",").flatMap((part) => {
    const [from = Number.NaN, to = from] = part.split("-").map(Number);
    const good = Number.isInteger(from) && Number.isInteger(to) && from >= 1 && to <= 247;
    if (!good || from > to) {
      const why = "units are 1 to 247, such as 1-32 or 1,5,9-12; unit 0 is never asked";
      throw new ServocellError("VALIDATION_FAILED", `--units ${text}: ${why}.`);
    }
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
  return [...new Set(units)];
}

function milliseconds(text: string): number {
  const ms = Number(text);
  if (Number.isFinite(ms) && ms >= 5 && ms <= 5000) return ms;
  throw new ServocellError("VALIDATION_FAILED", `--timeout ${text} is not 5 to 5000 ms.`);
}

function report(
  link: BusLink,
  found: readonly FoundUnit[],
  profiles: readonly Profile[],
  voice: ScanVoice,
): void {
  voice.say(`# ${linkText(link)}: ${found.length} ${found.length === 1 ? "unit" : "units"}`);
  for (const { unit, fits } of found) {
    const [best, ...others] = fits;
    if (best === undefined) {
      voice.say(`# unit ${unit}: answers; no profile fits`);
      continue;
    }
    // Models of one family often answer alike: then a person reads the name plate.
    const alike = others.filter(({ fit }) => fit === best.fit).map(({ profile }) => profile);
    const names = [best.profile, ...alike.slice(0, alsoMax)].join(" or ");
    const rest = others.filter(({ fit }) => fit !== best.fit).map(({ profile }) => profile);
    const more = rest.length === 0 ? "" : `; hardly: ${rest.slice(0, alsoMax).join(", ")}`;
    voice.say(`# unit ${unit}: ${names} (${best.fit}: ${best.text})${more}`);
  }
  for (const line of fragment(link, found, profiles)) voice.say(line);
}

/** What goes into a cell file; what only the person knows is left to fill in. */
function fragment(
  link: BusLink,
  found: readonly FoundUnit[],
  profiles: readonly Profile[],
): readonly string[] {
  const named = found.flatMap(({ unit, fits }) => {
    const [best] = fits;
    return best === undefined ? [] : [{ unit, profile: best.profile }];
  });
  const bus = link.kind === "serial" ? "line" : "net";
  return [
    "buses:",
    `  ${bus}: ${busText(link)}`,
    "devices:",
    ...named.map(({ unit, profile }) => {
      const kind = profiles.find(({ id }) => id === profile)?.kind;
      const moves = kind === "servo" || kind === "inverter";
      const axis = moves ? ", axis: { … }" : "";
      return `  ${deviceName(profile, unit)}: { profile: ${profile}, bus: ${bus}, unit: ${unit}${axis} }`;
    }),
  ];
}

function busText(link: BusLink): string {
  switch (link.kind) {
    case "serial":
      return `{ serial: ${link.path}, baud: ${link.baud}, format: ${link.format} }`;
    case "rtuOverTcp":
      return `{ tcp: "${link.host}:${link.port}", framing: rtu }`;
    case "tcp":
      return `{ tcp: "${link.host}:${link.port}" }`;
    default:
      return link satisfies never;
  }
}

function deviceName(profile: string, unit: number): string {
  return `${profile.replaceAll(/[^a-z0-9]+/g, "-")}-${unit}`;
}
