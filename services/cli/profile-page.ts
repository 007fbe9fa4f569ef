/**
 * One profile as a page for people: what the device can do, how it stops, what guards it.
 *
 * The idea: made from the profile as the driver sees it, bases merged, so the page and the motion
 * cannot differ; a test proves that the pages in docs/profiles are of today. It refuses opinions:
 * every line is a key of the profile.
 */
import type { Profile } from "#drivers/profile.js";
import type { Confidence, Evidence } from "#drivers/profile-facts.js";

type Row = readonly string[];

/** Text that would end a table's cell. */
function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ").trim();
}

function table(head: Row, rows: readonly Row[]): readonly string[] {
  if (rows.length === 0) return [];
  const line = (row: Row) => `| ${row.map(cell).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line), ""];
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0
    ? []
    : [`## ${title}`, "", ...lines, ...(lines.at(-1) === "" ? [] : [""])];
}

const yes = (value: boolean | undefined) => (value === true ? "yes" : "no");

/** The page of a profile, Markdown. */
export function profilePage(profile: Profile): string {
  const { unsupported } = profile;
  const base = profile.extends === undefined ? [] : [`Rests on \`${profile.extends}\`.`];
  const lines = [
    `# ${profile.title}`,
    "",
    `Profile \`${profile.id}\`, a ${profile.kind}. Generated from it; do not edit.`,
    ...base,
    "",
    ...(unsupported === undefined ? [] : [`**Cannot be driven:** ${unsupported.reason}`, ""]),
    ...section("Device", deviceLines(profile)),
    ...section("Operations", operationLines(profile)),
    ...section("Stops", stopLines(profile)),
    ...section("Hold-to-run", holdLines(profile)),
    ...section("Watchdog and duties", watchdogLines(profile)),
    ...section("Before it moves", commissioningLines(profile)),
    ...section("Points", pointLines(profile)),
    ...section("Alarms", alarmLines(profile)),
    ...section(
      "Not there, and why",
      Object.entries(profile.missing).map(([k, v]) => `- ${k}: ${v}`),
    ),
    ...section(
      "Peculiarities",
      profile.quirks.map((one) => `- ${one.what} (${one.reason}; ${one.source})`),
    ),
    ...section("Evidence", evidenceLines(profile)),
  ];
  return `${lines.join("\n").trimEnd()}\n`;
}

function deviceLines({ identity, transport, axes }: Profile): readonly string[] {
  const { serial, limits, order, timing } = transport;
  const probe = Array.isArray(identity.probe)
    ? identity.probe.map((one) => one.text).join("; ")
    : `none: ${identity.probe.none}`;
  const line =
    serial === undefined
      ? "not given"
      : `${serial.baud ?? "?"} baud ${serial.format ?? "?"}, unit ${serial.unit ?? "?"}`;
  const times = Object.entries(timing)
    .filter(([, value]) => typeof value === "number")
    .map(([name, value]) => `${name} ${value}`);
  return table(
    ["what", "is"],
    [
      ["maker, models", `${identity.vendor}: ${identity.models.join(", ")}`],
      ["variants", identity.variants.map((one) => one.name).join(", ") || "none"],
      ["recognised by", probe],
      ["axes", String(axes)],
      ["functions", transport.functionCodes.join(", ")],
      ["addresses", transport.addressRule],
      ["order of bytes", order.default],
      ["registers in a frame", `read ${limits.readRegisters}, write ${limits.writeRegisters}`],
      ["factory line", line],
      ["timing", times.join(", ") || "nothing beyond the norm"],
      ["broadcast", yes(transport.broadcast)],
    ],
  );
}

function operationLines({ operations }: Profile): readonly string[] {
  const rows = Object.entries(operations).flatMap(([verb, operation]): Row[] => {
    if (operation === undefined) return [];
    const { args, repeat, sideEffects, timeoutMs, evidence } = operation;
    const names = Object.keys(args).join(", ") || "–";
    const effects = sideEffects.join("; ") || "–";
    return [[verb, operation.text, names, repeat, effects, `${timeoutMs} ms`, evidence.confidence]];
  });
  return table(["verb", "does", "arguments", "repeat", "side effects", "bound", "known"], rows);
}

function stopLines({ stops }: Profile): readonly string[] {
  const rows = Object.entries(stops).flatMap(([name, stop]): Row[] => {
    if (stop === undefined) return [];
    const first =
      stop.blind.length > 0
        ? stop.blind
            .flatMap((one) => Object.entries(one.write))
            .map(([point, value]) => `${point} ${value}`)
            .join(", ")
        : `reads ${(stop.readFirst ?? []).join(", ")} first`;
    return [
      [name, stop.text, first, yes(stop.keepsTorque), stop.remainder, stop.evidence.confidence],
    ];
  });
  const lines = table(["class", "does", "first frame", "torque", "rest of path", "known"], rows);
  return lines.length > 0 ? lines : ["This device has no stop."];
}

