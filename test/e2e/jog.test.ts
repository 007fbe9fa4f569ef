/**
 * Hold-to-run on the operator's page, in a real browser: what a finger does, and whatever takes it
 * away.
 *
 * The idea: the played driver keeps which echoes came; a press is over when it says so, and nothing
 * may press again by itself. It refuses to look into the page's code.
 */
// needs: chromium
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type OpenPage, openBrowser, openPage } from "../fixtures/gateway/open-page.js";
import { axes, type PlayedCell } from "../fixtures/gateway/played-cell.js";
import { PlayedHolds } from "../fixtures/gateway/played-hold.js";
import { until } from "../fixtures/gateway/raw-client.js";

let browser: Browser;
let open: OpenPage;
let cell: PlayedCell;
let page: Page;
let holds: PlayedHolds;

beforeAll(async () => {
  browser = await openBrowser();
}, 60_000);
afterAll(() => browser.close());

beforeEach(async () => {
  open = await openPage(browser);
  ({ cell, page } = open);
  holds = new PlayedHolds(cell);
  for (const axis of axes) meta(axis, axis === "x" || axis === "z");
}, 60_000);
afterEach(() => open.end());

function meta(device: string, jogs: boolean): void {
  const ways = { operator: true, lease: true, guardian: true, watchdog: "none" };
  const verbs = jogs ? ["moveTo", "jog"] : ["moveTo"];
  const kind = { profile: "kinco/fd5p", kind: "servo" as const, bus: "gantry", unit: 1 };
  const units = { positionUnit: "mm", velocityUnit: "mm/s", velocityMax: 500 };
  const head = { v: 1 as const, ts: Date.now(), device };
  const payload = { ...head, ...kind, ...units, verbs, waysToStop: ways, leaseMs: 1000 };
  cell.main.say("metaDevice", { device }, payload);
}

const manual = () => cell.cell("Idle", ["stop"], { mode: "Manual" });
const button = (axis: string, sign: "plus" | "minus") =>
  page.getByRole("button", { name: `Hold to move ${axis} in the ${sign} direction` });
const says = (axis: string) =>
  page.locator(`#axes [data-key="${axis}"] .jogs .attention`).textContent();
const press = () => {
  const newest = holds.presses.at(-1);
  if (newest === undefined) throw new Error("nothing was pressed");
  return newest;
};

async function down(axis: string, sign: "plus" | "minus"): Promise<void> {
  await button(axis, sign).hover();
  await page.mouse.down();
}

/** Pressed, and echoed more than once: it would go on. */
async function held(axis: string, sign: "plus" | "minus"): Promise<void> {
  await down(axis, sign);
  await until("two nonces were echoed", () => (holds.presses.at(-1)?.echoes.length ?? 0) >= 2);
}

/** Long enough for two more nonces: whoever still held would have echoed one. */
const twoNonces = () => new Promise((resolve) => setTimeout(resolve, 250));

test("jog: buttons in Manual only, and for axes that can be jogged", async () => {
  expect(await button("x", "plus").isVisible()).toBe(false);
  manual();
  await expect.poll(() => button("x", "plus").isVisible()).toBe(true);
  expect(await button("z", "minus").isVisible()).toBe(true);
  expect(await button("y", "plus").isVisible()).toBe(false);
  cell.axis("x", { latched: ["s1"] });
  await expect.poll(() => button("x", "plus").isDisabled()).toBe(true);
});

