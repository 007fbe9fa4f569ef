/**
 * The same steps on DBOS: a process of its own, started by the bench.
 *
 * The idea: `node saga-dbos-peer.js FOLDER DATABASE-URL` takes the package from the folder it was
 * installed into, runs no-op steps as its documents show, and prints one line of JSON. It refuses
 * to be imported.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

type Workflow = (steps: number) => Promise<number[]>;
interface Dbos {
  setConfig(config: object): void;
  registerWorkflow(workflow: Workflow, options: object): Workflow;
  runStep(step: () => Promise<number>, options: object): Promise<number>;
  launch(): Promise<void>;
  shutdown(): Promise<void>;
}

const [folder = "", systemDatabaseUrl = "", scale = "1"] = process.argv.slice(2);
const share = Number(scale);
const from = createRequire(join(folder, "package.json"));
const path = pathToFileURL(from.resolve("@dbos-inc/dbos-sdk")).href;
const { DBOS } = (await import(path)) as { DBOS: Dbos };

const noop = async () => 1;
DBOS.setConfig({ name: "bench", systemDatabaseUrl, logLevel: "error" });
const workflow = DBOS.registerWorkflow(
  async (steps) => {
    const times: number[] = [];
    for (let i = 0; i < steps; i += 1) {
      const fromMs = performance.now();
      await DBOS.runStep(noop, { name: "noop" });
      times.push(performance.now() - fromMs);
    }
    return times;
  },
  { name: "noops" },
);
await DBOS.launch();
await workflow(100 * share);
const steps = await workflow(1000 * share);
const runs: number[] = [];
for (let i = 0; i < 200 * share; i += 1) {
  const fromMs = performance.now();
  await workflow(3);
  runs.push(performance.now() - fromMs);
}
const together = 600 * share;
let left = together;
const fromMs = performance.now();
await Promise.all(
  Array.from({ length: 16 }, async () => {
    while (left > 0) {
      left -= 1;
      await workflow(3);
    }
  }),
);
const perSecond = together / ((performance.now() - fromMs) / 1000);
process.stdout.write(`PEER ${JSON.stringify({ steps, runs, perSecond })}\n`);
await DBOS.shutdown();
process.exit(0);
