/**
 * The buses of a cell file: what a line needs, whose timing counts, and what is refused.
 * The idea: one good line with three drives, and edits of it. It refuses ports: links come from
 * a table.
 */
import { expect, test } from "vitest";
import type { Checked } from "#drivers/device-model.js";
import type { Profile } from "#drivers/profile.js";
import { loadProfile, profileIds } from "#drivers/profile-loader.js";
import type { CellConfig } from "#kernel/config/cell.js";
import { type CellOptions, parseCell } from "#kernel/config/cell-file.js";

const axis = `{ kind: linear, countsPerRev: 65536, pitch: 5 mm, travel: [0 mm, 800 mm],
            velocityMax: 400 mm/s, accelerationMax: 2 m/s2, whenOff: stays }`;
const good = `servocell: 1
cell: { name: demo, prefix: plant/line }
buses:
  rail: { serial: /dev/serial/by-id/usb-rail, baud: 38400, format: 8N1 }
devices:
  x: { profile: kinco/fd5p, bus: rail, unit: 1, poll: { fast: 200 ms }, axis: ${axis} }
  z: { profile: kinco/fd5p, bus: rail, unit: 2, poll: { fast: 200 ms }, axis: ${axis} }
`;

type Edit = (profile: Profile) => Profile;

function check(text: string, options: CellOptions = {}, edit: Edit = (p) => p) {
  const links: { readonly [path: string]: string } = { "/dev/serial/by-id/usb-rail": "/dev/tty7" };
  const sources = {
    readText: () => ({ why: "there is no such file" }),
    loadProfile: (id: string): Checked<Profile> => {
      const loaded = loadProfile(id);
      return loaded.ok ? { ...loaded, value: edit(loaded.value) } : loaded;
    },
    profileIds,
    realPath: (path: string) => links[path],
  };
  return parseCell(text, "/cells/cell.yaml", sources, { dataDir: "/data", ...options });
}

function wordsOf(checked: Checked<CellConfig>): readonly string[] {
  const found = checked.ok ? checked.warnings : checked.problems;
  return found.map((p) => {
    const more = [p.value, p.suggestion].filter((part) => part !== undefined).join("; ");
    return `${p.severity} ${p.line}:${p.column} ${p.message} [${more}]`;
  });
}

function cellOf(checked: Checked<CellConfig>): CellConfig {
  if (!checked.ok) throw new Error(wordsOf(checked).join("\n"));
  return checked.value;
}

function withTiming(timing: Partial<Profile["transport"]["timing"]>): Edit {
  return (profile) => {
    const { transport } = profile;
    return { ...profile, transport: { ...transport, timing: { ...transport.timing, ...timing } } };
  };
}

test("buses: a line takes its character format of the norm where the file gives none", () => {
  const cell = cellOf(check(good.replace(", format: 8N1", ", echo: true")));
  expect(cell.buses[0]?.link).toEqual({
    kind: "serial",
    path: "/dev/serial/by-id/usb-rail",
    baud: 38400,
    format: "8E1",
    echo: true,
  });
});

test.each(["8N1", "8N2", "8E1", "8O1", '"8E1"'])(
  "CF-01: the format %s is never a number of YAML, with quotes or without",
  (format) => {
    const cell = cellOf(check(good.replace("format: 8N1", `format: ${format}`)));
    expect(cell.buses[0]?.link).toMatchObject({ format: format.replaceAll('"', "") });
  },
);

test("buses: RTU frames over TCP are a line at an endpoint", () => {
  const text = good.replace(/rail: \{.*\}/, 'rail: { tcp: "10.0.0.7:4001", framing: rtu }');
  expect(cellOf(check(text)).buses[0]).toMatchObject({
    link: { kind: "rtuOverTcp", host: "10.0.0.7", port: 4001 },
    units: [
      { unit: 1, firstByteMs: 50 },
      { unit: 2, firstByteMs: 50 },
    ],
  });
});

test("buses: what a profile asks of the line is the unit's timing, the longest silence of all", () => {
  const timing = {
    silenceBeforeMs: 2,
    silenceAfterMs: 4,
    byBaud: { "38400": { silenceMs: 6 }, "9600": { silenceMs: 9 } },
    afterWriteMs: 11,
    firstByteMs: 30,
    replyMs: 7,
  };
  const cell = cellOf(check(good, {}, withTiming(timing)));
  const unit = { silenceMs: 6, afterWriteMs: 11, firstByteMs: 30, turnaroundMs: 7 };
  expect(cell.buses[0]?.units).toMatchObject([
    { unit: 1, ...unit, broadcast: false },
    { unit: 2, ...unit, broadcast: false },
  ]);
});

test("buses: a profile that says nothing gets the limit of the norm for its first byte", () => {
  const [first] = cellOf(check(good, {}, (p) => p)).buses[0]?.units ?? [];
  expect(first).toMatchObject({ unit: 1, silenceMs: 0, afterWriteMs: 0, firstByteMs: 50 });
});

test("buses: a line of a simulated cell is where the simulator makes it, at the same hash", () => {
  const real = cellOf(check(good));
  const one = cellOf(check(good, { simulated: true, runDir: "/run/a" }));
  const two = cellOf(check(good, { simulated: true, runDir: "/run/b" }));
  expect(one.buses[0]?.link).toMatchObject({ path: "/run/a/line-rail.tty", baud: 38400 });
  expect(two.buses[0]?.link).toMatchObject({ path: "/run/b/line-rail.tty" });
  expect(one.hash).toBe(two.hash);
  expect(one.hash).not.toBe(real.hash);
});

const line = "serial: /dev/serial/by-id/usb-rail, baud: 38400, format: 8N1";

