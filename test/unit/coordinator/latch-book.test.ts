/**
 * The book of latched stops: entering, learning, resetting, dropping.
 *
 * The idea: an id leaves only when every reachable driver has reset it, and old news never brings
 * it back. It refuses messages.
 */
import { describe, expect, test } from "vitest";
import { LatchBook } from "../../../services/coordinator/latch-book.js";

const ids = (book: LatchBook) => book.latches.map((latch) => latch.id);
const by = { user: "ann", role: "operator" };
const said = (ts: number, bootId = "boot-1") => ({ bootId, ts });

describe("entering", () => {
  test("an operator's stop once, however often it is repeated", () => {
    const book = new LatchBook();
    expect(book.enter("stop", { id: "S", by }, 5)).toEqual({
      latch: { id: "S", ts: 5, kind: "stop", by },
    });
    expect(book.enter("stop", { id: "S", by }, 6)).toBeUndefined();
  });

  test("a run's own stop never", () => {
    const book = new LatchBook();
    expect(book.enter("stop", { id: "S", latch: false }, 5)).toBeUndefined();
    expect(ids(book)).toEqual([]);
  });

  test("learnt from one driver, then from another: both axes are held", () => {
    const book = new LatchBook();
    expect(book.learn("x", "S", said(5), 5)?.axes).toEqual(["x"]);
    expect(book.learn("x", "S", said(6), 6)).toBeUndefined();
    expect(book.learn("y", "S", said(7), 7)?.axes).toEqual(["y"]);
    expect(book.holding("y")).toEqual(["S"]);
    expect(book.holding("z")).toEqual([]);
    // Then the order itself: it means the whole cell.
    expect(book.enter("stop", { id: "S", by }, 8)?.axes).toBeUndefined();
    expect(book.holding("z")).toEqual(["S"]);
  });
});

describe("resetting", () => {
  test("one of two drivers has confirmed: the id stays", () => {
    const book = new LatchBook();
    book.enter("stop", { id: "S", by }, 5);
    book.confirmReset("S", "x", said(9));
    expect(book.drop(["S"], ["x", "y"])).toEqual(["S"]);
    expect(book.holding("x")).toEqual([]);
    expect(book.holding("y")).toEqual(["S"]);
  });

  test("every reachable driver has confirmed: it goes, and old news does not bring it back", () => {
    const book = new LatchBook();
    book.enter("stop", { id: "S", by }, 5);
    book.confirmReset("S", "x", said(9));
    expect(book.drop(["S"], ["x"])).toEqual([]);
    expect(book.learn("x", "S", said(9), 12)).toBeUndefined();
    expect(book.enter("stop", { id: "S", by }, 9)).toBeUndefined();
    // A driver that was away still holds it: that is the truth.
    expect(book.learn("y", "S", said(10), 12)?.axes).toEqual(["y"]);
  });

  test.each([
    ["later, from the same start", said(10)],
    ["from its next start, whose clock may be behind", said(3, "boot-2")],
  ])("a driver holds it again (%s): it is entered again", (_when, word) => {
    const book = new LatchBook();
    book.enter("stop", { id: "S", by }, 5);
    book.confirmReset("S", "x", said(9));
    book.drop(["S"], ["x"]);
    expect(book.learn("x", "S", word, 12)?.axes).toEqual(["x"]);
    expect(book.holding("x")).toEqual(["S"]);
    book.confirmReset("S", "x", said(20));
    expect(book.drop(["S"], ["x"])).toEqual([]);
    expect(ids(book)).toEqual([]);
  });

  test("interleaving 21: naming stop 1 leaves stop 2", () => {
    const book = new LatchBook();
    book.enter("stop", { id: "S1", by }, 5);
    book.enter("stop", { id: "S2", by }, 6);
    book.confirmReset("S1", "x", said(9));
    book.drop(["S1"], ["x"]);
    expect(ids(book)).toEqual(["S2"]);
  });
});

test("what is stored is what is loaded", () => {
  const book = new LatchBook();
  book.enter("quickStop", { id: "S", by, axes: ["x"] }, 5);
  const rows = book.statements().flatMap(({ params }) => {
    if (params === undefined) return [];
    const [id, latch] = params;
    return [{ id: id ?? null, latch: latch ?? null }];
  });
  const again = new LatchBook();
  again.load(rows);
  expect(again.latches).toEqual(book.latches);
});
