/**
 * The cell file: what is accepted, and every mistake at its line and column.
 * The idea: one good text, and edits of it. It refuses files: sagas come from a table.
 */
import { expect, test } from "vitest";
import type { Checked } from "#drivers/device-model.js";
import { loadProfile, profileIds } from "#drivers/profile-loader.js";
import type { CellConfig } from "#kernel/config/cell.js";
import { type CellOptions, parseCell } from "#kernel/config/cell-file.js";

const good = `servocell: 1
cell: { name: demo, prefix: plant/line }
simulation: true
buses:
  rail: { tcp: "127.0.0.1:15021", pollPort: 15121 }
devices:
  x:
    profile: kinco/fd5p
    bus: rail
    unit: 1
    axis: { kind: linear, countsPerRev: 65536, gear: "7:3", pitch: 5 mm, travel: [0 mm, 800 mm],
            velocityMax: 400 mm/s, accelerationMax: 2 m/s2, whenOff: stays }
  z:
    profile: kinco/fd5p
    bus: rail
    unit: 2
    lease: 2 s
    axis: { kind: linear, countsPerRev: 65536, pitch: 5 mm, travel: [0 mm, 100 mm],
            velocityMax: 200 mm/s, accelerationMax: 2000 mm/s2, whenOff: falls }
interlocks:
  - { name: z-up, moves: [x], require: z.position >= 50 mm, margin: 200 mm }
sagas: [go.yaml]
`;
const saga = `saga: go
steps:
  - { name: up, do: z.moveTo, with: { position: 90 mm, velocity: 100 mm/s }, makeSafe: still }
`;

function check(text: string, options: CellOptions = {}, sagas = saga): Checked<CellConfig> {
  const profiles = new Map<string, ReturnType<typeof loadProfile>>();
  const sources = {
    readText: (file: string) =>
      file === "/cells/go.yaml" ? { text: sagas } : { why: "there is no such file" },
    loadProfile: (id: string) => {
      const profile = profiles.get(id) ?? loadProfile(id);
      profiles.set(id, profile);
      return profile;
    },
    profileIds,
  };
  return parseCell(text, "/cells/cell.yaml", sources, { dataDir: "/data", ...options });
}

function problemsOf(text: string, options: CellOptions = {}): readonly string[] {
  const checked = check(text, options);
  if (checked.ok) return [];
  return checked.problems.map((p) => {
    const more = [p.value, p.suggestion].filter((part) => part !== undefined).join("; ");
    return `${p.file.split("/").at(-1)}:${p.line}:${p.column} ${p.message} [${more}]`;
  });
}

function cellOf(text: string, options: CellOptions = {}): CellConfig {
  const checked = check(text, options);
  if (!checked.ok) throw new Error(checked.problems.map((p) => p.message).join("\n"));
  return checked.value;
}

test("cell file: a good file gives plain numbers, defaults filled in, frozen through", () => {
  const cell = cellOf(good);
  expect(cell.devices[0]?.setup.axis).toMatchObject({
    gear: { motor: 7, output: 3 },
    perRev: 5,
    travel: { min: 0, max: 800 },
    accelerationMax: 2000,
  });
  expect(cell.devices.map((device) => device.leaseMs)).toEqual([1000, 2000]);
  expect(cell).toMatchObject({
    cell: "demo",
    broker: { kind: "embedded", host: "127.0.0.1", port: 18830 },
    gateway: { host: "127.0.0.1", port: 8080 },
    beatMs: 100,
    simulation: true,
    dataDir: "/data",
  });
  expect(cell.devices[0]).toMatchObject({ pollFastMs: 20, pollIdleMs: 200, pollSlowMs: 1000 });
  expect(cell.interlocks[0]).toMatchObject({ evaluator: "z", margin: 200, moves: ["x"] });
  expect(cell.sagas[0]).toMatchObject({ name: "go", uses: ["z"], file: "/cells/go.yaml" });
  expect(cell.runDir.length).toBeLessThan(60);
  expect(Object.isFrozen(cell.devices[0]?.setup.axis?.travel)).toBe(true);
});

test("cell file: six different mistakes are six problems, each at its line and column", () => {
  const bad = good
    .replace(
      "profile: kinco/fd5p\n    bus: rail\n    unit: 1",
      "profile: kinco/fd5\n    bus: rail\n    unit: 1",
    )
    .replace("travel: [0 mm, 800 mm]", "travel: [0 mm, 800 s]")
    .replace(", whenOff: falls", "")
    .replace("bus: rail\n    unit: 2\n    lease: 2 s", "bus: rial\n    unit: 2\n    lease: 200 ms")
    .replace("moves: [x]", "moves: [x], colour: red");
  expect(problemsOf(bad)).toEqual([
    "cell.yaml:8:14 there is no profile kinco/fd5 [kinco/fd5; did you mean kinco/fd5p?]",
    'cell.yaml:11:89 "800 s" is not in mm [800 s; write a value in mm]',
    "cell.yaml:15:10 there is no bus rial [rial; did you mean rail?]",
    "cell.yaml:17:12 lease must be at least 750 ms [200 ms]",
    expect.stringMatching(/^cell.yaml:18:5 whenOff is missing.*stays, falls or coasts/),
    "cell.yaml:21:31 this key is not known here [colour]",
  ]);
});

