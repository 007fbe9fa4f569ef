/**
 * Other engines with durable steps, on the same disk and in the same call as ours.
 *
 * The idea: DBOS is installed into a folder of the bench's own and runs on a PostgreSQL server that
 * the bench starts in a temporary folder, with its default durability. What is not there is said
 * to be not installed. It refuses to tune a peer, for or against it.
 */
import { execFile, spawn } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
} from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = join(import.meta.dirname, "..", "..", "..");
const folder = join(root, "dist", "bench-peers");
const startMsMax = 15_000;

export interface PeerTimes {
  readonly steps: readonly number[];
  readonly runs: readonly number[];
  readonly perSecond: number;
}

/** Undefined: not installed, with the reason said. */
export async function benchDbos(
  scale: number,
  say: (line: string) => void,
): Promise<PeerTimes | undefined> {
  const bin = postgresBin();
  if (bin === undefined) {
    say("DBOS: not measured, PostgreSQL is not installed (Debian: postgresql)");
    return undefined;
  }
  if (!(await isInstalled(say))) return undefined;
  const server = await Postgres.start(bin);
  try {
    const url = `postgresql://postgres@127.0.0.1:${server.port}/bench`;
    const peer = join(import.meta.dirname, "saga-dbos-peer.js");
    const limits = { timeout: 120_000, maxBuffer: 16_000_000 };
    const { stdout } = await run(process.execPath, [peer, folder, url, `${scale}`], limits);
    const line = stdout.split("\n").find((one) => one.startsWith("PEER "));
    return line === undefined ? undefined : (JSON.parse(line.slice(5)) as PeerTimes);
  } finally {
    await server.stop();
  }
}

async function isInstalled(say: (line: string) => void): Promise<boolean> {
  const there = join(folder, "node_modules", "@dbos-inc", "dbos-sdk");
  if (existsSync(there)) return true;
  mkdirSync(folder, { recursive: true });
  try {
    const flags = ["--prefix", folder, "--no-audit", "--no-fund"];
    await run("npm", ["install", ...flags, "@dbos-inc/dbos-sdk@5"], { timeout: 120_000 });
    return true;
  } catch {
    say("DBOS: not measured, @dbos-inc/dbos-sdk could not be installed");
    return false;
  }
}

/** The newest one that Debian's packages have put there. */
function postgresBin(): string | undefined {
  const lib = "/usr/lib/postgresql";
  if (!existsSync(lib)) return undefined;
  const versions = readdirSync(lib).sort((a, b) => Number(b) - Number(a));
  return versions
    .map((one) => join(lib, one, "bin"))
    .find((bin) => existsSync(join(bin, "initdb")));
}

class Postgres {
  readonly port: number;
  readonly #dir: string;
  readonly #child: ReturnType<typeof spawn>;

  private constructor(dir: string, port: number, child: ReturnType<typeof spawn>) {
    this.#dir = dir;
    this.port = port;
    this.#child = child;
  }

  static async start(bin: string): Promise<Postgres> {
    const dir = mkdtempSync(join(tmpdir(), "servocell-postgres-"));
    const data = join(dir, "data");
    mkdirSync(data);
    const who = await servant();
    if (who.uid !== undefined && who.gid !== undefined) {
      chmodSync(dir, 0o755);
      chownSync(data, who.uid, who.gid);
    }
    const init = ["-D", data, "-U", "postgres", "-A", "trust"];
    await run(join(bin, "initdb"), init, { ...who, cwd: data });
    const port = await freePort();
    const args = ["-D", data, "-h", "127.0.0.1", "-p", `${port}`, "-k", data];
    const child = spawn(join(bin, "postgres"), args, { ...who, cwd: data, stdio: "ignore" });
    const server = new Postgres(dir, port, child);
    const untilMs = performance.now() + startMsMax;
    const ready = ["-h", "127.0.0.1", "-p", `${port}`];
    while (performance.now() < untilMs) {
      const answer = await run(join(bin, "pg_isready"), ready).catch(() => undefined);
      if (answer !== undefined) return server;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await server.stop();
    throw new Error(`PostgreSQL was not ready within ${startMsMax} ms`);
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGINT");
    await ended;
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/** PostgreSQL refuses to run as root: then as the user that its package has made. */
async function servant(): Promise<{ uid?: number; gid?: number }> {
  if (process.getuid?.() !== 0) return {};
  const id = async (flag: string) => Number((await run("id", [flag, "postgres"])).stdout);
  return { uid: await id("-u"), gid: await id("-g") };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
