/**
 * A real service process (the embedded broker) from its start to each of its ends.
 * The idea: what the supervisor and a person see: `ready`, sentences, exit codes. It runs the
 * build in `dist/` and refuses fixed ports.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, expect, it } from "vitest";
import { openMqttLink } from "#kernel/edge/mqtt-link.js";
import { freePort } from "../../fixtures/brokers.js";
import { keptLog, until } from "../../fixtures/kept-log.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const example = readFileSync(join(root, "examples/pick-and-place/cell.yaml"), "utf8");
const dir = mkdtempSync(join(tmpdir(), "servocell-process-"));
const children: ChildProcess[] = [];

interface Running {
  readonly child: ChildProcess;
  readonly out: () => string;
  readonly err: () => string;
  readonly exit: Promise<number | null>;
}

async function cellFile(port: number, edit = (text: string) => text): Promise<string> {
  const file = join(dir, `cell-${port}.yaml`);
  const text = example
    .replace(/brokerPort: \d+/, `brokerPort: ${port}`)
    .replace("name: pick-and-place", `name: c${port}`)
    .replace(/^sagas:.*(\n {2}- .*)*$/m, "");
  writeFileSync(file, edit(text));
  return file;
}

function run(args: string[], env: { [name: string]: string } = {}): Running {
  const main = join(root, "dist/services/broker/main.js");
  const child = spawn(process.execPath, [main, ...args], {
    stdio: "pipe",
    // Its run directory goes where the test cleans up.
    env: { ...process.env, TMPDIR: dir, ...env },
  });
  children.push(child);
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    err += chunk;
  });
  const exit = new Promise<number | null>((resolve) => child.once("close", resolve));
  return { child, out: () => out, err: () => err, exit };
}

const start = async (port: number, env?: { [name: string]: string }) => {
  const file = await cellFile(port);
  const running = run(["--cell", file, "--data", join(dir, `data-${port}`)], env);
  await until(() => running.out().includes("ready") || running.child.exitCode !== null);
  expect([running.out(), running.err().includes('"level":50')]).toEqual(["ready\n", false]);
  return running;
};

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

it.each(["SIGTERM", "SIGINT"] as const)(
  "%s ends a ready service in order with 0",
  async (signal) => {
    const running = await start(await freePort());
    running.child.kill(signal);
    expect(await running.exit).toBe(0);
    expect(running.err()).toContain(signal);
  },
);

it("a supervised service ends when its pipe closes; an unsupervised one stays", async () => {
  const supervised = await start(await freePort(), { SERVOCELL_SUPERVISED: "1" });
  const alone = await start(await freePort());
  alone.child.stdin?.end();
  supervised.child.stdin?.end();
  expect(await supervised.exit).toBe(0);
  expect(supervised.err()).toContain("supervisor gone");
  expect(alone.child.exitCode).toBeNull();
});

it("a broker on the same port is told so in a sentence, and exits with 1", async () => {
  const port = await freePort();
  await start(port);
  const second = run(["--cell", await cellFile(port), "--data", join(dir, "second")]);
  expect(await second.exit).toBe(1);
  expect(second.err()).toContain(`127.0.0.1:${port} is used by another program`);
  expect(second.out()).toBe("");
});

it.each([
  ["no arguments", [], "--cell is missing"],
  ["an unknown option", ["--cell", "x.yaml", "--fast"], "--fast"],
  ["an unknown level", ["--cell", "x.yaml", "--log", "loud"], "loud is no level"],
  ["no such file", ["--cell", "/nowhere/cell.yaml"], "/nowhere/cell.yaml:1:1: error"],
])("%s: told on standard error, exit 1", async (_what, args, text) => {
  const running = run(args);
  expect(await running.exit).toBe(1);
  expect(running.err()).toContain(text);
  expect(running.err()).not.toContain("    at ");
});

it("every problem of a faulty cell file is named with its line, exit 1", async () => {
  const port = await freePort();
  const file = await cellFile(port, (text) =>
    text.replace(`brokerPort: ${port}`, "brokerPort: none").replace("unit: 2", "unit: 999"),
  );
  const running = run(["--cell", file]);
  expect(await running.exit).toBe(1);
  const named = running.err().match(/^.*cell-\d+\.yaml:\d+:\d+: error: .*$/gm) ?? [];
  expect(named.length).toBeGreaterThanOrEqual(2);
});

it("clients keep no session: what was sent while one was away does not come later", async () => {
  const port = await freePort();
  await start(port);
  const log = keptLog();
  const base = { url: `mqtt://127.0.0.1:${port}`, prefix: "p/c", log } as const;
  const seen: string[] = [];
  const listen = () => {
    const made = openMqttLink({ ...base, clientId: "driver-x", session: "persistent" });
    made.subscribe("axisCommand", { axis: "x" }, (m) => void seen.push(m.payload.id));
    return made;
  };
  const by = { user: "ada", role: "operator" };
  const command = (id: string) =>
    ({ v: 1, id, ts: 1, ttlMs: 1, by, replyTo: "cli", args: {} }) as const;
  const sender = openMqttLink({ ...base, clientId: "coordinator" });
  const first = listen();
  await until(() => first.connected && sender.connected);
  await first.close();
  await sender.publish("axisCommand", { axis: "x", verb: "home" }, command("away"));
  const second = listen();
  let up = false;
  second.onChange((connected) => {
    up = connected;
  });
  await until(() => up);
  await sender.publish("axisCommand", { axis: "x", verb: "home" }, command("back"));
  await until(() => seen.length > 0);
  expect(seen).toEqual(["back"]);
  await Promise.all([second.close(), sender.close()]);
});
