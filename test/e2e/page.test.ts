/**
 * The operator's page in a real browser, against a gateway whose cell is played.
 *
 * The idea: what a person sees and taps is what counts: moving bars, one-tap STOP, the banner, the
 * choices. It refuses to look into the page's code.
 */
// needs: chromium
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { FrozenWire } from "../fixtures/gateway/frozen-wire.js";
import { type OpenPage, openBrowser, openPage } from "../fixtures/gateway/open-page.js";
import { type LogLine, type PlayedCell, runRecord } from "../fixtures/gateway/played-cell.js";
import { until } from "../fixtures/gateway/raw-client.js";

let browser: Browser;
let open: OpenPage;
let cell: PlayedCell;
let page: Page;

beforeAll(async () => {
  browser = await openBrowser();
}, 60_000);
afterAll(() => browser.close());

beforeEach(async () => {
  open = await openPage(browser);
  ({ cell, page } = open);
}, 60_000);
afterEach(() => open.end());

const read = async (locator: Locator) => (await locator.textContent()) ?? "";
const textOf = (selector: string) => read(page.locator(selector));
const axisRow = (axis: string) => page.locator(`#axes [data-key="${axis}"]`);

test("page: shows cell, axes, sagas and devices, and its scripts keep to the policy", async () => {
  expect(await textOf("#cell-name")).toBe("press-3");
  expect(await page.locator("#axes .axis").count()).toBe(5);
  expect(await page.locator("#sagas li").count()).toBe(2);
  expect(await page.locator("#devices tr").count()).toBe(5);
  expect(await textOf("#banner")).toBe("");
  expect(open.complaints).toEqual([]);
});

test("page: an axis moves live within its travel, with its target and in words", async () => {
  const run = runRecord("r1");
  run.steps[0] = { name: "over-part", text: "over", status: "running", safe: "none" };
  cell.runs(run);
  cell.axis("x", { position: 200, moving: true });
  const at = axisRow("x").locator(".at");
  const left = () => at.evaluate((element) => Number.parseFloat(element.style.left));
  await page.waitForFunction(() => document.querySelector("#axes .at:not([hidden])") !== null);
  await expect.poll(left).toBeCloseTo(25, 1);
  const sample = { v: 1 as const, ts: Date.now() + 5, seq: 1, position: 600, velocity: 100 };
  cell.main.say("telemetryAxis", { axis: "x" }, { ...sample, q: "good" });
  await expect.poll(left).toBeCloseTo(75, 1);
  expect(await read(axisRow("x").locator(".value"))).toBe("600.0");
  expect(await read(axisRow("x").locator(".aim"))).toBe("to 620.0");
  expect(await read(axisRow("x").locator(".words"))).toMatch(/enabled.*homed.*moving/s);
});

test("page: a position that is not known is a dash and a reason, never 0", async () => {
  cell.axis("y", { position: undefined as never, q: "bad", reasons: { position: "timeout" } });
  await expect.poll(() => read(axisRow("y").locator(".value"))).toBe("–");
  expect(await axisRow("y").locator(".at").isHidden()).toBe(true);
  expect(await read(axisRow("y").locator(".words"))).toContain("position: timeout");
});

test("page: STOP by one tap reaches every driver, and shows each axis to its standstill", async () => {
  await page.locator("#stop").click();
  await expect.poll(() => textOf("#stop-says")).toContain("every axis is confirmed still");
  expect(new Set(cell.fanOut.sent.map((s) => s.order.id)).size).toBe(1);
  expect(cell.fanOut.sent[0]).toMatchObject({ kind: "stop", order: { latch: true } });
  const said = await page.locator("#stop-axes li").allInnerTexts();
  expect(said).toHaveLength(5);
  for (const text of said) expect(text).toMatch(/confirmed still \d+ ms/);
  expect(await page.locator("dialog").count()).toBe(0);
});

test("page: STOP by keyboard, and a stop that is not delivered names the hardware stop", async () => {
  cell.fanOut.answering.delete("z");
  await page.locator("#stop").focus();
  await page.keyboard.press("Enter");
  await expect.poll(() => textOf("#stop-says")).toContain("not delivered to z. Use the hardware");
  expect(await read(page.locator('#stop-axes [data-key="z"]'))).toMatch(/not delivered/);
});

