/**
 * The format's own abilities, each by a profile made for it: bases, coils, function 23, word edits.
 *
 * The idea: one small profile on disk is changed by text or by a second file over it, and what
 * comes out is compared in bytes that are written here by hand [MODBUS 6]. It refuses our
 * simulators.
 */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { compileDevice } from "#drivers/compile.js";
import type { DeviceSetup, OperationInput, PointTable } from "#drivers/device-model.js";
import { readWriteMultiple, writeCoils } from "#drivers/pdu.js";
import type { Profile } from "#drivers/profile.js";
import { loadProfile, parseProfile } from "#drivers/profile-loader.js";
import { formatProblem } from "#drivers/yaml-source.js";
import { writeOutcome } from "../../../services/driver/device-io.js";
import { axis, hex } from "./operation-walk.js";

const own = "test/fixtures/made-up-drive/profiles";
const page = readFileSync(join(own, "velmar", "mx2.yaml"), "utf8");

function folderWith(files: { readonly [id: string]: string }): string {
  const folder = mkdtempSync(join(tmpdir(), "sc-format-"));
  for (const [id, text] of Object.entries(files)) {
    mkdirSync(join(folder, id.split("/")[0] ?? ""), { recursive: true });
    writeFileSync(join(folder, `${id}.yaml`), text);
  }
  return folder;
}

function over(id: string, base: string, more = ""): string {
  return `servocellProfile: 1\nid: ${id}\nextends: ${base}\n${more}`;
}

function messages(id: string, files: { readonly [id: string]: string }): string {
  const loaded = loadProfile(id, [folderWith(files)]);
  return loaded.ok ? "" : loaded.problems.map(formatProblem).join("\n");
}

function good(text: string, folders: readonly string[] = [own]): Profile {
  const parsed = parseProfile(text, "p.yaml", folders);
  if (!parsed.ok) throw new TypeError(parsed.problems.map(formatProblem).join("\n"));
  return parsed.value;
}

function bad(from: string | RegExp, to: string): string {
  const edited = page.replace(from, to);
  expect(edited).not.toBe(page);
  const parsed = parseProfile(edited, "p.yaml");
  return parsed.ok ? "" : parsed.problems.map(formatProblem).join("\n");
}

const setup: DeviceSetup = { device: "x", unit: 1, axis, constants: {} };

function table(values: { readonly [point: string]: number }): PointTable {
  const entries = Object.entries(values);
  return new Map(entries.map(([name, value]) => [name, { ok: true, value, atMs: 0 }]));
}

describe("extends: one file over another", () => {
  it("maps merge, lists and scalars replace, null takes a key away", () => {
    const profile = good(
      over(
        "velmar/mx3",
        "velmar/mx2",
        "title: MX-3\nwatchdog: { accept: [2] }\n" +
          "alarms: { '11': { title: Too much current }, '23': null }\n",
      ),
    );
    expect(profile.title).toBe("MX-3");
    expect(profile.alarms["11"]).toMatchObject({ title: "Too much current", severity: "fault" });
    expect(Object.keys(profile.alarms)).toEqual(["11", "71"]);
    expect(profile.watchdog.accept).toEqual([2]);
    expect(profile.points).toEqual(good(page).points);
  });

  it("a problem is told with the file in which it stands: the child's, or the base's", () => {
    const base = page.replace("id: velmar/mx2", "id: acme/base").replace("axes: 1", "axes: 99");
    const child = over("acme/child", "acme/base", "watchdog: { kind: sometimes }\n");
    const said = messages("acme/child", { "acme/base": base, "acme/child": child });
    expect(said).toMatch(/acme\/base\.yaml:\d+:\d+: error: axes/);
    expect(said).toMatch(/acme\/child\.yaml:4:\d+: error: watchdog\.kind.*"sometimes"/);
  });

  it("an unknown base, a circle, a chain of six, a name of the package: refused", () => {
    expect(messages("a/b", { "a/b": over("a/b", "kinco/fd5") })).toMatch(/kinco\/fd5p\?/);
    const circle = { "a/b": over("a/b", "a/c"), "a/c": over("a/c", "a/b") };
    expect(messages("a/b", circle)).toMatch(/in a circle/);
    const chain = Object.fromEntries(
      [1, 2, 3, 4, 5, 6].map((n) => [`a/m${n}`, over(`a/m${n}`, `a/m${n + 1}`)]),
    );
    expect(messages("a/m1", chain)).toMatch(/at most 4/);
    expect(messages("kinco/fd5p", { "kinco/fd5p": page })).toMatch(/name of its own/);
  });

  it("keys of the child keep the order; what it adds is linted with the rest", () => {
    expect(() =>
      good(over("velmar/mx3", "velmar/mx2", "watchdog: { off: 0 }\ntitle: MX-3\n")),
    ).toThrow(/out of its place/);
    expect(() =>
      good(over("velmar/mx3", "velmar/mx2", "points: { jog: { type: u31 } }\n")),
    ).toThrow(/u31/);
  });
});