describe("jog: a press that is held", () => {
  beforeEach(async () => {
    manual();
    await expect.poll(() => button("x", "plus").isVisible()).toBe(true);
  });

  // What waits for a release waits for the page, however busy; the lapse has a test of its own.
  const patiently = () => {
    holds.patient = true;
  };

  test("asks once, with the chosen share of the axis' speed and its sign, and echoes", async () => {
    patiently();
    await page.locator("#jog-speed").selectOption({ index: 0 });
    const share = Number(await page.locator("#jog-speed").inputValue());
    await held("x", "minus");
    expect(holds.presses).toHaveLength(1);
    expect(press()).toMatchObject({ axis: "x", velocity: (-500 * share) / 100 });
    expect(press().echoes).not.toContain("let go");
    await page.mouse.up();
  });

  test("let go: said at once, and never pressed again by itself", async () => {
    patiently();
    await held("x", "plus");
    await page.mouse.up();
    await until("it was let go", () => press().ended !== undefined);
    expect(press().ended).toBe("released");
    await twoNonces();
    expect(holds.presses).toHaveLength(1);
    expect(await says("x")).toBe("");
  });

  test("a key holds as a finger does, and its repeats press nothing more", async () => {
    patiently();
    await button("x", "plus").focus();
    await page.keyboard.down(" ");
    await page.keyboard.down(" ");
    await until("two nonces were echoed", () => (holds.presses.at(-1)?.echoes.length ?? 0) >= 2);
    await page.keyboard.up(" ");
    await until("it was let go", () => press().ended === "released");
    expect(holds.presses).toHaveLength(1);
  });

  test("the driver ends it: why is said, and the finger that stays presses nothing", async () => {
    await held("x", "plus");
    holds.end(press(), "the interlock z-up broke");
    await expect.poll(() => says("x")).toContain("the interlock z-up broke. Press again.");
    await twoNonces();
    expect(holds.presses).toHaveLength(1);
    await page.mouse.up();
  });

  test("let go before it was granted: it ends with its first word", async () => {
    const grant = cell.main.onPublish;
    const waiting: (() => void)[] = [];
    cell.main.onPublish = (message) => void waiting.push(() => grant(message));
    await down("x", "plus");
    await until("it was asked for", () => waiting.length > 0);
    await page.mouse.up();
    for (const one of waiting) one();
    await until("it was granted and let go", () => holds.presses.at(-1)?.ended === "released");
    expect(press().echoes).toEqual(["let go"]);
  });

  test.each(["finger", "key"])("its button goes away under the %s: that lets go", async (by) => {
    patiently();
    if (by === "finger") await held("x", "plus");
    else {
      await button("x", "plus").focus();
      await page.keyboard.down(" ");
      await until("two nonces were echoed", () => (holds.presses.at(-1)?.echoes.length ?? 0) >= 2);
    }
    // As when the coordinator is silent: the mode is not known, and the driver still moves it.
    cell.cell("Idle", ["stop"], { mode: "Maintenance" });
    await expect.poll(() => button("x", "plus").isVisible()).toBe(false);
    await until("it was let go", () => press().ended === "released");
    manual();
    await expect.poll(() => button("x", "plus").isVisible()).toBe(true);
    await twoNonces();
    expect(holds.presses).toHaveLength(1);
  });

  const away: { readonly [what: string]: () => Promise<unknown> } = {
    "the window loses its focus": () =>
      page.evaluate(() => window.dispatchEvent(new Event("blur"))),
    "the pointer is taken away": () =>
      button("x", "plus").evaluate((one) => one.dispatchEvent(new Event("pointercancel"))),
    "the page is hidden": () =>
      page.evaluate(() => {
        Object.defineProperty(document, "visibilityState", { value: "hidden" });
        document.dispatchEvent(new Event("visibilitychange"));
      }),
    "the page is left": () => page.goto("about:blank"),
  };
  test.each(Object.keys(away))("%s: that lets go", async (what) => {
    patiently();
    await held("x", "plus");
    await away[what]?.();
    await until("it was let go", () => press().ended === "released");
    await twoNonces();
    expect(holds.presses).toHaveLength(1);
  });

  test("the page hangs with the finger on the button: no nonce is echoed, and it lapses", async () => {
    await held("x", "plus");
    const hung = page.evaluate(() => {
      const from = performance.now();
      while (performance.now() < from + 1500);
    });
    await until("it lapsed", () => press().ended !== undefined);
    expect(press().ended).toBe("no echo came in time");
    await hung;
    await twoNonces();
    expect(holds.presses).toHaveLength(1);
    await page.mouse.up();
  });

  test("refused: the coordinator's words stand beside the button", async () => {
    cell.coordinatorSays("failed", "INTERLOCKED", "z is not up.");
    await down("x", "plus");
    await expect.poll(() => says("x")).toContain("z is not up.");
    await page.mouse.up();
    expect(holds.presses).toHaveLength(0);
  });
});
