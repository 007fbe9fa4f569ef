/**
 * The very commands of docker-compose.yml, run side by side as processes against mosquitto.
 *
 * The idea: names of containers become loopback, ports become free ones, `/app` and `/data` become
 * folders; everything else is run as the file gives it, health checks included. It refuses Docker.
 */
// needs: mosquitto
import { type ChildProcess, spawn } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RunRecord } from "#kernel/contract/payloads.js";
import { cliFile, freePorts, sleep, until } from "../fixtures/cell-process.js";
import { type ComposeService, readCompose } from "../fixtures/compose-file.js";

const compose = readCompose();
const examples = "examples/pick-and-place";
const folder = mkdtempSync(join(tmpdir(), "sc-"));
const processes = new Map<string, ChildProcess>();
const output = new Map<string, string>();
let replaced: readonly (readonly [string, string])[] = [];
let api = "";

function here(text: string): string {
  return replaced.reduce((whole, [from, to]) => whole.replaceAll(from, to), text);
}

/** The simulator's own words: it reads the file with the host as it stands there, as in Docker. */
function simulatorHere(word: string): string {
  if (word === "0.0.0.0") return "127.0.0.1";
  return here(word.replace(`/app/${examples}`, join(folder, "as-written")));
}

function start(name: string, program: string, args: readonly string[], env: object = {}): void {
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, TMPDIR: join(folder, "run"), ...env },
    cwd: folder,
  });
  processes.set(name, child);
  const keep = (data: Buffer) => {
    output.set(name, `${output.get(name) ?? ""}${data}`.slice(-20_000));
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
}

/** The services in the order in which Docker would start them. */
function inOrder(): [string, ComposeService][] {
  const done: string[] = [];
  const visit = (name: string) => {
    if (done.includes(name)) return;
    for (const need of Object.keys(compose.services[name]?.depends_on ?? {})) visit(need);
    done.push(name);
  };
  for (const name of Object.keys(compose.services)) visit(name);
  return done.map((name) => [name, compose.services[name] as ComposeService]);
}

async function health(name: string): Promise<number | null> {
  const service = compose.services[name];
  const [, program = "", ...args] = service?.healthcheck.test ?? [];
  const env = Object.fromEntries(
    Object.entries(service?.environment ?? {}).map(([key, value]) => [key, here(value)]),
  );
  return new Promise((resolve) => {
    const words = args.map((word) => (word.includes("\n") ? here(word) : word));
    const child = spawn(program === "node" ? process.execPath : program, words, {
      stdio: "ignore",
      env: { ...process.env, ...env },
    });
    child.once("exit", resolve);
  });
}

beforeAll(async () => {
  const [broker, gantry, tool, gateway] = await freePorts(4);
  replaced = [
    [`/app/${examples}`, folder],
    ["/data", join(folder, "data")],
    ["mosquitto:1883", `127.0.0.1:${broker}`],
    ["listener 1883", `listener ${broker} 127.0.0.1`],
    ["simulator:15021", `127.0.0.1:${gantry}`],
    ["simulator:15022", `127.0.0.1:${tool}`],
    ['15021, "simulator"', `${gantry}, "127.0.0.1"`],
    ["host: 0.0.0.0, port: 8080", `host: 0.0.0.0, port: ${gateway}`],
  ];
  api = `http://127.0.0.1:${gateway}/api/v1`;
  for (const name of ["run", "data"]) mkdirSync(join(folder, name));
  for (const name of readdirSync(examples)) copyFileSync(join(examples, name), join(folder, name));
  for (const name of ["cell.compose.yaml", "mosquitto.conf"]) {
    writeFileSync(join(folder, name), here(readFileSync(join(folder, name), "utf8")));
  }
  const asWritten = join(folder, "as-written");
  mkdirSync(asWritten);
  for (const name of readdirSync(examples))
    copyFileSync(join(examples, name), join(asWritten, name));
  const written = readFileSync(join(examples, "cell.compose.yaml"), "utf8");
  const ported = written.replace("r:15021", `r:${gantry}`).replace("r:15022", `r:${tool}`);
  writeFileSync(join(asWritten, "cell.compose.yaml"), ported);
  for (const [name, service] of inOrder()) {
    if (service.build === undefined) {
      start(name, "mosquitto", ["-c", join(folder, "mosquitto.conf")]);
      continue;
    }
    const words = (service.command ?? []).map(name === "simulator" ? simulatorHere : here);
    start(name, process.execPath, [cliFile, ...words]);
  }
}, 60_000);

afterAll(async () => {
  for (const [name] of inOrder().reverse()) {
    const child = processes.get(name);
    if (child === undefined || child.exitCode !== null) continue;
    child.kill("SIGTERM");
    await until(
      `${name} ended`,
      () => child.exitCode !== null || child.signalCode !== null,
      15_000,
    );
  }
}, 120_000);

async function get<T>(path: string): Promise<T | undefined> {
  const reply = await fetch(`${api}${path}`).catch(() => undefined);
  return reply?.ok === true ? ((await reply.json()) as T) : undefined;
}

test("containers: every command comes up, and the cell is Idle with good axes", async () => {
  await until(
    "the cell is up",
    async () => {
      for (const [name, child] of processes) {
        if (child.exitCode !== null) throw new Error(`${name} ended: ${output.get(name)}`);
      }
      const cell = await get<{ state: string }>("/cell");
      const axes = (await get<{ axes: { q: string }[] }>("/axes"))?.axes ?? [];
      return cell?.state === "Idle" && axes.length === 5 && axes.every((axis) => axis.q === "good");
    },
    90_000,
  );
}, 100_000);

test("containers: the health checks of the file say healthy", async () => {
  for (const [name, service] of inOrder()) {
    if (service.build === undefined) continue;
    expect([name, await health(name)]).toEqual([name, 0]);
  }
}, 60_000);

test("containers: a saga runs through the gateway to its end (saga=home-cell)", async () => {
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ saga: "home-cell" });
  const started = await fetch(`${api}/runs`, { method: "POST", headers, body });
  expect(started.status).toBe(202);
  const { run } = (await started.json()) as { run: string };
  const ends = ["completed", "madeSafe", "stopped", "needsOperator"];
  const ended = await until(
    "the run ended",
    async () => {
      // Eleven processes share this machine; a look is work for two of them.
      await sleep(200);
      const record = await get<RunRecord>(`/runs/${run}`);
      return record !== undefined && ends.includes(record.state) ? record : undefined;
    },
    60_000,
  );
  const wrong = ended.steps.filter((step) => step.status !== "done");
  const log = wrong.length === 0 ? "" : [...output].map(([name, text]) => `${name}: ${text}`);
  const why = `${ended.cause.text}\n${log}`;
  expect({ state: ended.state, wrong }, why).toEqual({ state: "completed", wrong: [] });
}, 70_000);

test("containers: STOP reaches every driver over the shared sockets and the broker", async () => {
  const reply = await fetch(`${api}/stop`, { method: "POST" });
  expect(await reply.json()).toMatchObject({ delivered: true });
});

test("containers: a service whose process is gone is unhealthy", async () => {
  const child = processes.get("driver-y");
  child?.kill("SIGTERM");
  await until("driver-y ended", () => child?.exitCode !== null, 15_000);
  expect(child?.exitCode).toBe(0);
  expect(await health("driver-y")).toBe(1);
}, 40_000);