describe("coils and discrete inputs", () => {
  const coils = over(
    "velmar/mx4",
    "velmar/mx2",
    `transport: { functionCodes: [1, 2, 3, 5, 6, 15, 16], limits: { readBits: 32 } }
points:
  ready: ${bool("read: { fc: 2, address: 4 }", "fast")}
  lamp: ${bool("read: { fc: 1, address: 9 }, write: { fc: 5, address: 9 }", "full")}
  horn: ${bool("read: { fc: 1, address: 11 }, write: { fc: 15, address: 11 }", "full")}
blocks:
  signals:
    fc: 15
    address: 9
    registers: 10
    fields: [lamp, horn]
    atomic: true
    evidence: { by: page, confidence: A }
operations:
  hold:
    text: Signals
    args: {}
    requires: []
    repeat: always
    sideEffects: []
    timeoutMs: 2000
    result: []
    evidence: { by: page, confidence: A }
    steps:
      - write: { lamp: 1 }
      - write: { horn: 1 }
      - write: { lamp: 1, horn: 1 }
        block: signals
missing: { hold: null }
`,
  );

  it("are written with functions 5 and 15, alone and as a block", () => {
    const model = compileDevice(good(coils), setup);
    const begun = model.begin({ verb: "hold", args: {}, nowMs: 0, points: table({}) });
    if (!begun.ok) throw new TypeError("refused");
    const frames: string[] = [];
    let state = begun.state;
    let step = model.next(state, { kind: "tick", nowMs: 0 });
    for (let i = 0; i < 5 && step !== undefined; i++) {
      const write = step.effects.find((effect) => effect.kind === "write");
      if (write?.kind !== "write") break;
      frames.push(hex(write.pdu));
      state = step.state;
      step = model.next(state, { kind: "wrote", nowMs: i, outcome: "acked" });
    }
    expect(frames).toEqual(["050009ff00", "0f000b00010101", "0f0009000a020500"]);
  });

  it("are read in one request each, and their bits decoded by place [MODBUS 6.1]", () => {
    const model = compileDevice(good(coils), setup);
    const read = model.pollFull.find(({ fc, points }) => fc === 1 && points.includes("horn"));
    if (read === undefined) throw new TypeError("not planned");
    const at = (name: string) => (name === "lamp" ? 9 : 11) - read.address;
    const bits = (1 << at("lamp")) | (0 << at("horn"));
    const got = model.decode(read, Uint8Array.of(1, Math.ceil(read.count / 8), bits));
    expect(got).toBeInstanceOf(Map);
    if (typeof got !== "string" && read.points.includes("lamp")) expect(got.get("lamp")).toBe(1);
    if (typeof got !== "string") expect(got.get("horn")).toBe(0);
  });

  it("a register in a block of coils is refused", () => {
    const wrong = coils.replace("fields: [lamp, horn]", "fields: [lamp, stop]");
    expect(() => good(wrong)).toThrow(/function 15 does not carry u16/);
  });

  it("frames of up to 1968 coils are packed low bit first; more are refused", () => {
    const ten = [true, false, true, true, false, false, true, true, true, false];
    // The example of MODBUS 6.11: coils 20 to 29, CD 01.
    expect(hex(writeCoils(0x13, ten))).toBe("0f0013000a02cd01");
    expect(() =>
      writeCoils(
        0,
        Array.from({ length: 1969 }, () => true),
      ),
    ).toThrow(/1968/);
  });
});

function bool(access: string, poll: string): string {
  const evidence = "evidence: { by: page, confidence: A }";
  return `{ text: A bit, ${access}, type: bool, quantity: none, poll: ${poll}, ${evidence} }`;
}

