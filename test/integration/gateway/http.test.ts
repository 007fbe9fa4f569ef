/**
 * The gateway's routes over HTTP: what they show, what they send, and how they refuse.
 *
 * The idea: a played cell behind the ports, requests injected. It refuses wall-clock assertions.
 */
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterEach, beforeEach, expect, test } from "vitest";
import { problemSchema } from "#kernel/contract/resources.js";
import { errors } from "#kernel/errors.js";
import { PlayedCell, runRecord } from "../../fixtures/gateway/played-cell.js";

let cell: PlayedCell;
beforeEach(async () => {
  cell = new PlayedCell();
  await cell.start();
});
afterEach(() => cell.end());

async function get(url: string, headers: { [name: string]: string } = {}) {
  const reply = await cell.gateway.server.inject({
    url,
    remoteAddress: "127.0.0.1",
    headers: { host: "127.0.0.1:8080", ...headers },
  });
  return { status: reply.statusCode, headers: reply.headers, body: reply.json(), text: reply.body };
}

async function post(url: string, body?: unknown, headers: { [name: string]: string } = {}) {
  const reply = await cell.gateway.server.inject({
    url,
    method: "POST",
    remoteAddress: "127.0.0.1",
    headers: { host: "127.0.0.1:8080", ...headers },
    ...(body === undefined ? {} : { payload: body as object }),
  });
  return { status: reply.statusCode, headers: reply.headers, body: reply.json(), text: reply.body };
}

function expectProblem(reply: Awaited<ReturnType<typeof get>>, code: keyof typeof errors) {
  expect(String(reply.headers["content-type"])).toMatch(/^application\/problem\+json/);
  const problem = problemSchema.parse(reply.body);
  expect(problem.code).toBe(code);
  expect(problem.status).toBe(errors[code].http);
  expect(reply.status).toBe(errors[code].http);
  expect(problem.message.length).toBeGreaterThan(10);
  expect(reply.text).not.toMatch(/\bat .*\.(ts|js):\d+|node_modules/);
  return problem;
}

test("cell: state counts only under the boot id of a live coordinator (PROTOCOL 15)", async () => {
  expect((await get("/api/v1/cell")).body.state).toBe("unknown");
  cell.cell("Execute", ["stop"]);
  expect((await get("/api/v1/cell")).body).toMatchObject({ state: "Execute", allowed: ["stop"] });
  cell.avail("coordinator", "offline");
  expect((await get("/api/v1/cell")).body).toMatchObject({ state: "unknown", allowed: [] });
  cell.avail("coordinator", "online", "01OTHER");
  expect((await get("/api/v1/cell")).body.state).toBe("unknown");
});

test("cell: a late will of the coordinator's earlier start changes nothing", async () => {
  cell.cell("Idle", ["start"]);
  cell.avail("coordinator", "offline", "01EARLIER");
  expect((await get("/api/v1/cell")).body.state).toBe("Idle");
});

test("axes: a retained value is stale until a live one of the same boot follows", async () => {
  cell.main.lose();
  cell.main.find();
  const avail = { v: 1 as const, status: "online" as const, ts: 1, bootId: "01BOOT", version: "0" };
  cell.main.say("avail", { service: "driver-x" }, avail, true);
  cell.axis("x", { position: 12 }, true);
  const stale = (await get("/api/v1/axes/x")).body;
  expect(stale).toMatchObject({ q: "stale", position: 12, state: "unknown" });
  expect(stale.staleBecause).toMatch(/no live value/);
  cell.avail("driver-x", "online");
  expect((await get("/api/v1/axes/x")).body).toMatchObject({ q: "good", position: 12 });
});

test("axes: telemetry moves the position, an unread position is absent and never 0", async () => {
  cell.axis("x", { position: 5 });
  const sample = { v: 1 as const, ts: Date.now() + 1, seq: 9, position: 7.5, velocity: 10 };
  cell.main.say("telemetryAxis", { axis: "x" }, { ...sample, q: "good" });
  expect((await get("/api/v1/axes/x")).body).toMatchObject({ position: 7.5, travel: { max: 800 } });
  const { position: _none, ...blind } = { position: undefined };
  cell.axis("y", { ...blind, q: "bad", reasons: { position: "timeout" } });
  cell.main.say(
    "stateAxis",
    { axis: "z" },
    {
      v: 1,
      ts: Date.now(),
      seq: 1,
      bootId: "01BOOT",
      q: "bad",
      state: "inactive",
      latched: [],
      reasons: { position: "timeout" },
    },
  );
  const z = (await get("/api/v1/axes/z")).body;
  expect(z).not.toHaveProperty("position");
  expect(z).toMatchObject({ q: "bad", reasons: { position: "timeout" } });
});

