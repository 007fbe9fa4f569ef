/**
 * What crosses the broker of a world is what would have crossed as text.
 *
 * The idea: the copy that a world makes is compared with JSON itself, over values that JSON has
 * and over those that it leaves out. It refuses to know any payload.
 */
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { crossed } from "#simulators/world/crossing.js";

const odd = fc.constantFrom<unknown>(undefined, Number.NaN, Number.POSITIVE_INFINITY, -0, null);
const { value } = fc.letrec<{ value: unknown; leaf: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    tie("leaf"),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(fc.string({ minLength: 1 }), tie("value"), { maxKeys: 5 }),
  ),
  leaf: fc.oneof(fc.string(), fc.double(), fc.boolean(), odd),
}));

test("a payload crosses a world as it would cross as JSON: same fields, nothing shared", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ minLength: 1 }), value), (payload) => {
      const copy = crossed(payload);
      const text = JSON.stringify(payload);
      expect(JSON.stringify(copy)).toBe(text);
      // Strictly: a field without a value is not there at all.
      expect(isDeepStrictEqual(copy, JSON.parse(text))).toBe(true);
    }),
  );
});

test("the receiver's copy is its own: the sender's object may change afterwards", () => {
  const sent = { list: [{ n: 1 }] };
  const got = crossed(sent);
  sent.list.push({ n: 2 });
  expect(got).toEqual({ list: [{ n: 1 }] });
});