describe("function 23 as one exchange", () => {
  it("the example of the norm, byte by byte [MODBUS 6.17]", () => {
    const pdu = readWriteMultiple({ address: 3, count: 6 }, 0x0e, [0xff, 0xff, 0xff]);
    expect(hex(pdu)).toBe("1700030006000e00030600ff00ff00ff");
    expect(() => readWriteMultiple({ address: 0, count: 1 }, 0, Array(122).fill(0))).toThrow(/121/);
  });

  it("the answer of its read acknowledges the write; another length does not", () => {
    const pdu = readWriteMultiple({ address: 0, count: 1 }, 0, [7]);
    const reply = (bytes: Uint8Array) =>
      writeOutcome(pdu, { kind: "reply", pdu: bytes, sentAtMs: 0 });
    expect(reply(Uint8Array.of(23, 2, 0, 1))).toEqual({ kind: "acked" });
    expect(reply(Uint8Array.of(23, 4, 0, 1, 0, 2))).toEqual({ kind: "unknown" });
    expect(reply(Uint8Array.of(0x97, 2))).toEqual({ kind: "exception", exception: 2 });
  });

  it("a block without its read, or a read with function 16: refused", () => {
    expect(bad("fc: 16\n    address: 10", "fc: 23\n    address: 10")).toMatch(/with function 23/);
    expect(bad("atomic: true", "read: { address: 0, count: 1 }\n    atomic: true")).toMatch(
      /with function 23/,
    );
  });
});

describe("duties of the device, linted", () => {
  it.each([
    ["an expectation without a point", "      point: source\n", "", /needs the point/],
    ["a time without its unit", "  unitMs: 10\n", "", /unitMs/],
    ["a reaction without what is accepted", "  accept: [1, 2]\n", "", /stand together/],
    [
      "a watchdog point that nobody has",
      "timeoutPoint: watchdogTime",
      "timeoutPoint: dog",
      /no point dog/,
    ],
    [
      "a refresh of an operation that is not there",
      "operation: velocity",
      "operation: spin",
      /no operation spin/,
    ],
    ["a refresh slower than its deadline", "everyMs: 100", "everyMs: 300", /before its deadline/],
    [
      "a simulation without its point",
      "  target: target\n  speed",
      "  target: traget\n  speed",
      /no point traget/,
    ],
    [
      "a simulation by a flag",
      "start: { when: { point: start, equals: [1] } }",
      "start: { when: { flag: taken } }",
      /not by flags/,
    ],
  ])("%s", (_, from, to, pattern) => {
    expect(bad(from, to)).toMatch(pattern);
  });

  it("clear, set and toggle change a captured word, and nothing else", () => {
    expect(
      bad(
        "- write: { jog: 0 }\n      - write: { start: 0 }",
        "- write: { jog: { arg: x, set: 4 } }",
      ),
    ).toMatch(/captured word/);
  });
});

describe("a device that cannot be driven", () => {
  it("has no verb, and whatever is asked is refused with the reason", () => {
    const why =
      "unsupported: { reason: it speaks another protocol, evidence: { by: page, confidence: A } }";
    const model = compileDevice(
      good(page.replace("\nevidence:\n", `\n${why}\nevidence:\n`)),
      setup,
    );
    expect([...model.verbs]).toEqual([]);
    const begun = model.begin({ verb: "enable", args: {}, nowMs: 0, points: table({}) });
    expect(begun.ok ? undefined : begun.verdict).toMatchObject({
      verdict: "refused",
      text: expect.stringContaining("it speaks another protocol"),
    });
  });
});

describe("what may be sent twice", () => {
  const toggling = page.replace(
    "      - write: { jog: 0 }\n      - write: { start: 0 }\n      - write: { stop: 0 }",
    "      - capture: { word: stop }\n      - write: { stop: { capture: word, clear: 0x8, toggle: 0x3 } }\n        once: true",
  );

  it.each([
    [toggling, "unknown", "DEVICE_UNREACHABLE", ["06001e0002"]],
    [page, "unknown", undefined, ["06000f0000", "06000f0000"]],
  ] as const)("a write whose reply is lost: once, or again", (text, outcome, code, frames) => {
    const model = compileDevice(good(text), setup);
    const begun = model.begin({ verb: "enable", args: {}, nowMs: 0, points: table({}) });
    if (!begun.ok) throw new TypeError("refused");
    let state = begun.state;
    const sent: string[] = [];
    let ended: string | undefined;
    let input: OperationInput = { kind: "tick", nowMs: 0 };
    for (let ms = 1; ms < 8 && sent.length < 3 && ended === undefined; ms++) {
      const step = model.next(state, input);
      if (step === undefined) throw new TypeError("refused the input");
      state = step.state;
      for (const effect of step.effects) {
        if (effect.kind === "end" && effect.verdict.verdict !== "done") ended = effect.verdict.code;
        if (effect.kind === "read") {
          const values = new Map([
            ["stop", 0x9],
            ["status", 0],
          ]);
          input = { kind: "read", nowMs: ms, sentAtMs: ms, values };
        }
        if (effect.kind !== "write") continue;
        sent.push(hex(effect.pdu));
        input = { kind: "wrote", nowMs: ms, outcome };
      }
      if (sent.length === frames.length && sent.length === 2) break;
    }
    expect([sent, ended]).toEqual([frames, code]);
  });

  it("a toggle without once, and a trigger in what is always repeated: refused by the lint", () => {
    const bare = toggling.replace("\n        once: true", "");
    expect(() => good(bare)).toThrow(/must not arrive twice/);
    expect(bad(/(text: Absolute move[\s\S]*?)repeat: never/, "$1repeat: always")).toMatch(
      /never repeated as a whole/,
    );
  });
});