test("axes: the running step's target stands at its axis and at no other", async () => {
  const run = runRecord("r1");
  run.steps[0] = { ...run.steps[0], status: "running" } as (typeof run.steps)[0];
  cell.axis("x");
  cell.axis("z");
  cell.runs(run);
  expect((await get("/api/v1/axes/x")).body.target).toBe(620);
  expect((await get("/api/v1/axes/z")).body.target).toBeUndefined();
});

test("devices: link, breaker and last error; unknown once the driver is offline", async () => {
  cell.device("x", { link: "down", breaker: "open", lastError: "no reply" });
  expect((await get("/api/v1/devices/x")).body).toMatchObject({
    link: "down",
    breaker: "open",
    lastError: "no reply",
    profile: "kinco/fd5p",
    driver: "online",
  });
  cell.avail("driver-x", "offline");
  expect((await get("/api/v1/devices/x")).body).toMatchObject({
    link: "unknown",
    breaker: "unknown",
    driver: "offline",
    q: "stale",
  });
});

test("runs: start sends one command and answers 202 with the run's place", async () => {
  cell.coordinatorSays("accepted");
  const reply = await post("/api/v1/runs", { saga: "pick-place" }, { "idempotency-key": "key-1" });
  expect(reply.status).toBe(202);
  expect(reply.headers.location).toBe("/api/v1/runs/key-1");
  expect(reply.body).toEqual({ run: "key-1", id: "key-1" });
  const sent = cell.main.published.filter((m) => m.key === "runCommand");
  expect(sent).toHaveLength(1);
  expect(sent[0]).toMatchObject({
    levels: { verb: "start" },
    payload: { id: "key-1", replyTo: "gateway", args: { saga: "pick-place", run: "key-1" } },
  });
});

test.each(["cancel", "makeSafe", "abandon", "retry"])(
  "runs: %s reaches the coordinator",
  async (verb) => {
    cell.coordinatorSays("accepted");
    const reply = await post(`/api/v1/runs/r1/${verb}`);
    expect(reply.status).toBe(202);
    const sent = cell.main.published.find((m) => m.key === "runCommand");
    expect(sent).toMatchObject({ levels: { verb }, payload: { args: { run: "r1" } } });
  },
);

test("reset: a repeat under its key names what the first one named", async () => {
  cell.coordinatorSays("accepted");
  cell.stops("s1", "s2");
  await post("/api/v1/reset", undefined, { "idempotency-key": "key-1" });
  // The first was carried out and its answer lost; a stop has come since.
  cell.stops("s3");
  await post("/api/v1/reset", undefined, { "idempotency-key": "key-1" });
  const sent = cell.main.published.filter((m) => m.key === "cellCommand");
  expect(sent.map((m) => (m.payload as { args: object }).args)).toEqual([
    { stops: ["s1", "s2"] },
    { stops: ["s1", "s2"] },
  ]);
});

test.each([
  ["an id of no service of ours", ["hmi.1 2026-01-01T00:00"]],
  ["70 ids", Array.from({ length: 70 }, (_, i) => `s${i}`)],
])("reset: what was latched can be named (%s)", async (_what, stops) => {
  cell.coordinatorSays("accepted");
  cell.stops(...stops);
  expect((await post("/api/v1/reset", { stops })).status).toBe(202);
});

test("reset: names exactly the stops shown, or those that the caller names", async () => {
  cell.coordinatorSays("accepted");
  cell.stops("s1", "s2");
  await post("/api/v1/reset");
  await post("/api/v1/reset", { stops: ["s2"] });
  await post("/api/v1/clear", undefined, { "content-type": "application/json" });
  const sent = cell.main.published.filter((m) => m.key === "cellCommand");
  expect(sent.map((m) => [m.levels.verb, (m.payload as { args: object }).args])).toEqual([
    ["reset", { stops: ["s1", "s2"] }],
    ["reset", { stops: ["s2"] }],
    ["clear", {}],
  ]);
});

