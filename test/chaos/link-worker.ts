/**
 * The thread of the links: whatever the main thread is busy with, the wires do not feel it.
 *
 * The idea: it takes the links it is to open as its data, and orders as messages; asked, it says
 * how late its own idle loop was, which is what this machine does to every service. It refuses to
 * decide anything.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { parentPort, workerData } from "node:worker_threads";
import { Link, type LinkOrder, type LinkSpec } from "./links.js";

/** How late timers were since the last question, ms. */
export interface Lateness {
  readonly maxMs: number;
  /** One in a hundred was later than this. */
  readonly oftenMs: number;
}

const resolutionMs = 10;
const delay = monitorEventLoopDelay({ resolution: resolutionMs });
delay.enable();

function lateness(): Lateness {
  // What is measured is the whole period.
  const late = (ns: number) => Math.max(0, Math.round(ns / 1e6) - resolutionMs);
  const said = { maxMs: late(delay.max), oftenMs: late(delay.percentile(99)) };
  delay.reset();
  return said;
}

const links = new Map((workerData as LinkSpec[]).map((spec) => [spec.name, new Link(spec)]));
await Promise.all([...links.values()].map((link) => link.listen()));
parentPort?.on("message", (order: LinkOrder | "late") => {
  if (order === "late") parentPort?.postMessage(lateness());
  else links.get(order.link)?.obey(order);
});
parentPort?.postMessage("ready");
