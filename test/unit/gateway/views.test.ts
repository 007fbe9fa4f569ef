/**
 * Views of what the gateway has heard: what counts, what is withheld, what is joined.
 *
 * The idea: messages go into a mirror over a link in memory, and the views are looked at. It
 * refuses HTTP.
 */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Mirror, silenceMsMax } from "../../../services/gateway/mirror.js";
import { axisView, cellView, deviceView, stopsView } from "../../../services/gateway/views.js";
import { MemoryLink } from "../../fixtures/gateway/memory-link.js";
import { bootId, playedConfig } from "../../fixtures/gateway/played-cell.js";

const config = playedConfig();
let link: MemoryLink;
let mirror: Mirror;
beforeEach(() => {
  vi.useFakeTimers();
  link = new MemoryLink();
  mirror = new Mirror(link, { touched: () => {}, answered: () => {} });
});
afterEach(() => {
  vi.useRealTimers();
});

function avail(service: string, status: "online" | "degraded" | "offline", retained = false) {
  const payload = { v: 1 as const, status, ts: Date.now(), bootId, version: "1" };
  link.say("avail", { service }, payload, retained);
}
function stateCell(boot: string, retained = false) {
  link.say(
    "stateCell",
    {},
    {
      v: 1,
      ts: 1,
      seq: 1,
      bootId: boot,
      q: "good",
      state: "Idle",
      mode: "Production",
      since: 1,
      reason: { code: "", text: "" },
      allowed: ["start"],
    },
    retained,
  );
}

const online = () => avail("coordinator", "online");
const retainedOnline = () => avail("coordinator", "online", true);
test.each([
  ["online, state live", [online, () => stateCell(bootId)], "Idle"],
  [
    "degraded, state live",
    [() => avail("coordinator", "degraded"), () => stateCell(bootId)],
    "Idle",
  ],
  ["online, state retained under the same boot", [online, () => stateCell(bootId, true)], "Idle"],
  ["all retained", [retainedOnline, () => stateCell(bootId, true)], "unknown"],
  ["retained, then a live word", [retainedOnline, () => stateCell(bootId, true), online], "Idle"],
  ["offline", [() => stateCell(bootId), () => avail("coordinator", "offline")], "unknown"],
  ["of another boot", [online, () => stateCell("01OTHER")], "unknown"],
  ["no avail", [() => stateCell(bootId)], "unknown"],
  ["no state", [online], "unknown"],
  ["the link lost", [online, () => stateCell(bootId), () => link.lose()], "unknown"],
  [
    "the link lost and found, nothing since",
    [online, () => stateCell(bootId), () => link.lose(), () => link.find()],
    "unknown",
  ],
] as [string, (() => void)[], string][])("cell: %s: %s", (_what, said, state) => {
  for (const say of said) say();
  const view = cellView(mirror, config);
  expect(view.state).toBe(state);
  expect(view.allowed).toEqual(state === "unknown" ? [] : ["start"]);
  if (state === "unknown") expect(view.reason.text).not.toBe("");
});

test("cell: unknown once the coordinator has been silent for too long", () => {
  online();
  stateCell(bootId);
  vi.advanceTimersByTime(silenceMsMax);
  expect(cellView(mirror, config).state).toBe("Idle");
  vi.advanceTimersByTime(1);
  expect(cellView(mirror, config).state).toBe("unknown");
});

test("axis and device: nothing said yet is bad, unknown, and without any value", () => {
  const [x] = config.devices;
  if (x === undefined) throw new Error("no device");
  const axis = axisView(mirror, config, x);
  expect(axis).toMatchObject({ q: "bad", state: "unknown", staleBecause: expect.any(String) });
  expect(axis).not.toHaveProperty("position");
  const device = deviceView(mirror, x);
  expect(device).toMatchObject({ q: "bad", link: "unknown", breaker: "unknown" });
  expect(device).not.toHaveProperty("lastSeen");
});

test("stops: a stop in force that this gateway gave is named after who asked for it here", () => {
  const by = { user: "unknown", role: "unknown" };
  const stops = ["s1", "s2"].map((id) => ({ id, ts: 1, kind: "stop", by }));
  link.say("stateStop", {}, { v: 1, ts: 1, bootId, stops });
  const local = { user: "local", role: "operator" };
  const order = { id: "s1", kind: "quickStop" as const, ts: 1, by: local, axes: [] };
  expect(stopsView(mirror, [order]).latched).toEqual([
    { id: "s1", ts: 1, kind: "quickStop", by: local },
    { id: "s2", ts: 1, kind: "stop", by },
  ]);
});
