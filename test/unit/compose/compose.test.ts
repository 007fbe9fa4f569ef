/**
 * docker-compose.yml and Dockerfile, judged without Docker.
 *
 * The idea: names, networks, volumes, ports, order, health and commands are held against the cell
 * file that they run and against the command itself. It refuses to guess what Docker would do.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Script } from "node:vm";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { loadCell } from "#kernel/config/cell-file.js";
import { readCompose, readDockerfile } from "../../fixtures/compose-file.js";

const compose = readCompose();
const services = Object.entries(compose.services);
const ours = services.filter(([, service]) => service.build !== undefined);
const cellPath = "examples/pick-and-place/cell.compose.yaml";
const inImage = `/app/${cellPath}`;
const checked = loadCell(cellPath);
if (!checked.ok) throw new Error(checked.problems.map((p) => p.message).join("\n"));
const cell = checked.value;

test("cell: the file of the containers is sound and runs the demo cell's machine", () => {
  const own = parse(readFileSync(cellPath, "utf8"));
  const demo = parse(readFileSync("examples/pick-and-place/cell.yaml", "utf8"));
  for (const part of ["devices", "interlocks", "sagas"]) expect(own[part]).toEqual(demo[part]);
  expect(Object.keys(own.buses)).toEqual(Object.keys(demo.buses));
});

test("services: one container each for broker, simulator, bus, every driver, the rest", () => {
  const drivers = cell.devices.map((device) => `driver-${device.id}`);
  const wanted = ["mosquitto", "simulator", "bus", ...drivers, "coordinator", "gateway"];
  expect(services.map(([name]) => name).sort()).toEqual(wanted.sort());
  expect(new Set(ours.map(([, service]) => service.image))).toEqual(new Set(["servocell:local"]));
});

const topKeys = ["services", "networks", "volumes", "configs"];
const serviceKeys = [
  "build",
  "cap_drop",
  "command",
  "configs",
  "depends_on",
  "environment",
  "healthcheck",
  "image",
  "init",
  "networks",
  "ports",
  "read_only",
  "restart",
  "security_opt",
  "stop_grace_period",
  "volumes",
];
const healthKeys = ["interval", "retries", "start_period", "test", "timeout"];

test("structure: only keys of the compose format, every name that is used is declared", () => {
  expect(Object.keys(compose).filter((k) => !k.startsWith("x-") && !topKeys.includes(k))).toEqual(
    [],
  );
  for (const [, service] of services) {
    expect(Object.keys(service).filter((key) => !serviceKeys.includes(key))).toEqual([]);
    expect(Object.keys(service.healthcheck).sort()).toEqual(healthKeys);
    expect(service.restart).toBe("unless-stopped");
    for (const network of service.networks) expect(compose.networks).toHaveProperty(network);
    for (const volume of service.volumes ?? []) {
      expect(volume).toMatch(/^[a-z]+:\/[a-z/]+$/);
      expect(compose.volumes).toHaveProperty(volume.split(":")[0] ?? "");
    }
    for (const config of service.configs ?? []) {
      expect(existsSync(compose.configs[config.source]?.file ?? "nowhere")).toBe(true);
    }
    for (const value of Object.values(service.environment ?? {}))
      expect(value).toBeTypeOf("string");
  }
});

test("order: dependencies exist, are healthy where asked, and form no ring", () => {
  const depth = (name: string, path: readonly string[]): number => {
    expect(path).not.toContain(name);
    const service = compose.services[name];
    expect(service, name).toBeDefined();
    const needs = Object.entries(service?.depends_on ?? {});
    for (const [, need] of needs) {
      expect(["service_started", "service_healthy"]).toContain(need.condition);
    }
    return 1 + Math.max(0, ...needs.map(([need]) => depth(need, [...path, name])));
  };
  const drivers = cell.devices.map((device) => depth(`driver-${device.id}`, []));
  // Docker ends in the reverse order: who gives orders, then the drivers, then their bus.
  expect(depth("coordinator", [])).toBeGreaterThan(Math.max(...drivers));
  expect(Math.min(...drivers)).toBeGreaterThan(depth("bus", []));
});

test("reach: only the page is published, on the host's loopback; the broker stays inside", () => {
  const published = services.flatMap(([name, s]) => (s.ports ?? []).map((port) => [name, port]));
  expect(published).toEqual([["gateway", `127.0.0.1:8080:${cell.gateway.port}`]]);
  expect(compose.networks.control).toEqual({ internal: true });
  for (const [name, service] of services) {
    expect(service.networks).toEqual(name === "gateway" ? ["control", "page"] : ["control"]);
    expect(service).not.toHaveProperty("privileged");
    if (service.build !== undefined) expect(service.cap_drop).toEqual(["ALL"]);
  }
  const page = compose.networks.page as { ipam: { config: { gateway: string }[] } };
  const operators = compose.services.gateway?.environment?.SERVOCELL_OPERATORS;
  expect(operators).toBe(page.ipam.config[0]?.gateway);
});

test("addresses: broker and buses of the cell file are containers of this file", () => {
  const hosts = cell.buses.flatMap((bus) => (bus.link.kind === "tcp" ? [bus.link.host] : []));
  if (cell.broker.kind === "external") hosts.push(new URL(cell.broker.url).hostname);
  expect(hosts.length).toBe(cell.buses.length + 1);
  for (const host of hosts) expect(compose.services).toHaveProperty(host);
  const conf = readFileSync(compose.configs.mosquitto?.file ?? "", "utf8");
  const url = cell.broker.kind === "external" ? new URL(cell.broker.url) : undefined;
  expect(conf).toMatch(new RegExp(`^listener ${url?.port}$`, "m"));
});

test("sharing: all services of ours see the same sockets and files", () => {
  for (const [, service] of ours) {
    expect(service.volumes).toEqual(["run:/run/servocell", "data:/data"]);
    expect(service.command?.slice(-2)).toEqual(["--data", "/data"]);
    expect(service.command).toContain(inImage);
  }
  const run = compose.volumes.run as { driver_opts: { o: string } };
  expect(run.driver_opts.o).toBe("uid=1000,gid=1000,mode=0700");
});

test("simulator: listens for its container's network, which is internal and publishes nothing", () => {
  const { command = [], networks, ports } = compose.services.simulator ?? {};
  expect(command.join(" ")).toContain("--listen 0.0.0.0");
  expect(ports).toBeUndefined();
  for (const name of networks ?? []) {
    expect(compose.networks[name]).toMatchObject({ internal: true });
  }
});

test("health: each script compiles, and each service's topic is its own", () => {
  for (const [name, service] of ours) {
    const [how, node, flag, script = ""] = service.healthcheck.test;
    expect([how, node, flag]).toEqual(["CMD", "node", "-e"]);
    expect(() => new Script(script)).not.toThrow();
    if (name === "simulator") continue;
    const topic = `${cell.prefix}/${cell.cell}/avail/${name}`;
    expect(service.environment?.SERVOCELL_AVAIL).toBe(topic);
  }
});

test.each(ours.map(([name, service]) => [name, service.command ?? []] as const))(
  "command: `servocell` understands what %s runs",
  (name, command) => {
    const nowhere = join(mkdtempSync(join(tmpdir(), "sc-")), "nowhere.yaml");
    const args = command.map((word) => (word === inImage ? nowhere : word));
    const done = spawnSync(process.execPath, ["dist/services/cli/main.js", ...args], {
      encoding: "utf8",
    });
    // It got as far as the cell file, which is not there; a misspelt word would end it before.
    expect(done.status).toBe(1);
    expect(done.stderr).toContain("nowhere.yaml");
    expect(done.stderr).not.toMatch(/unknown|usage|missing/i);
    const device = /^driver-(.*)$/.exec(name)?.[1];
    if (device !== undefined) expect(command.slice(0, 2)).toEqual(["driver", device]);
    else expect(command[0]).toBe(name === "simulator" ? "sim" : name);
  },
  30_000,
);

test("image: every COPY has its source, nothing of it is ignored, and it does not run as root", () => {
  const steps = readDockerfile();
  const ignored = readFileSync(".dockerignore", "utf8").split("\n").filter(Boolean);
  const copies = steps.filter((step) => step.word === "COPY" && !step.rest.startsWith("--from"));
  expect(copies.length).toBeGreaterThan(5);
  for (const copy of copies) {
    for (const source of copy.rest.split(" ").slice(0, -1)) {
      expect(existsSync(source), source).toBe(true);
      expect(ignored).not.toContain(source);
    }
  }
  const fromBuild = steps.filter((step) => step.rest.startsWith("--from=build"));
  expect(fromBuild.map((step) => step.rest.split(" ")[1])).toEqual([
    "/app/node_modules",
    "/app/dist",
  ]);
  expect(steps.findLast((step) => step.word === "USER")?.rest).toBe("node");
  const entry = JSON.parse(steps.find((step) => step.word === "ENTRYPOINT")?.rest ?? "[]");
  expect(entry).toEqual(["node", "/app/dist/services/cli/main.js"]);
  expect(existsSync("services/cli/main.ts")).toBe(true);
  const made = copies.map((copy) => copy.rest.split(" ").at(-1));
  for (const need of ["./drivers/profiles", "./web", "./examples"]) expect(made).toContain(need);
});
