/**
 * Several open runs on the operator's page, in a real browser: which one is shown, and how a person
 * comes to the others.
 *
 * The idea: a run that waits must be found, and one that is shown must stay until its end, for
 * somebody may be about to press. It refuses to look into the page's code.
 */
// needs: chromium
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { type OpenPage, openBrowser, openPage } from "../fixtures/gateway/open-page.js";
import { type PlayedCell, runRecord } from "../fixtures/gateway/played-cell.js";
import { until } from "../fixtures/gateway/raw-client.js";

vi.setConfig({ testTimeout: 60_000 });
const soon = { timeout: 15_000 };

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

const textOf = async (selector: string) => (await page.locator(selector).textContent()) ?? "";
const choices = () => page.locator(".choices button");
const runCommands = () => cell.main.published.filter((m) => m.key === "runCommand");
const shownRun = () => textOf(".run-state");
const other = (run: string) => page.locator(`#run .earlier [data-key="${run}"]`);
const stopped = (run: string, startedAt: number) =>
  runRecord(run, { state: "stopped", choices: ["makeSafe", "abandon"], startedAt });

test("page: a waiting run hides no other: its question and its Cancel are one Show away", async () => {
  cell.coordinatorSays("accepted");
  const asks = [{ step: "look", text: "Flat?", choices: ["yes", "no"] }];
  const asking = runRecord("r1", { asks, startedAt: 1_700_000_000_000 });
  const ended = [1, 2, 3, 4, 5, 6].map((n) => {
    const startedAt = 1_700_000_000_001 + n;
    return runRecord(`e${n}`, { state: "completed", startedAt, endedAt: startedAt + 9 });
  });
  cell.runs(stopped("r2", 1_700_000_000_001));
  await expect.poll(shownRun, soon).toContain("r2");
  cell.runs(stopped("r2", 1_700_000_000_001), asking, ...ended);
  await expect.poll(() => textOf("#run-waiting"), soon).toContain("Another run waits");
  expect(await shownRun()).toContain("r2");
  expect(await page.locator("#run .earlier li").first().getAttribute("data-key")).toBe("r1");
  expect(await other("r1").textContent()).toMatch(/◆.*asks: Flat\?/);
  expect(await page.locator("#run .earlier button:visible").count()).toBe(1);
  await other("r1").getByRole("button", { name: "Show" }).click();
  await expect.poll(shownRun, soon).toContain("r1");
  expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("H3");
  expect(await choices().allInnerTexts()).toEqual(["Cancel run"]);
  await page.getByRole("group", { name: "Flat?" }).getByRole("button", { name: "yes" }).click();
  await until("the answer is out", () => runCommands().length > 0);
  await choices().first().click();
  await until("the cancel is out", () => runCommands().length > 1);
  expect(runCommands()).toMatchObject([
    { levels: { verb: "answer" }, payload: { args: { run: "r1", step: "look", choice: "yes" } } },
    { levels: { verb: "cancel" }, payload: { args: { run: "r1" } } },
  ]);
  expect(open.complaints).toEqual([]);
});

test("page: a run that begins to wait takes no other one's place, and is offered with its mark", async () => {
  const running = runRecord("r1", { startedAt: 1_700_000_000_000 });
  cell.runs(running);
  await expect.poll(shownRun, soon).toContain("r1");
  cell.runs(running, runRecord("r2", { startedAt: 1_700_000_000_001 }));
  await expect.poll(() => other("r2").getByRole("button").isVisible(), soon).toBe(true);
  expect(await textOf("#run-waiting")).toBe("");
  cell.runs(running, stopped("r2", 1_700_000_000_001));
  await expect.poll(() => textOf("#run-waiting"), soon).toContain("◆ Another run waits");
  expect(await shownRun()).toContain("r1");
  expect(await choices().allInnerTexts()).toEqual(["Cancel run"]);
  expect(await other("r2").textContent()).toContain("◆ stopped, waits for a choice");
  await other("r2").getByRole("button", { name: "Show" }).click();
  await expect.poll(shownRun, soon).toContain("r2");
  expect(await choices().allInnerTexts()).toEqual(["Make safe", "Abandon"]);
  expect(await textOf("#run-waiting")).toBe("");
  await expect.poll(() => other("r1").getByRole("button").isVisible(), soon).toBe(true);
  await other("r1").getByRole("button", { name: "Show" }).click();
  await expect.poll(shownRun, soon).toContain("r1");
  await page.reload();
  await expect.poll(shownRun, soon).toContain("r2");
  expect(open.complaints).toEqual([]);
});

test("page: the shown run ends: a tap that was meant for it reaches no other one", async () => {
  cell.coordinatorSays("accepted");
  const running = runRecord("r1", { startedAt: 1_700_000_000_000 });
  cell.runs(running);
  await expect.poll(() => choices().allInnerTexts(), soon).toEqual(["Cancel run"]);
  await page.evaluate(() => {
    // Taps whatever comes in its place at once.
    new MutationObserver(() => {
      document.querySelector<HTMLButtonElement>(".choices button")?.click();
    }).observe(document.querySelector(".choices") as Element, { childList: true });
  });
  cell.runs(
    { ...running, state: "completed", endedAt: 1_700_000_000_009 },
    stopped("r2", 1_700_000_000_001),
  );
  await expect.poll(shownRun, soon).toContain("r2");
  await expect.poll(() => choices().first().isEnabled(), soon).toBe(true);
  expect(runCommands()).toEqual([]);
  await choices().first().click();
  await until("the choice is out", () => runCommands().length > 0);
  expect(runCommands()).toMatchObject([{ levels: { verb: "makeSafe" } }]);
});