test("page: six pages of one browser hold all its connections: STOP takes one back", async () => {
  const context = await browser.newContext();
  const pages: Page[] = [];
  for (let i = 0; i < 6; i += 1) {
    const one = await context.newPage();
    pages.push(one);
    await one.goto(`${cell.url}/`);
    await one.waitForFunction(() => document.getElementById("cell-state")?.textContent === "Idle");
  }
  const stop = pages[0]?.locator("#stop");
  await stop?.click();
  await until("the drivers have the stop", () => cell.fanOut.sent.length > 0);
  await context.close();
});

test("page: STOP while the stream is away: what its answer says is shown, no older stop", async () => {
  await page.locator("#stop").click();
  await expect.poll(() => textOf("#stop-says")).toContain("every axis is confirmed still");
  await page.evaluate(() => {
    // Hidden, it gives its stream away; it gets none that says anything any more.
    class Silent {
      static readonly CLOSED = 2;
      readonly readyState = 0;
      addEventListener(): void {}
      close(): void {}
    }
    Object.assign(window, { EventSource: Silent });
    for (const value of ["hidden", "visible"]) {
      Object.defineProperty(document, "visibilityState", { value, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }
  });
  await expect.poll(() => textOf("#banner"), { timeout: 5000 }).toMatch(/Connection lost/);
  cell.fanOut.answering.delete("z");
  await page.locator("#stop").click();
  await expect
    .poll(() => textOf("#stop-says"), { timeout: 5000 })
    .toContain("not delivered to z. Use the hardware");
});

test("page: connection lost: the banner comes, all but STOP is disabled, values keep their age", async () => {
  cell.axis("x", { position: 77 });
  await expect.poll(() => read(axisRow("x").locator(".value"))).toBe("77.0");
  const start = page.locator("#sagas button").first();
  expect(await start.isEnabled()).toBe(true);
  await cell.gateway.stop("test");
  await expect
    .poll(() => textOf("#banner"), { interval: 20, timeout: 4000 })
    .toMatch(/Connection lost, commands/);
  expect(await start.isDisabled()).toBe(true);
  expect(await page.locator("#stop").isEnabled()).toBe(true);
  expect(await read(axisRow("x").locator(".value"))).toBe("77.0");
  expect(await read(axisRow("x").locator(".words"))).toMatch(/old: connection lost/);
  await page.locator("#stop").click();
  await expect.poll(() => textOf("#stop-says")).toMatch(/no answer.*Use the hardware stop/i);
});

test("page: the wire goes silent though its sockets stand: the banner comes, then all is well again", async () => {
  const wire = new FrozenWire(cell.port);
  try {
    await page.goto(`${await wire.open()}/`);
    await expect.poll(() => textOf("#cell-state")).toBe("Idle");
    await expect.poll(() => page.locator("#sagas button").first().isEnabled()).toBe(true);
    wire.freeze();
    await expect.poll(() => textOf("#banner"), { interval: 20, timeout: 3000 }).toMatch(/^Connect/);
    expect(await page.locator("#sagas button").first().isDisabled()).toBe(true);
    wire.thaw();
    await expect.poll(() => textOf("#banner"), { timeout: 8000 }).toBe("");
    expect(await page.locator("#sagas button").first().isEnabled()).toBe(true);
  } finally {
    wire.close();
  }
});

test("page: the gateway loses the broker: commands are disabled, STOP still reaches the drivers", async () => {
  cell.main.lose();
  cell.stop.lose();
  await expect.poll(() => textOf("#banner"), { interval: 20 }).toMatch(/Broker lost, commands dis/);
  expect(await textOf("#cell-state")).toContain("unknown");
  expect(await page.locator("#sagas button").first().isDisabled()).toBe(true);
  await page.locator("#stop").click();
  await expect.poll(() => textOf("#stop-says")).toContain("every axis is confirmed still");
});

test("page: Start sends one command, and a refusal is shown in the coordinator's words", async () => {
  cell.coordinatorSays("failed", "LATCHED", "Stop s1 is latched; reset it first.");
  await page.locator("#sagas button").first().click();
  await expect.poll(() => textOf("#notice")).toContain("Stop s1 is latched; reset it first.");
  const sent = cell.main.published.filter((m) => m.key === "runCommand");
  expect(sent).toHaveLength(1);
  expect(sent[0]).toMatchObject({ payload: { args: { saga: "pick-place" } } });
});

test("page: buttons are those that the cell allows and no others", async () => {
  expect(await page.locator("#cell-commands button").allInnerTexts()).toEqual([]);
  cell.cell("Stopped", ["reset", "abort"]);
  await expect
    .poll(() => page.locator("#cell-commands button").allInnerTexts())
    .toEqual(["Reset", "Abort"]);
  expect(await page.locator("#sagas button").first().isDisabled()).toBe(true);
});

test("page: stops in force are named, and Reset names exactly those shown", async () => {
  cell.coordinatorSays("accepted");
  cell.cell("Stopped", ["reset"]);
  cell.stops("s1", "s2");
  await expect.poll(() => page.locator("#latched li").count()).toBe(2);
  await page.locator("#reset").click();
  await until("the reset is out", () => cell.main.published.some((m) => m.key === "cellCommand"));
  const sent = cell.main.published.find((m) => m.key === "cellCommand");
  expect(sent).toMatchObject({
    levels: { verb: "reset" },
    payload: { args: { stops: ["s1", "s2"] } },
  });
});

test("page: a run that needs an operator shows what is unknown, and its choices work", async () => {
  cell.coordinatorSays("accepted");
  const run = runRecord("r9", {
    state: "needsOperator",
    unknowns: [{ device: "z", text: "position not known" }],
    choices: ["makeSafe", "abandon"],
  });
  run.steps[1] = {
    name: "down",
    text: "z down",
    status: "faulted",
    durationMs: 1500,
    error: { code: "DRIVE_FAULT", text: "fault 0x7305" },
    safe: "failed",
  };
  cell.runs(run);
  await expect.poll(() => textOf(".unknowns")).toContain("z: position not known");
  expect(await page.locator(".choices button").allInnerTexts()).toEqual(["Make safe", "Abandon"]);
  expect(await read(page.locator(".steps li").nth(1))).toMatch(/1\.5 s[\s\S]*fault 0x7305/);
  await page.locator(".choices button").first().click();
  await until("the choice is out", () => cell.main.published.some((m) => m.key === "runCommand"));
  const sent = cell.main.published.find((m) => m.key === "runCommand");
  expect(sent).toMatchObject({ levels: { verb: "makeSafe" }, payload: { args: { run: "r9" } } });
});

const runCommands = () => cell.main.published.filter((m) => m.key === "runCommand");
const choices = () => page.locator(".choices button");
const all = ["retry", "makeSafe", "skip", "resolve", "abandon"] as const;
const lost = (text = "position not known") =>
  runRecord("r9", {
    state: "needsOperator",
    unknowns: [{ device: "z", text }],
    choices: [...all],
    startedAt: 1_700_000_000_000,
  });

test("page: every choice has words of its own; skip and resolve go with their reason", async () => {
  cell.coordinatorSays("accepted");
  cell.runs(lost());
  await expect.poll(() => choices().count()).toBe(5);
  const words = await choices().allInnerTexts();
  expect(new Set(words).size).toBe(5);
  expect(words).not.toContain("Cancel run");
  for (const [choice, name] of [
    ["skip", /^Leave out what failed/],
    ["resolve", /^I have looked: it is safe/],
  ] as const) {
    const opener = choices().filter({ hasText: name });
    await opener.click();
    expect(await opener.getAttribute("aria-expanded")).toBe("true");
    const field = page.getByRole("textbox", { name: "Reason" });
    const send = page.locator(".reason button[type=submit]");
    expect(await send.isDisabled()).toBe(true);
    await page.keyboard.type("  ");
    await page.keyboard.press("Enter");
    expect(await send.isDisabled()).toBe(true);
    expect(runCommands().filter((m) => m.levels.verb === choice)).toEqual([]);
    await page.keyboard.type("gripper is empty ");
    await send.click();
    await until(`${choice} is out`, () => runCommands().some((m) => m.levels.verb === choice));
    const args = { run: "r9", text: "gripper is empty" };
    const sent = runCommands().find((m) => m.levels.verb === choice);
    expect(sent).toMatchObject({ payload: { args } });
    await expect.poll(() => field.isHidden()).toBe(true);
  }
  expect(runCommands()).toHaveLength(2);
  expect(open.complaints).toEqual([]);
});

test("page: news neither takes a reason away nor its focus; a refusal leaves it there", async () => {
  cell.coordinatorSays("failed", "STATE_CONFLICT", "Not now.");
  cell.runs(lost());
  await choices().filter({ hasText: "I have looked" }).click();
  await page.keyboard.type("nothing ");
  cell.runs(lost("no answer"), runRecord("r10", { startedAt: 1_700_000_000_001 }));
  await expect.poll(() => textOf(".unknowns")).toContain("no answer");
  await page.keyboard.type("is held");
  const field = page.locator(".reason input");
  expect(await field.inputValue()).toBe("nothing is held");
  await page.keyboard.press("Enter");
  await expect.poll(() => textOf("#notice")).toContain("Not now.");
  expect(await field.inputValue()).toBe("nothing is held");
  await page.keyboard.press("Escape");
  expect(await field.isHidden()).toBe(true);
  expect(await page.evaluate(() => document.activeElement?.textContent)).toMatch(/^I have looked/);
});

test("page: the choice is no longer offered: its field closes, and nothing is sent", async () => {
  cell.runs(lost());
  await choices().filter({ hasText: "Leave out" }).click();
  await page.keyboard.type("the part is out");
  cell.runs({ ...lost(), state: "makingSafe", choices: [] });
  await expect.poll(() => page.locator(".reason").isHidden()).toBe(true);
  cell.runs(lost());
  await choices().filter({ hasText: "I have looked" }).click();
  expect(await page.locator(".reason input").inputValue()).toBe("");
  expect(runCommands()).toEqual([]);
});

test("page: a run's questions are answered by a button each; focus survives another one", async () => {
  cell.coordinatorSays("accepted");
  const look = { step: "look", text: "Flat?", choices: ["yes", "no"] };
  const count = { step: "count", text: "How many?", choices: ["one", "two"] };
  const asking = (...asks: (typeof look)[]) =>
    runRecord("r1", { asks, startedAt: 1_700_000_000_000 });
  cell.runs(asking(count, look), runRecord("r2", { startedAt: 1_700_000_000_001 }));
  const group = page.getByRole("group", { name: "Flat?" });
  await expect.poll(() => group.getByRole("button").allInnerTexts()).toEqual(["yes", "no"]);
  await group.getByRole("button", { name: "yes" }).focus();
  cell.runs(asking(look));
  await expect.poll(() => page.locator(".asks li").count()).toBe(1);
  await page.keyboard.press("Enter");
  await until("the answer is out", () => runCommands().length > 0);
  const args = { run: "r1", step: "look", choice: "yes" };
  expect(runCommands()).toMatchObject([{ levels: { verb: "answer" }, payload: { args } }]);
  cell.runs(asking());
  await expect.poll(() => page.locator(".asks li").count()).toBe(0);
  expect(await choices().allInnerTexts()).toEqual(["Cancel run"]);
  expect(open.complaints).toEqual([]);
});

test("page: an abandoned run waits for nobody, and stands before no other one", async () => {
  const abandoned = runRecord("r2", { state: "stopped", endedAt: Date.now() });
  cell.runs(abandoned, runRecord("r1", { startedAt: 1_700_000_000_000 }));
  await expect.poll(() => textOf(".run-state")).toContain("running");
  expect(await textOf(".earlier")).toContain("abandoned");
});

test("page: STOP is top right, alone and large; every button is at least 48 px", async () => {
  cell.cell("Execute", ["stop", "abort"]);
  await expect.poll(() => page.locator("#cell-commands button").count()).toBe(1);
  const stop = await page.locator("#stop").boundingBox();
  const other = await page.locator("#cell-commands button").boundingBox();
  expect((stop?.x ?? 0) + (stop?.width ?? 0)).toBeGreaterThan(1300);
  expect((stop?.x ?? 0) - ((other?.x ?? 0) + (other?.width ?? 0))).toBeGreaterThan(32);
  for (const button of await page.locator("button:visible").all()) {
    const box = await button.boundingBox();
    expect(box?.height).toBeGreaterThanOrEqual(48);
    expect(box?.width).toBeGreaterThanOrEqual(48);
  }
  const lines: LogLine[] = cell.log;
  expect(lines.filter((line) => line.level === "error")).toEqual([]);
});
