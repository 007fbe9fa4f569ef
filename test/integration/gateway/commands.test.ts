/**
 * The routes by which people hold, suspend, answer, choose and take devices out of use.
 *
 * The idea: each request is injected, and what leaves for the coordinator is looked at: one
 * command, its topic, its arguments, its key, who asked. It refuses to play the coordinator's part.
 */
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Command } from "#kernel/contract/payloads.js";
import { PlayedCell, saga } from "../../fixtures/gateway/played-cell.js";

let cell: PlayedCell;
beforeEach(async () => {
  cell = new PlayedCell();
  await cell.start();
  cell.coordinatorSays("accepted");
});
afterEach(() => cell.end());

async function post(url: string, body?: object, from = "127.0.0.1", key?: string) {
  const reply = await cell.gateway.server.inject({
    url: `/api/v1${url}`,
    method: "POST",
    remoteAddress: from,
    headers: { host: "127.0.0.1:8080", ...(key === undefined ? {} : { "idempotency-key": key }) },
    ...(body === undefined ? {} : { payload: body }),
  });
  return { status: reply.statusCode, body: reply.json() };
}

function commands() {
  return cell.main.published
    .filter(({ key }) => key === "runCommand" || key === "cellCommand")
    .map(({ key, levels, payload }) => {
      const { verb } = levels as { verb: string };
      const { id, args, by } = payload as Command;
      return { key, verb, id, args, by };
    });
}

const text = "the part was taken out by hand";
const routes: readonly {
  readonly url: string;
  readonly body?: object;
  readonly topic: "runCommand" | "cellCommand";
  readonly verb: string;
  readonly args: object;
}[] = [
  ...["hold", "unhold", "suspend", "unsuspend", "clear"].map((verb) => {
    return { url: `/${verb}`, topic: "cellCommand" as const, verb, args: {} };
  }),
  {
    url: "/mode",
    body: { mode: "Manual" },
    topic: "cellCommand",
    verb: "mode",
    args: { mode: "Manual" },
  },
  ...["exclude", "include"].map((verb) => {
    const body = { device: "gripper", text };
    return { url: `/${verb}`, body, topic: "cellCommand" as const, verb, args: body };
  }),
  {
    url: "/runs",
    body: { saga: "pick-place", run: "r1", inputs: { depth: "12 mm", fast: true }, wait: true },
    topic: "runCommand",
    verb: "start",
    args: { saga: "pick-place", run: "r1", inputs: { depth: "12 mm", fast: true }, wait: true },
  },
  ...["cancel", "makeSafe", "abandon", "retry"].map((verb) => {
    return { url: `/runs/r1/${verb}`, topic: "runCommand" as const, verb, args: { run: "r1" } };
  }),
  ...["skip", "resolve"].map((verb) => {
    const args = { run: "r1", text };
    return { url: `/runs/r1/${verb}`, body: { text }, topic: "runCommand" as const, verb, args };
  }),
  {
    url: "/runs/r1/answer",
    body: { step: "which-tray", choice: "left" },
    topic: "runCommand",
    verb: "answer",
    args: { run: "r1", step: "which-tray", choice: "left" },
  },
  {
    url: "/runs/r1/signal",
    body: { name: "door-closed" },
    topic: "runCommand",
    verb: "signal",
    args: { run: "r1", name: "door-closed" },
  },
];

test.each(routes)("POST $url sends one command under its key, and a viewer none", async (route) => {
  const { url, body, topic, verb, args } = route;
  expect((await post(url, body, "192.168.10.77", "k0")).status).toBe(403);
  expect(commands()).toEqual([]);
  expect((await post(url, body, "127.0.0.1", "k1")).status).toBe(202);
  const by = { user: "local", role: "operator" };
  expect(commands()).toEqual([{ key: topic, verb, id: "k1", args, by }]);
});

test.each([
  ["/mode", {}],
  ["/mode", { mode: "Automatic" }],
  ["/hold", { now: true }],
  ["/exclude", {}],
  ["/exclude", { device: "Not A Device" }],
  ["/runs", { saga: "pick-place", wait: "yes" }],
  ["/runs", { saga: "pick-place", inputs: { depth: { mm: 12 } } }],
  ["/runs/r1/skip", undefined],
  ["/runs/r1/skip", { text: "  " }],
  ["/runs/r1/resolve", { text: "x".repeat(501) }],
  ["/runs/r1/answer", { step: "which-tray" }],
  ["/runs/r1/signal", {}],
])("POST %s with %j is refused before anything is sent", async (url, body) => {
  const reply = await post(url, body);
  expect(reply).toMatchObject({ status: 400, body: { code: "VALIDATION_FAILED" } });
  expect(commands()).toEqual([]);
});

test("a refusal of the coordinator comes with its code and its words", async () => {
  cell.coordinatorSays("failed", "EXCLUDED", "gripper is out of use (by ann); the saga needs it.");
  const reply = await post("/runs", { saga: "pick-place" });
  expect(reply).toMatchObject({ status: 409, body: { code: "EXCLUDED" } });
  expect(reply.body.message).toContain("gripper is out of use (by ann)");
});

test("cell: mode, PackTags number and excluded devices count only with the state", async () => {
  const get = async () => {
    const headers = { host: "127.0.0.1:8080" };
    return (await cell.gateway.server.inject({ url: "/api/v1/cell", headers })).json();
  };
  expect(await get()).toMatchObject({ state: "unknown", mode: "unknown", excluded: [] });
  const more = { mode: "Maintenance" as const, packml: 11, excluded: ["gripper"] };
  cell.cell("Held", ["unhold"], more);
  expect(await get()).toMatchObject({ state: "Held", allowed: ["unhold"], ...more });
  cell.avail("coordinator", "offline");
  const gone = await get();
  expect(gone).toMatchObject({ state: "unknown", mode: "unknown", excluded: [], allowed: [] });
  expect(gone.packml).toBeUndefined();
});

test("sagas: with what they ask for, their mode, and the tree of their steps", async () => {
  const headers = { host: "127.0.0.1:8080" };
  const inputs = { depth: { kind: "number", unit: "mm", min: 0, max: 50, default: 10 } } as const;
  const [first, second] = saga.steps;
  if (first === undefined || second === undefined) throw new RangeError("two steps");
  const steps = [first, { ...second, parent: 0 }];
  const told = { ...saga, mode: "Manual", priority: 7, inputs, steps } as const;
  const other = new PlayedCell({ config: { sagas: [told] } });
  await other.start();
  const reply = await other.gateway.server.inject({ url: "/api/v1/sagas", headers });
  expect(reply.json().sagas).toEqual([
    {
      name: saga.name,
      title: saga.title,
      version: saga.version,
      uses: [...saga.uses],
      mode: "Manual",
      priority: 7,
      inputs,
      steps: [
        { name: first.name, text: first.text },
        { name: second.name, text: second.text, parent: 0 },
      ],
    },
  ]);
  await other.end();
});
