/**
 * The thread that owns one serial line.
 *
 * The idea: t3.5 is shorter than what Node's timers can wait, and any work on the same loop adds
 * to it; so the line has a thread that sleeps to within a few characters of the moment and spins
 * the rest. It refuses to decide anything: the line is in serial-line.ts.
 */
import { parentPort, workerData } from "node:worker_threads";
import type { Ms } from "#drivers/reading.js";
import { SerialDevice } from "./serial-device.js";
import { holderOf } from "./serial-holder.js";
import { type LinePorts, type LineSetup, SerialLine, type ToLine } from "./serial-line.js";

/** What a timer can be late; the rest of a wait is slept through by the thread itself. */
const timerSlackMs: Ms = 2.2;
/** What a sleep can be late; the rest is spun. */
const sleepSlackMs: Ms = 0.25;
/** What a look at the port takes; it comes as late as it can, for bytes that came meanwhile. */
const pollSlackMs: Ms = 0.06;

const sleeper = new Int32Array(new SharedArrayBuffer(4));

const ports: LinePorts = {
  open: (options) => SerialDevice.open(options),
  at: (moment, look, then) => {
    const wake = () => {
      sleepUntil(moment - sleepSlackMs);
      spinUntil(moment - pollSlackMs);
      look();
      spinUntil(moment);
      then();
    };
    const leftMs = moment - performance.now();
    if (leftMs <= timerSlackMs) {
      wake();
      return () => undefined;
    }
    const timer = setTimeout(wake, Math.floor(leftMs - timerSlackMs));
    return () => clearTimeout(timer);
  },
  reason,
};

function sleepUntil(moment: Ms): void {
  const leftMs = moment - performance.now();
  if (leftMs > 0) Atomics.wait(sleeper, 0, 0, leftMs);
}

function spinUntil(moment: Ms): void {
  while (performance.now() < moment);
}

function reason(thrown: unknown, path: string): string {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  if (!/cannot lock port|resource busy/i.test(text)) return text;
  return `the port is in use by ${holderOf(path) ?? "another process"}`;
}

if (parentPort !== null) {
  const port = parentPort;
  const setup = workerData as LineSetup;
  const line = new SerialLine(setup, ports, (message) => port.postMessage(message));
  port.on("message", (message: ToLine) => {
    void line.handle(message).then(() => {
      if (message.kind === "close") port.close();
    });
  });
}
