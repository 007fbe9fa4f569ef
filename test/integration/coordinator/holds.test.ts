/**
 * Presses at the whole coordinator: what is asked of the driver, what is kept away meanwhile.
 *
 * The idea: scripted drivers that lend, and the words that reach them, are the evidence. It refuses
 * real time.
 */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { reasonMsMax } from "../../../services/coordinator/lease-doubts.js";
import {
  CoordinatorCell,
  cellConfig,
  move,
  saga,
  useFakeClock,
} from "../../fixtures/coordinator/coordinator-cell.js";

beforeEach(useFakeClock);
afterEach(() => {
  vi.useRealTimers();
});

const go = saga("go", ["x"], [move("go", "x", 10)]);

async function cell(mode = "Manual"): Promise<CoordinatorCell> {
  const c = new CoordinatorCell(cellConfig(["x", "z"], [go]));
  await c.start();
  if (mode !== "Production") await c.ask("cellCommand", "mode", { mode });
  return c;
}

function press(c: CoordinatorCell, device = "x", id?: string) {
  const who = { holder: "gateway", holderBootId: "gw1" };
  return c.ask("cellCommand", "jog", { device, velocity: 20, ...who }, id);
}

test("a press is lent by its driver to the service that asks, and told with the person's name", async () => {
  const c = await cell();
  const answer = await press(c, "x", "H1");
  expect(answer).toMatchObject({ status: "succeeded", result: { hold: "H1", device: "x" } });
  expect(c.driver("x").holder).toMatchObject({ name: "gateway", bootId: "gw1" });
  const told = c.bus.of("event").find(({ type }) => type.endsWith("hold.granted"));
  expect(told?.data).toMatchObject({ hold: "H1", mode: "Manual", velocity: 20 });
});

test.each([
  ["in Production", "Production", "x", "STATE_CONFLICT"],
  ["of a device that there is not", "Manual", "q", "NOT_FOUND"],
])("a press %s is refused, and no driver is asked", async (_, mode, device, code) => {
  const c = await cell(mode);
  expect((await press(c, device))?.error?.code).toBe(code);
  expect(c.driver("x").holder).toBeUndefined();
});

test("with a full disk a press is refused: it could not be kept with its name", async () => {
  const c = await cell();
  c.store.full = true;
  // The next write meets the full disk: the sign of life, at the latest.
  await c.run(2500);
  expect((await press(c))?.error?.code).toBe("STORE_FULL");
  expect(c.driver("x").holder).toBeUndefined();
  c.store.full = false;
  await c.run(2500);
  expect((await press(c))?.status).toBe("succeeded");
});

test("while somebody holds it: no second press, no other mode; let go, both are allowed", async () => {
  const c = await cell();
  await press(c);
  expect((await press(c))?.error?.code).toBe("LEASE_HELD");
  const mode = () => c.ask("cellCommand", "mode", { mode: "Production" });
  expect((await mode())?.error?.code).toBe("STATE_CONFLICT");
  c.driver("x").endLease("released");
  await c.run(100);
  expect((await press(c))?.status).toBe("succeeded");
  c.driver("x").endLease("lapsed");
  await c.run(100);
  expect((await mode())?.status).toBe("succeeded");
  const ends = c.bus.of("event").filter(({ type }) => type.endsWith("hold.ended"));
  expect(ends.map(({ data }) => data.reason)).toEqual(["released", "lapsed"]);
});

test("a hold whose end nobody heard keeps the axis no longer than its driver says so", async () => {
  const c = await cell();
  await press(c);
  c.driver("x").holder = undefined;
  const mode = () => c.ask("cellCommand", "mode", { mode: "Production" });
  expect((await mode())?.error?.code).toBe("STATE_CONFLICT");
  c.driver("x").say();
  await c.run(reasonMsMax + 100);
  expect((await mode())?.status).toBe("succeeded");
  const end = c.bus.of("event").find(({ type }) => type.endsWith("hold.ended"));
  expect(end?.data.reason).toBe("it has ended and nobody heard why");
});

test("a hold that lives is not ended by what its driver goes on saying", async () => {
  const c = await cell();
  await press(c);
  c.driver("x").say();
  await c.run(2 * reasonMsMax);
  expect(c.bus.of("event").some(({ type }) => type.endsWith("hold.ended"))).toBe(false);
  const mode = await c.ask("cellCommand", "mode", { mode: "Production" });
  expect(mode?.error?.code).toBe("STATE_CONFLICT");
});

test("the end of its lease comes in one breath with the grant: nobody holds the axis", async () => {
  const c = await cell();
  const answer = press(c);
  // The request reaches the driver; the coordinator reads answer and end before it can think.
  for (let ms = 0; ms < 20 && c.driver("x").holder === undefined; ms += 1) {
    vi.advanceTimersByTime(1);
  }
  c.driver("x").endLease("lapsed");
  vi.advanceTimersByTime(5);
  await c.run(100);
  expect((await answer)?.error?.code).toBe("LEASE_LOST");
  expect((await press(c))?.status).toBe("succeeded");
});

test("a driver that dies takes its hold with it", async () => {
  const c = await cell();
  await press(c);
  c.driver("x").restart();
  await c.run(300);
  expect((await c.ask("cellCommand", "mode", { mode: "Production" }))?.status).toBe("succeeded");
});

test("a stop that is latched is in the way until its reset", async () => {
  const c = await cell();
  c.stopAll("S1");
  await c.run(300);
  expect((await press(c))?.error?.code).toBe("LATCHED");
});
