/**
 * Mistakes in a profile, each made by one edit of a good one: found, and at its line.
 * The idea: the file as text is edited, so that line and key are proved too. Refuses to pass when
 * the edit did not change anything.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseProfile } from "#drivers/profile-loader.js";
import { formatProblem } from "#drivers/yaml-source.js";

const files = {
  kinco: "drivers/profiles/kinco/fd5p.yaml",
  robotiq: "drivers/profiles/robotiq/2f.yaml",
  abb: "drivers/profiles/abb/drives-profile.yaml",
};

function problemsOf(file: string, from: string | RegExp, to: string): readonly string[] {
  const text = readFileSync(file, "utf8");
  const edited = text.replace(from, to);
  expect(edited).not.toBe(text);
  const parsed = parseProfile(edited, "p.yaml");
  if (parsed.ok) return [];
  return parsed.problems.filter((one) => one.severity === "error").map(formatProblem);
}

const mistakes: readonly [string, keyof typeof files, string | RegExp, string, RegExp][] = [
  [
    "unknown type (WO-05)",
    "kinco",
    "type: i16",
    "type: integer",
    /points\.mode\.type: .*"integer"/,
  ],
  ["unknown key", "kinco", "    quantity: none", "    quantty: none", /did you mean quantity\?/],
  ["leading zero (CF-01)", "kinco", "address: 0x3100", "address: 012544", /leading zeros/],
  [
    "a leash that takes more than a place",
    "kinco",
    "\n    position: { quantity: position, point: targetPosition }\n  requires",
    "\n    position: { quantity: position, point: targetPosition }\n    speed: { quantity: velocity, point: profileVelocity }\n  requires",
    /retarget: .*takes position, nothing else/,
  ],
  ["keys out of order", "kinco", /axes: 1\n/, "", /axes: .*missing/],
  [
    "function the device lacks",
    "kinco",
    "fc: 6, address: 0x3500",
    "fc: 5, address: 0x3500",
    /function 5 is not one/,
  ],
  [
    "one register for 32 bits",
    "kinco",
    "fc: 16, address: 0x4000",
    "fc: 6, address: 0x4000",
    /writes one register, i32 needs 2/,
  ],
  [
    "quantity without scale",
    "kinco",
    / {4}scale: revsPerUnit \* countsPerRev\n/,
    "",
    /a position needs its scale/,
  ],
  [
    "unknown constant",
    "kinco",
    "revsPerUnit * countsPerRev",
    "revsPerUnit * countPerRev",
    /did you mean countsPerRev\?/,
  ],
  [
    "word order of one word (WO-06)",
    "kinco",
    "    type: i16\n",
    "    type: i16\n    order: CDAB\n",
    /a word order is impossible for i16/,
  ],
  [
    "a step's point",
    "kinco",
    "readBack: { mode: 6 }",
    "readBack: { mod: 6 }",
    /there is no point mod .*did you mean mode/,
  ],
  [
    "a step's argument",
    "kinco",
    "profileVelocity: { arg: velocity }",
    "profileVelocity: { arg: speed }",
    /there is no argument speed/,
  ],
  [
    "a trigger that nobody awaits",
    "kinco",
    "accept: true",
    "accept: false",
    /a trigger must be followed/,
  ],
  [
    "a value that cannot match",
    "kinco",
    "equals: [0x8000]",
    "equals: [0x18000]",
    /outside the mask/,
  ],
  [
    "a state that is never reached",
    "kinco",
    "mask: 0x6F, value: 0x23",
    "mask: 0x6F, value: 0x27",
    /never reached: enabled/,
  ],
  [
    "an unknown flag",
    "kinco",
    "until: { flag: acknowledged }",
    "until: { flag: acknowledge }",
    /did you mean acknowledged\?/,
  ],
  ["an unknown document", "kinco", "by: cia402", "by: cia401", /there is no document cia401/],
  ["a golden frame", "kinco", "C7 32", "C7 33", /check sum does not fit; it would be C7 32/],
  [
    "a remainder that nobody discards",
    "kinco",
    "remainder: gone",
    "remainder: kept",
    /must be discarded/,
  ],
  [
    "no blind frame and nothing to read",
    "robotiq",
    "    readFirst: [gripperStatus]\n",
    "",
    /must say what it reads first/,
  ],
  ["a byte without its half", "robotiq", "    byte: high\n", "", /u8 and i8 need byte/],
  [
    "half a register by itself",
    "robotiq",
    /write: \{ actionRequest: 0 \}\n\s+block: command/,
    "write: { actionRequest: 0 }",
    /written in a block/,
  ],
  [
    "bytes that overlap",
    "robotiq",
    /(speedRequest:[\s\S]*?)byte: high/,
    "$1byte: low",
    /overlaps speedRequest/,
  ],
  [
    "a field outside its block",
    "robotiq",
    "registers: 3",
    "registers: 2",
    /lies outside the block/,
  ],
  [
    "a block that triggers too early",
    "robotiq",
    "atomic: true",
    "atomic: false",
    /trigger must be the last/,
  ],
  [
    "a value behind the end of the addresses (BR-05)",
    "kinco",
    /address: 0x3700/,
    "address: 0xFFFF",
    /behind the last address/,
  ],
  ["more registers than the device reads", "abb", "address: 4 }", "address: 4, count: 13 }", /./],
];

describe("profile lint", () => {
  it.each(mistakes)("%s (%s)", (_, file, from, to, pattern) => {
    const problems = problemsOf(files[file], from, to);
    expect(problems.join("\n")).toMatch(pattern);
    for (const line of problems) expect(line).toMatch(/^p\.yaml:\d+:\d+: error: /);
  });

  it("overlapping registers are named with the register", () => {
    const problems = problemsOf(files.kinco, "address: 0x3B00", "address: 0x3701");
    expect(problems.join("\n")).toMatch(
      /actualVelocity.*overlaps actualPosition at register 0x3701/,
    );
  });

  it("keys stand in one order", () => {
    const text = readFileSync(files.kinco, "utf8");
    const moved = `${text.replace("\nkind: servo\n", "\n")}kind: servo\n`;
    const parsed = parseProfile(moved, "p.yaml");
    const found = parsed.ok ? [] : parsed.problems.map(formatProblem);
    expect(found.join("\n")).toMatch(/kind: this key is out of its place.*before identity/);
  });

  it("several mistakes come out at once, in the order of the file", () => {
    const text = readFileSync(files.kinco, "utf8")
      .replace("readBack: { mode: 6 }", "readBack: { mod: 6 }")
      .replace("by: cia402", "by: cia401")
      .replace("C7 32", "C7 33");
    const parsed = parseProfile(text, "p.yaml");
    if (parsed.ok) throw new TypeError("it passed");
    const errors = parsed.problems.filter((one) => one.severity === "error");
    expect(errors).toHaveLength(3);
    const lines = errors.map((one) => one.line);
    expect([...lines].sort((a, b) => a - b)).toEqual(lines);
  });
});
