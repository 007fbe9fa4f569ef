/**
 * Node-RED with node-red-contrib-modbus as the other master of the gateway benchmark.
 *
 * The idea: installed once, with npm, into a cache folder outside the repository, under a Node of
 * its own; a flow polls eight units and writes what it is told over HTTP, with the client's
 * default settings. The override replaces a fork of modbus-serial that cannot be installed with
 * the original, which is the state of the art the peer was made for. It refuses to tune the peer.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { end, sleep, unitsAll } from "./line-rig.js";

const packages = {
  name: "servocell-bench-peer",
  private: true,
  dependencies: { node: "22", "node-red": "5", "node-red-contrib-modbus": "5" },
  overrides: { "@openp4nr/modbus-serial": "npm:modbus-serial@8.0.25" },
};
const installLimitMs = 600_000;
const startLimitMs = 60_000;
const answerLimitMs = 8_000;
const pollMs = 200;

export class NodeRed {
  readonly #cache: string;
  readonly #dir = mkdtempSync(join(tmpdir(), "servocell-node-red-"));
  #child: ChildProcess | undefined;
  #port = 0;

  private constructor(cache: string) {
    this.#cache = cache;
  }

  /** Undefined, and why, when it cannot be had. */
  static async installed(say: (line: string) => void): Promise<NodeRed | undefined> {
    const root = process.env.SERVOCELL_BENCH_CACHE ?? join(homedir(), ".cache/servocell-bench");
    const cache = join(root, "node-red");
    try {
      if (!existsSync(join(cache, "node_modules/node-red-contrib-modbus"))) {
        say(`  Node-RED is installed into ${cache} …`);
        mkdirSync(cache, { recursive: true });
        writeFileSync(join(cache, "package.json"), JSON.stringify(packages));
        await npmInstall(cache);
      }
      return new NodeRed(cache);
    } catch (problem) {
      const why = problem instanceof Error ? (problem.message.split("\n")[0] ?? "") : "";
      say(`  Node-RED cannot be installed (${why}): our side stands alone.`);
      return undefined;
    }
  }

  async start(gateway: number): Promise<void> {
    this.#port = await freePort();
    const settings = {
      ...{ uiPort: this.#port, uiHost: "127.0.0.1", httpAdminRoot: false, flowFile: "flows.json" },
      ...{ credentialSecret: false, logging: { console: { level: "off" } }, editorTheme: {} },
    };
    writeFileSync(join(this.#dir, "settings.js"), `module.exports=${JSON.stringify(settings)};`);
    writeFileSync(join(this.#dir, "flows.json"), JSON.stringify(flow(gateway)));
    const modules = join(this.#cache, "node_modules");
    const args = [join(modules, "node-red/red.js"), "-u", this.#dir];
    this.#child = spawn(
      join(modules, "node/bin/node"),
      [...args, "-s", join(this.#dir, "settings.js")],
      { cwd: this.#cache, stdio: "ignore", env: { ...process.env, NODE_PATH: modules } },
    );
    const limit = performance.now() + startLimitMs;
    while (!(await reachable(this.#port))) {
      if (performance.now() > limit) throw new Error("Node-RED does not come up");
      await sleep(200);
    }
  }

  /** Node-RED answers 200 when the node says that it wrote; anything else is told as it is. */
  write(value: number): Promise<boolean | undefined> {
    const body = JSON.stringify({ v: value, u: 1 });
    return new Promise((resolve) => {
      const request = http.request(
        {
          ...{ host: "127.0.0.1", port: this.#port, path: "/w", method: "POST" },
          ...{ headers: { "content-type": "application/json" }, timeout: answerLimitMs },
        },
        (reply) => {
          reply.resume();
          reply.on("end", () => resolve(reply.statusCode === 200));
        },
      );
      request.on("timeout", () => request.destroy());
      request.on("error", () => resolve(undefined));
      request.end(body);
    });
  }

  async close(): Promise<void> {
    await end(this.#child);
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

function npmInstall(folder: string): Promise<void> {
  const args = ["install", "--no-audit", "--no-fund", "--loglevel=error"];
  return new Promise((resolve, reject) => {
    execFile("npm", args, { cwd: folder, timeout: installLimitMs }, (problem) => {
      if (problem === null) resolve();
      else reject(problem);
    });
  });
}

function reachable(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

const silentNode = { showErrors: false, showWarnings: false, showStatusActivities: false };

function flow(gateway: number): object[] {
  const client = {
    ...{ id: "c", type: "modbus-client", name: "", clienttype: "tcp", bufferCommands: true },
    ...{ stateLogEnabled: false, queueLogEnabled: false, failureLogEnabled: false },
    ...{ tcpHost: "127.0.0.1", tcpPort: String(gateway), tcpType: "DEFAULT", serialPort: "" },
    ...{ serialType: "RTU-BUFFERD", serialBaudrate: 9600, serialDatabits: 8, serialStopbits: 1 },
    ...{ serialParity: "none", serialConnectionDelay: 100, unit_id: 1, commandDelay: 1 },
    ...{ serialAsciiResponseStartDelimiter: "0x3A", clientTimeout: 1000 },
    ...{ reconnectOnTimeout: true, reconnectTimeout: 2000, parallelUnitIdsAllowed: true },
    ...{ showErrors: false, showWarnings: false, showLogs: false },
  };
  const reads = unitsAll.map((unit) => ({
    ...{ id: `r${unit}`, type: "modbus-read", z: "t", name: "", topic: "", server: "c" },
    ...{ unitid: String(unit), dataType: "HoldingRegister", adr: "0", quantity: "10" },
    ...{ rate: String(pollMs), rateUnit: "ms", delayOnStart: false, startDelayTime: "" },
    ...{ useIOFile: false, ioFile: "", useIOForPayload: false, emptyMsgOnFail: false },
    ...{ logIOActivities: false, wires: [[], []], ...silentNode },
  }));
  const func =
    "msg.payload={value:msg.payload.v,fc:6,unitid:msg.payload.u||1,address:5,quantity:1};return msg;";
  const writes = [
    { id: "h", type: "http in", z: "t", name: "", url: "/w", method: "post", wires: [["fn"]] },
    { id: "fn", type: "function", z: "t", name: "", func, outputs: 1, wires: [["w"]] },
    {
      ...{ id: "w", type: "modbus-flex-write", z: "t", name: "", server: "c" },
      ...{ emptyMsgOnFail: true, keepMsgProperties: true, delayOnStart: false },
      ...{ startDelayTime: "", wires: [["o"], []], ...silentNode },
    },
    { id: "o", type: "http response", z: "t", name: "", statusCode: "200", headers: {}, wires: [] },
  ];
  return [{ id: "t", type: "tab", label: "bench" }, client, ...reads, ...writes];
}