describe("a known value shows the order of the words", () => {
  const checked = page.replace(
    "order: { default: ABCD, evidence",
    "order: { default: ABCD, check: { point: model, equals: 0x4D58 }, evidence",
  );
  it.each([
    [{ model: 0x4d58 }, true],
    [{ model: 0x584d }, false],
    [{}, false],
  ] as const)("%j: identity %s", (values, ok) => {
    const model = compileDevice(good(checked), setup);
    expect(model.identityMatches(table(values)).ok).toBe(ok);
  });
});

describe("an exception has the device's own meaning", () => {
  it("in the refusal's sentence", () => {
    const text = page.replace(
      "exceptions: { meanings: {}",
      'exceptions: { meanings: { "4": the drive is busy }',
    );
    const model = compileDevice(good(text), setup);
    const begun = model.begin({ verb: "enable", args: {}, nowMs: 0, points: table({}) });
    if (!begun.ok) throw new TypeError("refused");
    const first = model.next(begun.state, { kind: "tick", nowMs: 0 });
    if (first === undefined) throw new TypeError("no step");
    const wrote = { kind: "wrote", nowMs: 1, outcome: "exception", exception: 4 } as const;
    const end = model.next(first.state, wrote)?.effects.find((effect) => effect.kind === "end");
    expect(end?.kind === "end" ? end.verdict : undefined).toMatchObject({
      text: expect.stringContaining("exception 4 (the drive is busy)"),
    });
  });
});

describe("MO-19: the drive's watchdog, by what its registers say", () => {
  const model = (more: Partial<DeviceSetup> = {}, text = page) =>
    compileDevice(good(text), { ...setup, ...more });
  const judge = (values: { readonly [point: string]: number }) =>
    model().judgeWatchdog?.(table(values))?.state;

  it.each([
    [{}, "unknown"],
    [{ watchdogTime: 50 }, "unknown"],
    [{ watchdogTime: 0, watchdogReaction: 1 }, "off"],
    [{ watchdogTime: 50, watchdogReaction: 0 }, "wrong-reaction"],
    [{ watchdogTime: 50, watchdogReaction: 1 }, "verified"],
    [{ watchdogTime: 50, watchdogReaction: 2 }, "verified"],
  ] as const)("%j is %s", (values, state) => {
    expect(judge(values)).toBe(state);
  });

  it("any traffic feeds it and others are on the line: fed by neighbours, velocity not offered", () => {
    const text = page.replace("fedBy: ownFrames", "fedBy: anyTraffic");
    const shared = model({ sharesLine: true }, text);
    const right = table({ watchdogTime: 50, watchdogReaction: 1 });
    expect(shared.judgeWatchdog?.(right)?.state).toBe("fedByNeighbours");
    expect(shared.verbs.has("velocity")).toBe(false);
    expect(model({}, text).judgeWatchdog?.(right)?.state).toBe("verified");
  });

  it("what the cell file asks for is written once, and only where it differs", () => {
    const asked = model({ watchdog: { setMs: 300 } });
    const frames = (values: { readonly [point: string]: number }) =>
      asked.watchdogFrames?.(table(values)).map(hex);
    expect(frames({ watchdogTime: 0, watchdogReaction: 0 })).toEqual(["060028001e", "0600290001"]);
    expect(frames({ watchdogTime: 30, watchdogReaction: 2 })).toEqual([]);
    expect(model().watchdogFrames?.(table({ watchdogTime: 0 }))).toEqual([]);
  });
});