test.each<[string, string, string, string]>([
  ["two devices at one address", "unit: 2", "unit: 1", "x has unit 1 on bus rail already"],
  ["a bare number", "velocityMax: 400 mm/s", "velocityMax: 400", "without a unit"],
  ["a gear of fractions", '"7:3"', '"7.5:3"', "two whole numbers"],
  ["a wrong reading", "z.position >=", "z.positoin >=", "did you mean position"],
  ["a margin that the run-on exceeds", "margin: 200 mm", "margin: 100 mm", "run on 192 mm"],
  [
    "an interlock on what is polled slowly",
    "z.position >= 50 mm, margin",
    "z.faultCode == 0, margin",
    "z.faultCode is not read with every poll",
  ],
  [
    "a condition over two devices",
    "z.position >= 50 mm, margin",
    "z.position >= 50 mm and x.homed == true, margin",
    "a condition reads one device",
  ],
  ["a lease above its range", "lease: 2 s", "lease: 6 s", "at most 5000 ms"],
  ["a saga that is not there", "[go.yaml]", "[goo.yaml]", "cannot be read"],
  ["an interlock of nobody", "moves: [x]", "moves: [w]", "there is no device w"],
  ["a travel of nothing", "[0 mm, 100 mm]", "[100 mm, 100 mm]", "above the lower one"],
  ["no travel", ", travel: [0 mm, 100 mm]", "", "travel is missing"],
  ["no counts", "countsPerRev: 65536, pitch", "pitch", "countsPerRev is missing"],
  ["a broker elsewhere", "simulation: true", "broker: mqtt://10.0.0.1", "not this PC"],
  ["a broker that is none", "simulation: true", "broker: redis://x", "a broker is embedded"],
  ["ports that meet", "pollPort: 15121", "pollPort: 8080", "already"],
  ["a simulated bus elsewhere", "127.0.0.1:15021", "10.0.0.9:502", "served on this PC"],
  ["an unknown key", "simulation:", "simulatoin:", "not known"],
  ["a cell name with a slash", "name: demo", "name: a/b", "Invalid string"],
])("cell file: refused: %s", (_, from, to, words) => {
  const found = problemsOf(good.replace(from, to));
  expect(found.length).toBeGreaterThan(0);
  expect(found.join("\n")).toContain(words);
});

test("cell file: a cell without devices is refused, at its key", () => {
  const empty = "servocell: 1\ncell: { name: a, prefix: b }\nbuses: {}\ndevices: {}\n";
  expect(problemsOf(empty)).toEqual([
    expect.stringContaining("cell.yaml:4:1 a cell without devices"),
  ]);
});

test("cell file: a broker elsewhere is accepted in so many words", () => {
  const line = "broker: mqtt://10.0.0.1:1883\ncontrolOverPlantNetwork: accepted";
  expect(cellOf(good.replace("simulation: true", line)).broker).toEqual({
    kind: "external",
    url: "mqtt://10.0.0.1:1883",
  });
});

test("cell file: simulated moves endpoints that are elsewhere to this PC", () => {
  const real = good.replace("simulation: true\n", "").replace("127.0.0.1:15021", "10.0.0.9:502");
  const cell = cellOf(real, { simulated: true });
  expect(cell.buses[0]).toMatchObject({ link: { host: "127.0.0.1", port: 15020 } });
  expect(cell.simulation).toBe(true);
  expect(cellOf(real).simulation).toBe(false);
});

test("cell file: the hash follows the content and not the folders", () => {
  const one = cellOf(good);
  expect(cellOf(good, { dataDir: "/elsewhere" }).hash).toBe(one.hash);
  expect(cellOf(good.replace("unit: 2", "unit: 3")).hash).not.toBe(one.hash);
  expect(check(good, {}, saga.replace("90 mm", "80 mm"))).not.toMatchObject({
    value: { hash: one.hash },
  });
});

// The number traps themselves are proved where YAML is read; here: that a cell file is behind it.
test.each<[string, string, string, string]>([
  ["unit with a leading zero", "unit: 2", "unit: 02", "leading zeros"],
  ["unit as text", "unit: 2", 'unit: "2"', "without quotes"],
  ["truth as on", "simulation: true", "simulation: on", "write true"],
  ["a key twice", "simulation: true", "simulation: true\nsimulation: false", "stands twice"],
  ["digits with an underscore", "65536, pitch", "65_536, pitch", "without quotes or underscores"],
  ["a fraction where counts belong", "65536, pitch", "1.5, pitch", "whole number"],
  ["a gear as a sexagesimal", 'gear: "7:3"', "gear: 7", "two whole numbers"],
  ["a port as a fraction", "pollPort: 15121", "pollPort: 1.5e1", "15"],
])("CF-01: %s", (_, from, to, words) => {
  const found = problemsOf(good.replace(from, to)).join("\n");
  if (to.includes("1.5e1")) {
    // 1.5e1 is 15 in YAML 1.2, a whole number and a port: accepted as what it says.
    expect(cellOf(good.replace(from, to)).buses[0]?.pollPort).toBe(15);
  } else expect(found).toContain(words);
});

test("CF-01: hexadecimal is read as what it says, and a gear is never minutes", () => {
  expect(cellOf(good.replace("unit: 2", "unit: 0x0a")).devices[1]?.setup.unit).toBe(10);
  expect(cellOf(good.replace('"7:3"', "7:3")).devices[0]?.setup.axis?.gear).toEqual({
    motor: 7,
    output: 3,
  });
});

test("CF-03: one broken device among two refuses the start with its reason, not in silence", () => {
  const bad = good.replace(
    "profile: kinco/fd5p\n    bus: rail\n    unit: 2",
    "profile: kinco/none\n    bus: rail\n    unit: 2\n    poll: { fast: 0 ms }",
  );
  const found = problemsOf(bad);
  expect(found).toEqual([
    expect.stringContaining("cell.yaml:14:14 there is no profile kinco/none"),
    expect.stringContaining("fast must be at least 5 ms"),
  ]);
});
