/**
 * The simulator process: all devices of a cell file, on the file's endpoints.
 *
 * The idea: reads its command line, starts the simulation, prints `ready`, and ends orderly on
 * SIGTERM or when its supervisor's pipe closes. It refuses to know devices.
 */
import { parseArgs } from "node:util";
import { parseFault } from "./faults.js";
import { SimProblem } from "./problem.js";
import { isLoopback, startSim } from "./simulation.js";

/** Longer than the bus service takes to see every driver off. */
const orphanedMsMax = 12_000;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      cell: { type: "string" },
      from: { type: "string" },
      serial: { type: "string" },
      tcp: { type: "string" },
      data: { type: "string" },
      tap: { type: "string" },
      control: { type: "string" },
      lines: { type: "string" },
      listen: { type: "string" },
      fault: { type: "string", multiple: true },
      "unknown-unit": { type: "string" },
    },
  });
  const { cell, from, serial, tcp } = values;
  if (cell === undefined && from === undefined) {
    throw new SimProblem("Name the cell file (--cell FILE) or a recording (--from FILE).");
  }
  const place = {
    ...(serial === undefined ? {} : { serial }),
    ...(tcp === undefined ? {} : { tcp }),
  };
  const faults = (values.fault ?? []).map(parseFault);
  const simulation = await startSim({
    ...(cell === undefined ? {} : { cellFile: cell }),
    ...(from === undefined ? {} : { recorded: { file: from, ...place } }),
    rateMatters: true,
    unknownUnit: values["unknown-unit"] === "exception" ? "exception" : "silent",
    ...(values.tap === undefined ? {} : { tapFile: values.tap }),
    ...(values.control === undefined ? {} : { controlPath: values.control }),
    ...(values.lines === undefined ? {} : { linesDir: values.lines }),
    ...(values.listen === undefined ? {} : { listenHost: values.listen }),
  });
  for (const { device, fault, value } of faults) simulation.setFault(device, fault, value);
  const end = () => void simulation.close().finally(() => process.exit(0));
  process.once("SIGTERM", end);
  process.once("SIGINT", end);
  // Devices outlive the PC that commands them: whoever is still connected has axes to stop.
  const orphaned = () => {
    const began = Date.now();
    const look = setInterval(() => {
      if (simulation.clients() > 0 && Date.now() - began < orphanedMsMax) return;
      clearInterval(look);
      end();
    }, 100);
  };
  if (process.env.SERVOCELL_SUPERVISED === "1") process.stdin.once("close", orphaned).resume();
  if (from !== undefined) {
    for (const path of Object.values(simulation.paths))
      process.stdout.write(`answers at ${path}\n`);
    for (const port of Object.values(simulation.ports)) {
      process.stdout.write(`answers at port ${port} of this PC\n`);
    }
  }
  if (values.listen !== undefined) warnOfListening(values.listen, simulation.ports);
  process.stdout.write("ready\n");
}

function warnOfListening(host: string, ports: Readonly<Record<string, number>>): void {
  if (isLoopback(host) || Object.keys(ports).length === 0) return;
  const places = Object.values(ports).map((port) => `${host} port ${port}`);
  console.error(
    `Simulated devices listen at ${places.join(", ")}. They have no protection: whoever reaches ` +
      "that network can command them. Let no real master and nobody else onto it.",
  );
}

main().catch((problem: unknown) => {
  const expected = problem instanceof SimProblem || isWrongArgument(problem);
  console.error(expected ? (problem as Error).message : problem);
  process.exit(1);
});

function isWrongArgument(problem: unknown): boolean {
  return (
    problem instanceof TypeError && String(Reflect.get(problem, "code")).startsWith("ERR_PARSE")
  );
}
