/**
 * HTTP from anybody in the network: whatever is asked and sent, an answer that tells nothing more.
 *
 * The idea: the real gateway on ports in memory; any path, query, body and header to each of its
 * routes. What its own OpenAPI document refuses must not become a command. It refuses the stream,
 * which has no end.
 */
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { problemSchema } from "#kernel/contract/resources.js";
import { type TopicKey, topics } from "#kernel/contract/topics.js";
import { type ErrorCode, errors } from "#kernel/errors.js";
import { isTooDeep } from "#kernel/json-depth.js";
import { readJson } from "#kernel/stop-order.js";
import { PlayedCell, runRecord } from "../../fixtures/gateway/played-cell.js";
import { payloadOf } from "../../fixtures/odd-values.js";
import { outside } from "../../fixtures/outside.js";
import { rightMessages } from "../../fixtures/right-messages.js";

const host = { host: "127.0.0.1:8080" };
const api = "/api/v1";

let cell: PlayedCell;
/** What the document says of each body, by path. */
const bodies = new Map<string, ValidateFunction>();

beforeAll(async () => {
  cell = new PlayedCell();
  await cell.start();
  cell.coordinatorSays("accepted");
  cell.cell("Idle", ["start"]);
  cell.axis("x");
  cell.runs(runRecord("r1"));
  const reply = await cell.gateway.server.inject({ url: `${api}/openapi.json`, headers: host });
  const { paths } = reply.json<{ paths: { [path: string]: { post?: Posted } } }>();
  const checker = new Ajv2020({ strict: false });
  for (const [path, { post }] of Object.entries(paths)) {
    const schema = post?.requestBody?.content?.["application/json"]?.schema;
    if (schema !== undefined) bodies.set(path, checker.compile(schema));
  }
});
afterAll(() => cell.end());

interface Posted {
  readonly requestBody?: {
    readonly content?: { readonly [type: string]: { readonly schema: object } };
  };
}

const rightBodies: { readonly [path: string]: unknown } = {
  "/runs": { saga: "pick-place", inputs: { depth: 3, tray: "left" }, wait: true },
  "/runs/{run}/cancel": {},
  "/runs/{run}/makeSafe": {},
  "/runs/{run}/abandon": { text: "why" },
  "/runs/{run}/retry": {},
  "/runs/{run}/skip": { text: "why" },
  "/runs/{run}/resolve": { text: "why" },
  "/runs/{run}/answer": { step: "which", choice: "left" },
  "/runs/{run}/signal": { name: "door" },
  "/reset": { stops: ["s1"] },
  "/clear": {},
  "/hold": {},
  "/unhold": {},
  "/suspend": {},
  "/unsuspend": {},
  "/mode": { mode: "Production" },
  "/exclude": { device: "x", text: "why" },
  "/include": { device: "x" },
  "/stop": { kind: "stop", reason: "why", id: "s1" },
  "/axes/{axis}/stop": { kind: "quickStop" },
};
const looks = [
  ...["/cell", "/sagas", "/stops", "/axes", "/axes/{axis}", "/devices", "/devices/{device}"],
  ...["/runs", "/runs/{run}", "/runs/{run}/history", "/openapi.json", "/stream/x", "/../metrics"],
];

const level = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("x", "r1", "gripper", "nobody") },
  fc.constantFrom("", "..", "%", "%zz", "%2e%2e%2f", "%00", "__proto__", "a".repeat(300), "x%0a"),
  fc.webSegment(),
);
const query = fc.option(fc.webQueryParameters(), { nil: "" });
const word = fc.stringMatching(/^[ -~]{0,80}$/);
const headers = fc.record(
  {
    "content-type": fc.oneof(
      { weight: 6, arbitrary: fc.constant("application/json") },
      fc.constantFrom("text/plain", "application/xml", "multipart/form-data", ""),
      word,
    ),
    "idempotency-key": fc.oneof(fc.constantFrom("k1", "k2"), word),
    origin: fc.constantFrom("http://127.0.0.1:8080", "null", "http://evil.example"),
    "last-event-id": word,
    accept: word,
  },
  { requiredKeys: ["content-type"] },
);

function pathOf(path: string, levels: readonly string[]): string {
  let i = 0;
  return api + path.replaceAll(/\{\w+\}/g, () => levels[i++ % levels.length] ?? "x");
}

async function ask(request: {
  readonly method: "GET" | "POST" | "PUT" | "DELETE" | "PATCH" | "HEAD" | "OPTIONS";
  readonly url: string;
  readonly payload?: Uint8Array;
  readonly headers?: { readonly [name: string]: string };
}) {
  const { payload, ...rest } = request;
  const before = cell.main.published.length;
  const reply = await cell.gateway.server.inject({
    ...rest,
    remoteAddress: "127.0.0.1",
    headers: { ...host, ...request.headers },
    ...(payload === undefined ? {} : { payload: Buffer.from(payload) }),
  });
  const sent = cell.main.published.slice(before).filter(({ key }) => key.endsWith("Command"));
  const stops = cell.fanOut.sent.splice(0);
  return { reply, sent, stops };
}

