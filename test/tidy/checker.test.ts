/**
 * Tests of the style checker itself: each rule bites on a bad line and spares a good one.
 *
 * The idea: a checker that never complains is worth nothing, so every ban has its example. It
 * refuses to read the repository.
 */
import { expect, test } from "vitest";
import { checkFile } from "./checker.js";

const header = `/**\n * What it is.\n *\n * The idea: one paragraph that says why. It refuses to do more.\n * So.\n */\n`;
const bad: readonly [string, string, string, string][] = [
  [
    "a driver importing the coordinator",
    "services/driver/app.ts",
    `import { a } from "../coordinator/app.js";`,
    "may not import coordinator",
  ],
  [
    "an app importing the edge",
    "services/driver/app.ts",
    `import { a } from "#kernel/edge/log.js";`,
    "may not import edge",
  ],
  [
    "an app opening a socket",
    "services/driver/app.ts",
    `import net from "node:net";`,
    "through a port",
  ],
  [
    "drivers importing a service",
    "drivers/codec.ts",
    `import type { A } from "#kernel/ports.js";`,
    "may not import kernel",
  ],
  [
    "drivers reading files",
    "drivers/codec.ts",
    `import { readFileSync } from "node:fs";`,
    "through a port",
  ],
  [
    "a simulator importing the kernel",
    "simulators/device.ts",
    `import { A } from "#kernel/ports.js";`,
    "may not import kernel",
  ],
  [
    "a service with another service's library",
    "services/driver/app.ts",
    `import fastify from "fastify";`,
    "may not depend on fastify",
  ],
  [
    "a machine that waits",
    "services/bus/lanes.machine.ts",
    "export async function next() {}",
    "asynchronous machine",
  ],
  [
    "a machine that knows ports",
    "services/bus/lanes.machine.ts",
    `import type { Log } from "#kernel/ports.js";`,
    "in a machine is banned",
  ],
  ["console in an app", "services/bus/app.ts", `console.log("x");`, "use the log port"],
  [
    "the environment in an app",
    "services/bus/app.ts",
    "const a = process.env.HOME;",
    "use the config",
  ],
  ["chance in an app", "services/bus/app.ts", "const a = Math.random();", "NewId"],
  [
    "a word of functional safety",
    "docs/SAFETY.md",
    `Press the ${"emer"}gency button.`,
    "functional safety",
  ],
  ["a line too long", "services/bus/app.ts", `// ${"x".repeat(100)}`, "100 columns"],
  [
    "a file that holds anything",
    "services/bus/utils.ts",
    "export const a = 1;",
    "use what it holds",
  ],
  ["a camel-case file", "services/bus/laneServer.ts", "export const a = 1;", "kebab-case"],
];

test.each(bad)("tidy bites: %s", (_, path, line, complaint) => {
  expect(checkFile(path, `${header}${line}\n`).join("\n")).toContain(complaint);
});

const good: readonly [string, string, string][] = [
  [
    "a service importing the kernel",
    "services/driver/app.ts",
    `import type { A } from "#kernel/ports.js";`,
  ],
  [
    "a main importing its app and the edge",
    "services/driver/main.ts",
    `import { a } from "#kernel/edge/log.js";\nimport { b } from "./app.js";`,
  ],
  [
    "the world importing an app",
    "simulators/world/cell.ts",
    `import { b } from "../../services/driver/app.js";`,
  ],
  [
    "a page importing the contract's types",
    "web/page.ts",
    `import type { A } from "../services/kernel/contract/payloads.js";`,
  ],
  ["a test importing anything", "test/unit/a.test.ts", `import net from "node:net";`],
];

test.each(good)("tidy spares: %s", (_, path, line) => {
  expect(checkFile(path, `${header}${line}\n`)).toEqual([]);
});

test("tidy bites: a file without a header, and one over 400 lines", () => {
  expect(checkFile("drivers/a.ts", "export const a = 1;\n").join()).toContain("header");
  const long = `${header}${"// a line\n".repeat(400)}`;
  expect(checkFile("drivers/a.ts", long).join()).toContain("two files");
});
