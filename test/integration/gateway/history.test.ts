/**
 * The gateway's route for the history of a run: what it asks, shows and refuses.
 * The idea: a played cell behind the ports, requests injected. It refuses wall-clock assertions.
 */
import { afterEach, beforeEach, expect, test } from "vitest";
import { problemSchema } from "#kernel/contract/resources.js";
import { runHistorySchema } from "#kernel/contract/run-history.js";
import { PlayedCell } from "../../fixtures/gateway/played-cell.js";

let cell: PlayedCell;
beforeEach(async () => {
  cell = new PlayedCell();
  await cell.start();
});
afterEach(() => cell.end());

async function get(url: string, from = "127.0.0.1") {
  const headers = { host: "127.0.0.1:8080" };
  const reply = await cell.gateway.server.inject({ url, remoteAddress: from, headers });
  return { status: reply.statusCode, body: reply.json() };
}

const page = {
  run: "r1",
  saga: "pick-place",
  version: "v1",
  state: "completed",
  by: { user: "local", role: "operator" },
  startedAt: 1,
  endedAt: 5,
  inputs: { height: 12 },
  rows: [{ seq: 8, type: "verdict", at: 3, data: { id: "K-1" } }],
  next: 8,
};

function coordinatorTells(result: object): { verb: string; args: unknown; by: unknown }[] {
  const asked: { verb: string; args: unknown; by: unknown }[] = [];
  cell.main.onPublish = ({ key, levels, payload }) => {
    if (key !== "runCommand") return;
    const { id, args, by } = payload as { id: string; args: unknown; by: unknown };
    asked.push({ verb: (levels as { verb: string }).verb, args, by });
    const head = { v: 1 as const, id, ts: Date.now(), bootId: "01BOOT", source: "coordinator" };
    const answer = { ...head, status: "succeeded" as const, result: { ...result } };
    setTimeout(() => cell.main.say("response", { client: "gateway" }, answer as never));
  };
  return asked;
}

test("history: a page is asked of the coordinator and shown as it came; after is passed on", async () => {
  const asked = coordinatorTells(page);
  expect(await get("/api/v1/runs/r1/history")).toEqual({ status: 200, body: page });
  expect((await get("/api/v1/runs/r1/history?after=7")).status).toBe(200);
  expect(asked).toMatchObject([
    { verb: "history", args: { run: "r1" }, by: { user: "local", role: "operator" } },
    { verb: "history", args: { run: "r1", after: 7 } },
  ]);
});

test("history: whoever may look may ask, also from another PC", async () => {
  const asked = coordinatorTells(page);
  expect((await get("/api/v1/runs/r1/history", "10.0.0.9")).status).toBe(200);
  expect(asked).toMatchObject([{ by: { user: "10.0.0.9", role: "viewer" } }]);
});

test("history: an unknown run, a bad after and a coordinator that is away are told as problems", async () => {
  cell.coordinatorSays("failed", "NOT_FOUND", 'There is no run "r9" in the journal.');
  const unknown = await get("/api/v1/runs/r9/history");
  expect(problemSchema.parse(unknown.body).code).toBe("NOT_FOUND");
  const bad = await get("/api/v1/runs/r9/history?after=-1");
  expect(problemSchema.parse(bad.body).code).toBe("VALIDATION_FAILED");
  cell.avail("coordinator", "offline");
  const away = await get("/api/v1/runs/r9/history");
  expect(problemSchema.parse(away.body).code).toBe("SERVICE_OFFLINE");
});

test("history: no answer is no unknown outcome, for nothing was to happen", async () => {
  cell.coordinatorSays("nothing");
  const { status, body } = await get("/api/v1/runs/r1/history");
  expect([status, problemSchema.parse(body).code]).toEqual([409, "NOT_READY"]);
});

test("history: the document of the interface names the route and its page", async () => {
  const { body } = await get("/api/v1/openapi.json");
  const route = body.paths["/api/v1/runs/{run}/history"].get;
  expect(route.parameters.map((one: { name: string }) => one.name)).toEqual(["after", "run"]);
  const shown = route.responses["200"].content["application/json"].schema;
  const wanted = Object.keys(runHistorySchema.shape);
  expect(Object.keys(shown.properties).sort()).toEqual([...wanted].sort());
});