/** Only where the profile has an opinion of its own on it. */
function holdLines({ retarget }: Profile): readonly string[] {
  if (retarget === undefined) return [];
  const { text, evidence } = retarget;
  const note = evidence.note === undefined ? "" : `; ${evidence.note}`;
  return [`- on a leash: ${text} (known ${evidence.confidence}${note})`];
}

function watchdogLines({ watchdog, refresh, authority }: Profile): readonly string[] {
  const { kind, note, timeoutMs, timeoutPoint, reactionPoint, fedBy, reactions } = watchdog;
  const time =
    timeoutPoint !== undefined
      ? `, time in \`${timeoutPoint}\``
      : timeoutMs === undefined
        ? ""
        : `, ${timeoutMs} ms`;
  const reaction =
    reactionPoint !== undefined
      ? `, reaction in \`${reactionPoint}\``
      : reactions === undefined
        ? ""
        : `, reactions ${reactions.join(", ")}`;
  return [
    `- drive watchdog: ${kind}${time}${reaction}; fed by ${fedBy}. ${note}`,
    ...refresh.map(
      (one) =>
        `- ${one.operation} counts ${one.deadlineMs} ms and is repeated each ${one.everyMs} ms`,
    ),
    `- control: ${authority}`,
  ];
}

function commissioningLines({ commissioning }: Profile): readonly string[] {
  const rows = commissioning.parameters.map((one): Row => {
    const { expect, point } = one;
    const wanted = expect === undefined ? "–" : [expect].flat().join(" or ");
    const checked = point !== undefined && expect !== undefined ? "read before motion" : one.access;
    return [one.text, point ?? "–", wanted, checked, one.memory, one.evidence.confidence];
  });
  return table(["parameter", "point", "must be", "how", "memory", "known"], rows);
}

function hex(address: number): string {
  return `0x${address.toString(16).toUpperCase().padStart(4, "0")}`;
}

function pointLines({ points }: Profile): readonly string[] {
  const rows = Object.entries(points).map(([name, point]): Row => {
    const { read, write } = point;
    return [
      name,
      point.text,
      read === undefined ? "–" : `fc ${read.fc} ${hex(read.address)}`,
      write === undefined ? "–" : `fc ${write.fc} ${hex(write.address)}`,
      point.type,
      point.quantity === "none" ? "raw" : `${point.quantity} × ${point.scale ?? 1}`,
      point.evidence.confidence,
    ];
  });
  return table(["point", "is", "read", "write", "type", "unit", "known"], rows);
}

function alarmLines({ alarms }: Profile): readonly string[] {
  const rows = Object.entries(alarms).map(([code, one]): Row => {
    return [
      code,
      one.title,
      one.severity,
      one.reset,
      yes(one.positionLost),
      one.evidence.confidence,
    ];
  });
  return table(["code", "title", "severity", "reset", "position lost", "known"], rows);
}

const meanings: { readonly [C in Confidence]: string } = {
  A: "text of the maker",
  B: "two independent implementations",
  C: "one implementation",
  X: "contradicted by another source",
  M: "from memory, unverified",
};

function evidenceIn(value: unknown): readonly Evidence[] {
  if (typeof value !== "object" || value === null) return [];
  if ("confidence" in value) return [value as Evidence];
  return Object.values(value).flatMap(evidenceIn);
}

function evidenceLines(profile: Profile): readonly string[] {
  const { documents, goldenFrames, testedOn } = profile.evidence;
  const all = evidenceIn(profile);
  const counts = (Object.keys(meanings) as Confidence[])
    .map((one) => [one, all.filter(({ confidence }) => confidence === one).length] as const)
    .filter(([, count]) => count > 0)
    .map(([one, count]): Row => [one, meanings[one], String(count)]);
  const tested = testedOn.map((one) => `${one.model} ${one.firmware} (${one.date})`).join(", ");
  return [
    ...table(["confidence", "means", "values"], counts),
    ...Object.entries(documents).map(([name, one]) => `- \`${name}\`: ${one.title}, ${one.where}`),
    ...goldenFrames.map((one) => `- frame \`${one.frame}\`: ${one.meaning} (${one.by})`),
    `- tested on: ${tested === "" ? "no hardware yet" : tested}`,
  ];
}