test.each([["STATE_CONFLICT"], ["LATCHED"], ["BREAKER_OPEN"], ["DUPLICATE_ID"]] as const)(
  "runs: the coordinator's refusal %s is passed on with its status",
  async (code) => {
    cell.coordinatorSays("failed", code, "The cell is Stopped; reset it first.");
    const reply = await post("/api/v1/runs", { saga: "pick-place" });
    expect(expectProblem(reply, code).message).toBe("The cell is Stopped; reset it first.");
  },
);

test("runs: no answer within two seconds is an unknown outcome", async () => {
  cell.coordinatorSays("nothing");
  expectProblem(await post("/api/v1/runs", { saga: "pick-place" }), "OUTCOME_UNKNOWN");
});

test("runs: without a coordinator, or without the broker, nothing is sent", async () => {
  cell.avail("coordinator", "offline");
  expectProblem(await post("/api/v1/runs", { saga: "pick-place" }), "SERVICE_OFFLINE");
  cell.main.lose();
  expectProblem(await post("/api/v1/runs", { saga: "pick-place" }), "OFFLINE");
  expect(cell.main.published.filter((m) => m.key === "runCommand")).toEqual([]);
});

test("problems: every way to be wrong is a problem with a registered code", async () => {
  expectProblem(await get("/nowhere"), "NOT_FOUND");
  expectProblem(await post("/api/v1/cell"), "NOT_FOUND");
  expectProblem(await get("/api/v1/axes/w"), "NOT_FOUND");
  expectProblem(await get("/api/v1/axes/W!"), "VALIDATION_FAILED");
  expectProblem(await get("/api/v1/devices/w"), "NOT_FOUND");
  expectProblem(await get("/api/v1/runs/none"), "NOT_FOUND");
  expectProblem(await post("/api/v1/axes/w/stop"), "NOT_FOUND");
  expectProblem(await post("/api/v1/runs"), "VALIDATION_FAILED");
  expectProblem(await post("/api/v1/runs", { saga: 7 }), "VALIDATION_FAILED");
  expectProblem(await post("/api/v1/runs", { saga: "a", extra: 1 }), "VALIDATION_FAILED");
  const json = { "content-type": "application/json" };
  expectProblem(await post("/api/v1/runs", "{", json), "VALIDATION_FAILED");
  const xml = { "content-type": "application/xml" };
  expectProblem(await post("/api/v1/runs", "<a/>", xml), "VALIDATION_FAILED");
  const long = JSON.stringify({ saga: "a".repeat(70_000) });
  expectProblem(await post("/api/v1/runs", long, json), "VALIDATION_FAILED");
  const key = { "idempotency-key": "not a key!" };
  expectProblem(await post("/api/v1/runs", { saga: "a" }, key), "VALIDATION_FAILED");
});

test("guard: a foreign Host is refused for everything but stop", async () => {
  expectProblem(await get("/api/v1/cell", { host: "evil.example" }), "FORBIDDEN");
  expectProblem(await get("/nowhere", { host: "evil.example:8080" }), "FORBIDDEN");
  const foreign = { host: "evil.example", origin: "http://evil.example" };
  expectProblem(await post("/api/v1/clear", undefined, foreign), "FORBIDDEN");
  expect((await post("/api/v1/stop", undefined, foreign)).status).toBe(200);
  expect(cell.fanOut.sent).toHaveLength(1);
});

test("guard: a page of another origin may not command, the own page may", async () => {
  cell.coordinatorSays("accepted");
  for (const origin of ["http://127.0.0.1:9999", "http://evil.example", "null"]) {
    expectProblem(await post("/api/v1/clear", undefined, { origin }), "FORBIDDEN");
  }
  const own = { origin: "http://127.0.0.1:8080" };
  expect((await post("/api/v1/clear", undefined, own)).status).toBe(202);
});

