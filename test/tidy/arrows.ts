/**
 * Which room may import which: the arrows of the house, as a table.
 *
 * The idea: a file's path names its room, an import names another, and the pair is looked up here.
 * Everything that is not allowed is refused, so a new room starts with no arrows at all.
 */

export interface Room {
  readonly name: string;
  readonly holds: RegExp;
  /** Rooms it may import besides itself. */
  readonly rooms: readonly string[];
  /** npm packages it may depend on. */
  readonly packages: readonly string[];
  /** Node's own modules: all, none, or these. */
  readonly node: "all" | "none" | readonly string[];
}

const service = (name: string, packages: readonly string[] = []): Room => ({
  name,
  holds: new RegExp(`^services/${name}/`),
  rooms: ["kernel", "drivers"],
  packages: ["zod", ...packages],
  node: ["node:path", "node:crypto"],
});

/** The first room that holds a path is its room. */
export const rooms: readonly Room[] = [
  {
    name: "loader",
    holds: /^drivers\/profile-loader\.ts$/,
    rooms: ["drivers"],
    packages: ["yaml", "zod"],
    node: ["node:fs", "node:path", "node:url"],
  },
  {
    name: "drivers",
    holds: /^drivers\//,
    rooms: ["loader"],
    packages: ["yaml", "zod"],
    node: "none",
  },
  {
    name: "edge",
    holds: /^services\/kernel\/edge\//,
    rooms: ["kernel", "drivers", "loader"],
    packages: [
      "mqtt",
      "mqtt-packet",
      "modbus-serial",
      "@serialport/bindings-cpp",
      "better-sqlite3",
      "pino",
      "opossum",
      "ulid",
      "zod",
    ],
    node: "all",
  },
  {
    name: "kernel",
    holds: /^services\/kernel\//,
    rooms: ["drivers", "loader"],
    packages: ["zod", "yaml"],
    node: ["node:fs", "node:path", "node:crypto", "node:os", "node:url"],
  },
  {
    name: "cli",
    holds: /^services\/cli\//,
    rooms: ["kernel", "edge", "drivers", "loader", "supervisor", "main"],
    packages: ["commander", "zod", "yaml"],
    node: "all",
  },
  {
    name: "main",
    holds: /^services\/[a-z]+\/main\.ts$/,
    rooms: ["kernel", "edge", "drivers", "loader", "service"],
    packages: ["commander"],
    node: "all",
  },
  {
    name: "supervisor",
    holds: /^services\/supervisor\//,
    rooms: ["kernel", "edge", "drivers", "loader"],
    packages: ["zod"],
    node: "all",
  },
  service("bus"),
  service("driver"),
  service("coordinator"),
  service("gateway", ["fastify", "@fastify/swagger", "fastify-type-provider-zod", "prom-client"]),
  service("broker", ["aedes", "mqtt-packet"]),
  {
    name: "campaign",
    holds: /^simulators\/campaign\//,
    rooms: ["world", "simulators", "kernel", "edge", "drivers", "loader", "service"],
    packages: ["commander", "zod", "yaml"],
    node: "all",
  },
  {
    name: "world",
    holds: /^simulators\/world\//,
    rooms: ["simulators", "kernel", "drivers", "loader", "service"],
    packages: ["better-sqlite3"],
    node: ["node:timers", "node:timers/promises", "node:module", "node:util", "node:stream"],
  },
  {
    name: "simulators",
    holds: /^simulators\//,
    rooms: ["drivers", "loader"],
    packages: ["yaml", "zod", "@lydell/node-pty"],
    node: "all",
  },
  { name: "web", holds: /^web\//, rooms: ["contract"], packages: [], node: "none" },
  { name: "test", holds: /^test\//, rooms: ["*"], packages: ["*"], node: "all" },
];

export function roomOf(path: string): Room | undefined {
  return rooms.find((room) => room.holds.test(path));
}

/** Where an import of `file` leads: a path in the repository, a package, or a Node module. */
export function targetOf(file: string, specifier: string): string {
  const alias = /^#(drivers|kernel|simulators)\/(.*)\.js$/.exec(specifier);
  if (alias !== null) {
    const folder = alias[1] === "kernel" ? "services/kernel" : alias[1];
    return `${folder}/${alias[2]}.ts`;
  }
  if (!specifier.startsWith(".")) return specifier;
  const parts = file.split("/").slice(0, -1);
  for (const level of specifier.split("/")) {
    if (level === "..") parts.pop();
    else if (level !== ".") parts.push(level);
  }
  return parts.join("/").replace(/\.js$/, ".ts");
}

function packageOf(specifier: string): string {
  const levels = specifier.split("/");
  return specifier.startsWith("@") ? levels.slice(0, 2).join("/") : (levels[0] ?? specifier);
}

/** Undefined: the arrow is allowed. Else the sentence that says what to do. */
export function arrowProblem(file: string, specifier: string, typeOnly: boolean) {
  const from = roomOf(file);
  if (from === undefined) return `no room holds ${file}; give it one in test/tidy/arrows.ts`;
  if (from.rooms.includes("*")) return undefined;
  const target = targetOf(file, specifier);
  if (target.startsWith("node:")) {
    if (typeOnly || from.node === "all" || (from.node !== "none" && from.node.includes(target))) {
      return undefined;
    }
    return `${from.name} may not use ${target}; take it through a port`;
  }
  const to = roomOf(target);
  if (to === undefined) {
    if (from.packages.includes(packageOf(specifier))) return undefined;
    return `${from.name} may not depend on ${packageOf(specifier)}`;
  }
  return roomProblem(from, to, file, target, typeOnly);
}

function roomProblem(from: Room, to: Room, file: string, target: string, typeOnly: boolean) {
  if (from.name === to.name) return undefined;
  if (from.name === "web" && typeOnly && target.startsWith("services/kernel/contract/")) {
    return undefined;
  }
  if (from.rooms.includes(to.name)) return undefined;
  const sameService = file.split("/")[1] === target.split("/")[1];
  if (from.rooms.includes("service") && target.startsWith("services/")) {
    const builds = from.name === "world" || from.name === "campaign";
    if (builds || sameService) return undefined;
  }
  return `${from.name} may not import ${to.name} (${target}); two services share a message`;
}
