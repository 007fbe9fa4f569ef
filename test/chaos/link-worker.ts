/**
 * The thread of the links: whatever the main thread is busy with, the wires do not feel it.
 *
 * The idea: it takes the links it is to open as its data, and orders as messages. It refuses to
 * decide anything.
 */
import { parentPort, workerData } from "node:worker_threads";
import { Link, type LinkOrder, type LinkSpec } from "./links.js";

const links = new Map((workerData as LinkSpec[]).map((spec) => [spec.name, new Link(spec)]));
await Promise.all([...links.values()].map((link) => link.listen()));
parentPort?.on("message", (order: LinkOrder) => links.get(order.link)?.obey(order));
parentPort?.postMessage("ready");
