/**
 * Saga files: whatever stands in one, it is read or refused, and never breaks the reader.
 *
 * The idea: a saga that uses all of the language, with lines and values swapped, dropped, doubled
 * and replaced by what else the language knows; and what loads is also checked and walked. It
 * refuses to look at what the problems say.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { noteFindings } from "#kernel/config/saga-check.js";
import { parseSagas } from "#kernel/config/saga-file.js";
import { sagaDevices } from "../fixtures/config/saga-devices.js";

const lines = `saga: whole
mode: Maintenance
onRestart: resume
safeFirst: [grip]
inputs:
  depth: { unit: mm, min: 0 mm, max: 40 mm, default: 20 mm }
  count: { min: 1, max: 3 }
  side: { kind: text, choices: [left, right], default: left }
steps:
  - { name: start, set: { n: 0, speed: 100 mm/s } }
  - name: down
    do: z.moveTo
    with: { position: = input.depth + 5 mm, velocity: = var.speed }
    makeSafe: still
  - name: grip
    do: left.grip
    makeSafe: [{ do: left.release }]
    orElse: [{ name: grip-right, do: right.grip, makeSafe: { none: it keeps it } }]
  - { name: settle, dwell: = 100 ms * input.count }
  - { name: told, waitFor: { event: axis.z.done, where: event.code == 'X' } }
  - { name: which, ask: { text: Which side?, choices: [left, right], as: answer } }
  - name: both
    parallel:
      branches:
        one: [{ name: wait-one, dwell: 1 s }]
        two: [{ name: wait-two, do: x.enable, makeSafe: still }]
  - name: by-side
    choose:
      - { when: var.answer == 'left', steps: [{ name: case-left, dwell: 1 s }] }
    otherwise: [{ name: neither, dwell: 1 s }]
  - name: again
    repeat: { times: = input.count, while: var.n < 3, steps: [{ name: m, set: { n: var.n + 1 } }] }
  - { name: sub, call: { saga: other, with: { to: = input.depth / 2 } } }`.split("\n");

const other = `saga: other
inputs: { to: { min: 0 mm, max: 50 mm } }
steps:
  - name: o
    do: z.moveTo
    with: { position: = input.to, velocity: 9 mm/s }
    makeSafe: still
`;

const words = fc.constantFrom(
  ..."still 5 5mm true null [] {} '' = == input.depth var.n whole other z.moveTo x.stop -1 1e99"
    .concat(" 0 ms 10001 name steps do with left ~ *a &b !x [[]] {a:{}} 2026-01-01 .inf 0x10")
    .split(" "),
);
type Edit = (text: readonly string[]) => readonly string[];
const at = fc.nat({ max: lines.length - 1 });
const edit: fc.Arbitrary<Edit> = fc.oneof(
  at.map(
    (i): Edit =>
      (text) =>
        text.filter((_, line) => line !== i),
  ),
  fc.tuple(at, at).map(
    ([i, j]): Edit =>
      (text) =>
        text.toSpliced(i, 0, text[j] ?? ""),
  ),
  fc.tuple(at, at).map(
    ([i, j]): Edit =>
      (text) =>
        text.with(i % text.length, text[j] ?? ""),
  ),
  fc.tuple(at, fc.nat({ max: 12 }), words).map(([i, n, word]): Edit => {
    return (text) => {
      const parts = (text[i % text.length] ?? "").split(/(?<=[\s:,{}[\]])/);
      return text.with(i % text.length, parts.with(n % parts.length, `${word} `).join(""));
    };
  }),
);

test("saga file: nothing in it makes the reader or the checks throw (texts=3,000)", () => {
  let loaded = 0;
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
      const text = edits.reduce<readonly string[]>((now, change) => change(now), lines).join("\n");
      const files = [
        { file: "whole.yaml", text },
        { file: "other.yaml", text: other },
      ];
      const drafts = parseSagas(files, sagaDevices);
      noteFindings(drafts, { devices: sagaDevices, interlocks: [] });
      const [draft] = drafts;
      const errors = draft?.problems().filter(({ severity }) => severity === "error") ?? [];
      if (draft?.definition !== undefined) loaded += 1;
      else expect(errors.length).toBeGreaterThan(0);
    }),
    { numRuns: 3_000 },
  );
  expect(loaded).toBeGreaterThan(20);
}, 120_000);
