/**
 * What polls cost on a bus, what is refused for it, and how long a stop may take there.
 * The idea: figures worked out by hand from bytes, bauds and silences, beside the plan's own. It
 * refuses ports.
 */
import { expect, test } from "vitest";
import { compileDevice } from "#drivers/compile.js";
import type { Profile } from "#drivers/profile.js";
import { loadProfile, profileIds } from "#drivers/profile-loader.js";
import { planReads, pollGroup } from "#drivers/read-plan.js";
import { frameMs, silenceMs } from "#drivers/wire-time.js";
import type { CellConfig } from "#kernel/config/cell.js";
import { parseCell } from "#kernel/config/cell-file.js";
import { planBus, stopWindowMs } from "#kernel/config/wire-plan.js";
import * as lanes from "../../../services/bus/lane-state.js";

const axis = `{ kind: linear, countsPerRev: 65536, pitch: 5 mm, travel: [0 mm, 800 mm],
            velocityMax: 400 mm/s, accelerationMax: 2 m/s2, whenOff: stays }`;
type Edit = (profile: Profile) => Profile;

function check(bus: string, axes: number, fast: string, edit: Edit = (p) => p) {
  const devices = Array.from({ length: axes }, (_, i) => {
    const poll = fast === "" ? "" : ` poll: { fast: ${fast}, idle: 500 ms },`;
    return `  a${i + 1}: { profile: kinco/fd5p, bus: rail, unit: ${i + 1},${poll} axis: ${axis} }`;
  });
  const text = `servocell: 1\ncell: { name: demo, prefix: plant/line }
buses:\n  rail: { ${bus} }\ndevices:\n${devices.join("\n")}\n`;
  const sources = {
    readText: () => ({ why: "there is no such file" }),
    loadProfile: (id: string) => {
      const loaded = loadProfile(id);
      return loaded.ok ? { ...loaded, value: edit(loaded.value) } : loaded;
    },
    profileIds,
  };
  return parseCell(text, "/cells/cell.yaml", sources, { dataDir: "/data" });
}

function cellOf(checked: ReturnType<typeof check>): CellConfig {
  if (!checked.ok) throw new Error(checked.problems.map((p) => p.message).join("\n"));
  return checked.value;
}

function problems(checked: ReturnType<typeof check>): readonly string[] {
  const found = checked.ok ? checked.warnings : checked.problems;
  const plans = found.filter(({ message }) => message.startsWith("the polls take"));
  return plans.map((p) => `${p.severity} ${p.path} ${p.message} [${p.suggestion ?? ""}]`);
}

function planOf(cell: CellConfig) {
  const [bus] = cell.buses;
  if (bus === undefined) throw new Error("no bus");
  return planBus(bus, cell.devices);
}

function limits(more: Partial<Profile["transport"]["limits"]>): Edit {
  return (profile) => {
    const { transport } = profile;
    return { ...profile, transport: { ...transport, limits: { ...transport.limits, ...more } } };
  };
}

const line = (baud: number, format = "8E1") =>
  `serial: /dev/tty7, baud: ${baud}, format: ${format}`;

test.each([
  [9600, 11, 4.0104],
  [19_200, 11, 2.0052],
  [38_400, 10, 1.75],
  [115_200, 11, 1.75],
])("wire: t3.5 at %i baud of %i bits is %f ms", (baud, bitsPerChar, ms) => {
  expect(silenceMs({ baud, bitsPerChar })).toBeCloseTo(ms, 3);
});

test("wire plan: a request costs both frames, the turnaround and the silence (19200 8E1)", () => {
  const plan = planOf(cellOf(check(line(19_200), 1, "500 ms")));
  const [first] = plan.requests;
  const bytes = 8 + 5 + 2 * (first?.request.count ?? 0);
  expect(first?.costMs).toBeCloseTo((bytes * 11) / 19.2 + 5 + 2.0052, 3);
  const fast = plan.requests.filter(({ group }) => group === "fast");
  expect(plan.cycleMs).toBeCloseTo(
    fast.reduce((sum, { costMs }) => sum + costMs, 0),
    6,
  );
});

test.each([1, 2, 8])("ST-07: polls that do not fit on a line are refused (axes=%i)", (axes) => {
  const checked = check(line(9600), axes, "20 ms");
  expect(checked.ok).toBe(false);
  const [first] = problems(checked);
  expect(first).toMatch(/error devices\.a\d\.poll\.fast the polls take \d+ % of bus rail at 9600/);
  expect(first).toMatch(/a\d: statusword.*every 20 ms, \d+\.\d ms each costs most/);
  const advice = /poll: \{ fast: (\d+) ms \} at every device of rail, or a higher baud/.exec(
    first ?? "",
  );
  const followed = check(line(9600), axes, `${Math.min(500, Number(advice?.[1]))} ms`);
  expect(followed.ok || Number(advice?.[1]) > 500).toBe(true);
});

test("ST-07: where the file gives no poll period, the plan is refused at the device", () => {
  expect(problems(check(line(9600), 1, ""))[0]).toMatch(/^error devices\.a1 the polls take/);
});

test("ST-07: a plan with little room left is accepted and warned about", () => {
  const { cycleMs } = planOf(cellOf(check(line(19_200), 4, "500 ms")));
  const checked = check(line(19_200), 4, `${Math.ceil(cycleMs / 0.9)} ms`);
  expect(checked.ok).toBe(true);
  expect(problems(checked)).toHaveLength(1);
});