test.each<[string, string, string, string]>([
  ["two kinds at once", line, `${line}, tcp: "10.0.0.1:502"`, "either tcp"],
  ["neither kind", line, "pollPort: 1500", "either tcp"],
  ["a relative path", "/dev/serial/by-id/usb-rail", "./usb-rail", "an absolute path"],
  ["no speed", ", baud: 38400", "", "baud is missing"],
  ["a speed of nobody", "baud: 38400", "baud: 38401", "did you mean 38400?"],
  ["a speed in words", "baud: 38400", 'baud: "38400"', "must be a number"],
  ["a format of nobody", "format: 8N1", "format: 7E1", "7E1; did you mean 8E1?"],
  ["framing of a line", line, `${line}, framing: rtu`, "framing is for tcp"],
  ["a speed of an endpoint", line, 'tcp: "10.0.0.1:502", baud: 9600', "has no baud"],
  ["an endpoint of a line", line, 'tcp: "/dev/ttyUSB0"', "an endpoint is host:port"],
  ["an echo in words", "format: 8N1", "echo: maybe", "must be true or false"],
  ["unit 0 of a line (BC-03)", "unit: 1,", "unit: 0,", "unit 0 is everybody on a line"],
  ["unit 248 of a line", "unit: 1,", "unit: 248,", "1 to 247"],
  ['CF-02: unit "2" as a text', "unit: 2,", 'unit: "2",', "must be a number"],
  ["CF-02: unit 2.5", "unit: 2,", "unit: 2.5,", "must be a whole number"],
])("buses: refused: %s", (_, from, to, words) => {
  const checked = check(good.replace(from, to));
  expect(checked.ok).toBe(false);
  expect(wordsOf(checked).join("\n")).toContain(words);
});

test.each([0, 1, 247, 255])("BC-03: over TCP unit %i is an ordinary unit", (unit) => {
  const tcp = good.replace(line, 'tcp: "10.0.0.1:502"').replace("unit: 1,", `unit: ${unit},`);
  const cell = cellOf(check(tcp));
  expect(cell.devices[0]?.setup.unit).toBe(unit);
  expect(cell.buses[0]?.units.map((one) => one.unit)).toContain(unit);
});

test("BC-03: over TCP unit 250 is nobody's", () => {
  const tcp = good.replace(line, 'tcp: "10.0.0.1:502"').replace("unit: 1,", "unit: 250,");
  expect(wordsOf(check(tcp)).join()).toContain("0 to 247, or 255");
});

test("BC-03: unit 0 behind a bridge of RTU frames is everybody, and refused", () => {
  const rtu = good
    .replace(line, 'tcp: "10.0.0.1:502", framing: rtu')
    .replace("unit: 1,", "unit: 0,");
  expect(wordsOf(check(rtu)).join()).toContain("unit 0 is everybody on a line");
});

test.each(["/dev/tty7", "/dev/serial/by-id/usb-rail"])(
  "ST-03: a second bus on the same port as %s is refused, whatever it is called",
  (path) => {
    const second = `  rail: { ${line} }\n  more: { serial: ${path}, baud: 38400 }`;
    const words = wordsOf(check(good.replace(`  rail: { ${line} }`, second))).join("\n");
    expect(words).toMatch(/error 5:19 bus rail owns this port already/);
  },
);

test("ST-03: a second line elsewhere is accepted, with a warning while nobody is on it", () => {
  const second = `  rail: { ${line} }\n  more: { serial: /dev/tty8, baud: 38400 }`;
  const checked = check(good.replace(`  rail: { ${line} }`, second));
  expect(checked.ok).toBe(true);
  expect(wordsOf(checked)).toEqual([
    expect.stringMatching(/^warning 5:3 no device is on this bus/),
  ]);
});

test("buses: a drive that leaves its factory at another speed is a warning at the drive", () => {
  const checked = check(good.replace("baud: 38400, format: 8N1", "baud: 115200"));
  expect(checked.ok).toBe(true);
  expect(wordsOf(checked)[0]).toMatch(/warning 6:.*x leaves.*at 38400 8N1; .* 115200 8E1/);
  expect(wordsOf(checked)).toHaveLength(2);
});

const refresh = { operation: "velocity", everyMs: 100, evidence: { confidence: "A" } } as const;

test.each([
  [{ deadlineMs: 1000, baudMin: 57_600 }, "from 57600 baud on"],
  [{ deadlineMs: 120 }, "again within 120 ms"],
] as const)("buses: a refresh duty that the line cannot keep is refused: %j", (duty, words) => {
  const edit: Edit = (profile) => ({ ...profile, refresh: [{ ...refresh, ...duty }] });
  const checked = check(good, {}, edit);
  expect(checked.ok).toBe(false);
  expect(wordsOf(checked).join()).toContain(words);
});

test("buses: a refresh duty that the line keeps is accepted", () => {
  const edit: Edit = (profile) => ({ ...profile, refresh: [{ ...refresh, deadlineMs: 1000 }] });
  expect(check(good, {}, edit).ok).toBe(true);
});

test("ST-07: a wait that ends before a unit has answered is refused, with what it needs", () => {
  const text = good.replace("format: 8N1", "format: 8N1, replyTimeout: 150 ms");
  expect(check(text).ok).toBe(true);
  const words = wordsOf(check(text, {}, withTiming({ firstByteMs: 100 }))).join();
  expect(words).toMatch(/error 4:.*replyTimeout ends before a reply of unit 1.*at least 160 ms/);
});

test("ST-07: a wait longer than the driver's own leaves no room for a retry and is refused", () => {
  const text = good.replace("format: 8N1", "format: 8N1, replyTimeout: 15 s");
  expect(wordsOf(check(text)).join()).toContain("replyTimeout must be at most 900 ms");
});