test("authorize: a peer from elsewhere reads and stops, and does nothing else", async () => {
  const from = async (method: "GET" | "POST", url: string) => {
    const remoteAddress = "192.168.10.77";
    const headers = { host: "127.0.0.1:8080" };
    return cell.gateway.server.inject({ method, url, remoteAddress, headers });
  };
  expect((await from("GET", "/api/v1/cell")).statusCode).toBe(200);
  expect((await from("POST", "/api/v1/stop")).statusCode).toBe(200);
  expect((await from("POST", "/api/v1/axes/x/stop")).statusCode).toBe(200);
  for (const url of ["/api/v1/runs", "/api/v1/runs/r/cancel", "/api/v1/reset", "/api/v1/clear"]) {
    expect((await from("POST", url)).statusCode).toBe(403);
  }
});

test("openapi: the document is 3.1 and names every route", async () => {
  const { body, text } = await get("/api/v1/openapi.json");
  expect(body.openapi).toMatch(/^3\.1\./);
  expect(Object.keys(body.paths).sort()).toEqual([
    "/api/v1/axes",
    "/api/v1/axes/{axis}",
    "/api/v1/axes/{axis}/jog",
    "/api/v1/axes/{axis}/jog/{hold}",
    "/api/v1/axes/{axis}/stop",
    "/api/v1/cell",
    "/api/v1/clear",
    "/api/v1/devices",
    "/api/v1/devices/{device}",
    "/api/v1/exclude",
    "/api/v1/hold",
    "/api/v1/include",
    "/api/v1/mode",
    "/api/v1/reset",
    "/api/v1/runs",
    "/api/v1/runs/{run}",
    "/api/v1/runs/{run}/abandon",
    "/api/v1/runs/{run}/answer",
    "/api/v1/runs/{run}/cancel",
    "/api/v1/runs/{run}/history",
    "/api/v1/runs/{run}/makeSafe",
    "/api/v1/runs/{run}/resolve",
    "/api/v1/runs/{run}/retry",
    "/api/v1/runs/{run}/signal",
    "/api/v1/runs/{run}/skip",
    "/api/v1/sagas",
    "/api/v1/stop",
    "/api/v1/stops",
    "/api/v1/stream",
    "/api/v1/suspend",
    "/api/v1/unhold",
    "/api/v1/unsuspend",
  ]);
  const checker = new Ajv2020({ strict: false });
  for (const path of Object.values<{ [m: string]: Operation }>(body.paths)) {
    for (const operation of Object.values(path)) {
      expect(Object.keys(operation.responses)).toContain("default");
      const answers = Object.values(operation.responses);
      for (const part of [operation.requestBody ?? {}, ...answers]) {
        for (const { schema } of Object.values(part.content ?? {})) {
          expect(checker.validateSchema(schema)).toBe(true);
          checker.compile(schema);
        }
      }
    }
  }
  expect(text).not.toContain("$ref");
});

interface Content {
  readonly content?: { readonly [type: string]: { readonly schema: object } };
}
interface Operation {
  readonly requestBody?: Content;
  readonly responses: { readonly [status: string]: Content };
}

test("health: 200 while the broker is there, else 503 with the reason", async () => {
  expect(await get("/healthz")).toMatchObject({ status: 200, body: { status: "ok" } });
  cell.main.lose();
  const sick = await get("/healthz");
  expect(sick.status).toBe(503);
  expect(sick.body.reasons.join()).toMatch(/broker/);
});

test("metrics: axes, breakers, stops, streams and the process itself", async () => {
  cell.axis("x", { position: 3 });
  cell.device("x", { breaker: "open" });
  await post("/api/v1/stop");
  const reply = await cell.gateway.server.inject({
    url: "/metrics",
    headers: { host: "localhost" },
  });
  expect(reply.headers["content-type"]).toMatch(/^text\/plain/);
  for (const line of [
    'servocell_axis_state{axis="x",state="active"} 1',
    'servocell_axis_position{axis="x",unit="mm"} 3',
    'servocell_breaker_state{device="x",state="open"} 1',
    'servocell_stop_axis_total{axis="x",status="received"} 1',
    'servocell_stop_delivery_seconds_count{axis="x"} 1',
    "servocell_stream_clients 0",
  ]) {
    expect(reply.body).toContain(line);
  }
  expect(reply.body).toContain("process_resident_memory_bytes");
  expect(reply.body).not.toContain('servocell_axis_position{axis="y"');
});