function expectAnswer({ reply, sent }: Awaited<ReturnType<typeof ask>>): void {
  expect(reply.body).not.toMatch(/\bat .*\.(ts|js):\d+|node_modules|RangeError|TypeError/);
  if (reply.statusCode < 400 || reply.body === "") return;
  expect(String(reply.headers["content-type"])).toMatch(/^application\/problem\+json/);
  const problem = problemSchema.parse(reply.json());
  expect(errors[problem.code as ErrorCode].http).toBe(reply.statusCode);
  if (problem.code === "VALIDATION_FAILED") expect(sent).toEqual([]);
}

outside(
  "gateway",
  "a body becomes a command only where the document of the gateway takes it",
  fc.asyncProperty(
    fc.constantFrom(...Object.keys(rightBodies)).chain((path) =>
      fc.record({
        path: fc.constant(path),
        payload: payloadOf([rightBodies[path]]),
      }),
    ),
    fc.array(level, { minLength: 1, maxLength: 2 }),
    query,
    headers,
    async ({ path, payload }, levels, text, head) => {
      const url = `${pathOf(path, levels)}${text === "" ? "" : `?${text}`}`;
      const asked = await ask({ method: "POST", url, payload, headers: head });
      const { reply, sent, stops } = asked;
      expectAnswer(asked);
      expect(reply.statusCode).not.toBe(500);
      if (path === "/stop") expect([reply.statusCode, stops.length]).toEqual([200, 1]);
      const takes = bodies.get(api + path);
      const empty = payload.length === 0;
      const body: unknown = empty ? null : readJson(new TextDecoder().decode(payload));
      if (sent.length === 0 || takes === undefined || path.endsWith("/stop")) return;
      expect(sent).toHaveLength(1);
      expect([path, body, takes(body)]).toEqual([path, body, true]);
    },
  ),
  { runs: 200 },
);

outside(
  "gateway",
  "a look at anything is answered, and sends no command but the one for a history",
  fc.asyncProperty(
    fc.constantFrom("GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"),
    fc.constantFrom(...looks),
    fc.array(level, { minLength: 1, maxLength: 2 }),
    fc.oneof(query, fc.constantFrom("after=1e999", "after=-1", "after=a&after=b", "after[a]=1")),
    headers,
    async (method, path, levels, text, head) => {
      const url = `${pathOf(path, levels)}${text === "" ? "" : `?${text}`}`;
      const asked = await ask({ method: method as "GET", url, headers: head });
      expectAnswer(asked);
      // The played coordinator has no page of a history to give.
      if (path.endsWith("/history")) return;
      expect(asked.reply.statusCode).not.toBe(500);
      expect(asked.sent).toEqual([]);
    },
  ),
  { runs: 150 },
);

const shown: readonly TopicKey[] = [
  ...(["avail", "metaInfo", "metaDevice", "metaSagas", "stateCell", "stateAxis"] as const),
  ...(["stateDevice", "stateRun", "stateStop", "telemetryAxis", "telemetryBus"] as const),
];
const published = fc.constantFrom(...shown).chain((key) => {
  return payloadOf([rightMessages[key]]).map((payload) => ({ key, payload }));
});
const views = looks.filter((path) => !path.endsWith("/history") && !path.includes("stream"));

outside(
  "gateway",
  "what other services publish, as odd as their schemas allow, is shown without a failure",
  fc.asyncProperty(fc.array(published, { minLength: 1, maxLength: 6 }), async (messages) => {
    const own = new PlayedCell();
    try {
      own.everyoneOnline();
      for (const { key, payload } of messages) {
        const text = new TextDecoder().decode(payload);
        const json = isTooDeep(text) ? undefined : readJson(text);
        const { data } = topics[key].schema.safeParse(json);
        const levels = { axis: "x", device: "x", service: "coordinator", bus: "gantry" };
        if (data !== undefined) own.main.say(key, levels as never, data as never);
      }
      for (const path of [...views.map((view) => pathOf(view, ["x"])), "/metrics", "/healthz"]) {
        const reply = await own.gateway.server.inject({ url: path, headers: host });
        expect([path, reply.statusCode]).not.toEqual([path, 500]);
      }
    } finally {
      await own.end();
    }
  }),
  { runs: 8 },
);

test.each([
  ["GET", "/axes/%zz"],
  ["POST", "/runs/%/skip"],
  ["POST", "/axes/%zz/stop"],
] as const)(
  "a path that cannot be decoded is a problem like any other: %s %s",
  async (method, path) => {
    const asked = await ask({ method, url: api + path });
    expectAnswer(asked);
    expect(asked.reply.statusCode).toBe(400);
    expect(asked.stops).toEqual([]);
  },
);

test("the right bodies are taken", async () => {
  for (const [path, body] of Object.entries(rightBodies)) {
    const takes = bodies.get(api + path);
    expect([path, takes?.(body) ?? true]).toEqual([path, true]);
    const payload = Buffer.from(JSON.stringify(body));
    const json = { "content-type": "application/json" };
    const asked = await ask({ method: "POST", url: pathOf(path, ["x"]), payload, headers: json });
    expectAnswer(asked);
    expect([path, asked.reply.statusCode]).toEqual([path, path.endsWith("stop") ? 200 : 202]);
  }
});