test("ST-07: behind a bridge the speed is a likely one, so the plan is warned about", () => {
  const checked = check('tcp: "10.0.0.1:4001", framing: rtu', 8, "20 ms");
  expect(checked.ok).toBe(true);
  expect(problems(checked).join()).toMatch(/warning .*baud, if its line runs so/);
});

test("wire plan: over TCP units share an endpoint, and one unit is asked one thing at a time", () => {
  const one = planOf(cellOf(check('tcp: "10.0.0.1:502"', 1, "20 ms")));
  const four = planOf(cellOf(check('tcp: "10.0.0.1:502"', 4, "20 ms")));
  expect(four.use).toBeCloseTo(one.use, 6);
  expect(problems(check('tcp: "10.0.0.1:502"', 1, "5 ms")).join()).toMatch(/error.*polls take/);
});

test("stop bound: a line waits for the longest frame, the silence, the order, and each axis' stop", () => {
  const one = planOf(cellOf(check(line(19_200), 1, "500 ms"))).stop.boundMs;
  const eight = planOf(cellOf(check(line(19_200), 8, "500 ms"))).stop.boundMs;
  const each = (eight - one - stopWindowMs) / 7;
  expect(one).toBeCloseTo(60 + 2.0052 + each, 3);
  // At least a frame of 8 bytes, its acknowledgement and the first-byte limit of 50 ms.
  expect(each).toBeGreaterThanOrEqual((16 * 11) / 19.2 + 50);
});

test("stop bound: the order's window is the one that the lanes keep", () => {
  expect(stopWindowMs).toBe(lanes.stopWindowMs);
});

test("stop bound: over TCP it does not grow with the axes, since stops go side by side", () => {
  const bound = (axes: number) =>
    planOf(cellOf(check('tcp: "10.0.0.1:502"', axes, "20 ms"))).stop.boundMs;
  expect(bound(8)).toBe(bound(1));
});

function profileOf(edit: Edit): Profile {
  const loaded = loadProfile("abb/drives-profile");
  if (!loaded.ok) throw new Error("abb/drives-profile does not load");
  return edit(loaded.value);
}

/** Two words apart by `gap`, made out of the profile's own first two points that are read. */
function apart(gap: number, more: Partial<Profile["transport"]["limits"]>) {
  const profile = profileOf(limits({ hole: 100, readRegisters: 125, neverMerge: [], ...more }));
  const [point] = Object.values(profile.points).filter((one) => one.read !== undefined);
  if (point === undefined) throw new Error("nothing is read");
  const at = (address: number) => ({
    ...point,
    type: "u16" as const,
    read: { fc: 3 as const, address },
  });
  return { ...profile, points: { a: at(0), b: at(1 + gap) } };
}

test.each([
  // 13 bytes of another request are 13.54 ms at 9600 8N1, two silences 7.29, the turnaround 5.
  { gap: 12, baud: 9600, requests: 1 },
  { gap: 13, baud: 9600, requests: 2 },
  // At 115200 the silences and the turnaround weigh more: 1.13 + 3.5 + 5 ms against 0.174 a word.
  { gap: 55, baud: 115_200, requests: 1 },
  { gap: 56, baud: 115_200, requests: 2 },
])("BR-01: a hole of $gap words at $baud baud is $requests requests", ({ gap, baud, requests }) => {
  const profile = apart(gap, {});
  const timed = {
    ...profile,
    transport: { ...profile.transport, timing: { replyMs: 5 } },
  };
  expect(planReads(timed, ["a", "b"], { baud, bitsPerChar: 10 })).toHaveLength(requests);
  expect(planReads(timed, ["a", "b"])).toHaveLength(1);
});

test("BR-01: cost never bridges what the profile forbids", () => {
  const wire = { baud: 115_200, bitsPerChar: 10 };
  expect(planReads(apart(5, { hole: 4 }), ["a", "b"], wire)).toHaveLength(2);
  expect(planReads(apart(5, { neverMerge: ["b"] }), ["a", "b"], wire)).toHaveLength(2);
  expect(planReads(apart(5, { readRegisters: 6 }), ["a", "b"], wire)).toHaveLength(2);
});

test.each([1200, 2400, 4800, 9600])(
  "reads are split so that no frame exceeds 60 ms (%i)",
  (baud) => {
    const profile = profileOf(limits({ hole: 0, readRegisters: 125, neverMerge: [] }));
    const [point] = Object.values(profile.points).filter((one) => one.read !== undefined);
    if (point === undefined) throw new Error("nothing is read");
    const names = Array.from({ length: 60 }, (_, i) => `p${i}`);
    const points = Object.fromEntries(
      names.map((name, i) => [
        name,
        { ...point, type: "u16" as const, read: { fc: 3 as const, address: i } },
      ]),
    );
    const wire = { baud, bitsPerChar: 11 };
    const requests = planReads({ ...profile, points }, names, wire);
    expect(requests.flatMap((one) => one.points)).toEqual(names);
    // One register cannot be split: at 1200 baud it takes longer by itself.
    for (const { count } of requests) {
      if (count > 1) expect(frameMs(wire, 5 + 2 * count)).toBeLessThanOrEqual(60);
    }
    expect(requests.length).toBeGreaterThan(1);
  },
);

test("the driver plans as the check does: the line stands in the device's setup", () => {
  const cell = cellOf(check(line(38_400, "8N1"), 2, "200 ms"));
  for (const { setup, profile } of cell.devices) {
    expect(setup.wire).toEqual({ baud: 38_400, bitsPerChar: 10 });
    const planned = planReads(profile, pollGroup(profile, "fast"), setup.wire);
    expect(compileDevice(profile, setup).pollFast).toEqual(planned);
  }
});
