/**
 * What a machine can check of the house style, one file at a time.
 *
 * The idea: a pure function from path and text to complaints of the form
 * `path:line: error: X is banned, use Y`, so the checker can be tested like any other code.
 * Exceptions are by folder or suffix, never by file name. Formatting, types and function length
 * are the formatter's, the compiler's and the linter's business.
 */
import { arrowProblem } from "./arrows.js";

const linesMax = 400;
const columnsMax = 100;
const mainLinesMax = 60;

interface Ban {
  readonly what: string;
  readonly pattern: RegExp;
  readonly use: string;
  /** Where it is banned. */
  readonly where: RegExp;
  readonly except?: RegExp;
}

const code = /^(drivers|services|simulators|web)\/.*\.ts$/;
const outside = /^(services\/(cli|supervisor)\/|services\/kernel\/edge\/|.*\/main\.ts$|web\/)/;
const w = (...parts: string[]) => parts.join("");

const bans: readonly Ban[] = [
  { what: "console", pattern: /\bconsole\./, use: "the log port", where: code, except: outside },
  {
    what: "process.env",
    pattern: /\bprocess\.env\b/,
    use: "the config",
    where: code,
    except: outside,
  },
  { what: "Math.random", pattern: /\bMath\.random\b/, use: "the NewId port", where: code },
  {
    what: "setImmediate",
    pattern: /\bsetImmediate\b/,
    use: "setTimeout",
    where: /^services\/.*\.ts$/,
    except: outside,
  },
  {
    what: "a mocked module",
    pattern: /\bvi\.(do)?[mM]ock\(/,
    use: "a seam: pure test files share their modules",
    where: /^test\/(unit|property|sim)\//,
  },
  {
    what: "AbortSignal.timeout",
    pattern: /\bAbortSignal\.timeout\b/,
    use: "setTimeout",
    where: code,
  },
  { what: "enum", pattern: /^\s*(export )?(const )?enum\b/, use: "a union", where: code },
  { what: "ts-ignore", pattern: /@ts-(ignore|expect-error)/, use: "a type", where: /\.ts$/ },
  {
    what: "an asynchronous machine",
    pattern: /\b(async|await|Promise|setTimeout|Date\.now|performance)\b/,
    use: "an argument `nowMs` and effects",
    where: /\.machine\.ts$/,
  },
  {
    what: "a word of functional safety",
    pattern: new RegExp(
      `${w("emer", "gency")}|\\b${w("e-", "?stop")}\\b|\\b${w("S", "TO")}\\b|\\b${w("S", "S1")}\\b`,
      "i",
    ),
    use: "stop, quickStop or abort",
    where: /./,
  },
  {
    what: "a word about how the work is organised",
    pattern: new RegExp(`${w("/wo", "rk/")}|\\b${w("iss", "ue")} #?\\d+\\b|${w("TO", "DO")}\\b`),
    use: "the product's own words",
    where: /./,
  },
  {
    what: "a registry's address",
    pattern: new RegExp(w("registry", "\\.(npm|yarn)|\\b(deb|security)\\.[a-z]+\\.org")),
    use: "the package's name",
    where: /./,
  },
];

const importLine = /(?:^|\n)\s*(?:import|export)\s+(type\s)?[^;]*?\sfrom\s+"([^"]+)"/g;

/** All complaints about one file. `path` is relative to the repository. */
export function checkFile(path: string, text: string): string[] {
  const complaints: string[] = [];
  const say = (line: number, problem: string) => {
    complaints.push(`${path}:${line}: error: ${problem}`);
  };
  const lines = text.split("\n");
  checkName(path, say);
  for (const [i, line] of lines.entries()) {
    for (const ban of bans) {
      if (!ban.where.test(path) || ban.except?.test(path)) continue;
      if (ban.pattern.test(line)) say(i + 1, `${ban.what} is banned, use ${ban.use}`);
    }
  }
  if (/\.(ts|mjs)$/.test(path)) checkCode(path, text, lines, say);
  return complaints;
}

type Say = (line: number, problem: string) => void;

function checkName(path: string, say: Say) {
  const name = path.split("/").at(-1) ?? "";
  if (!/\.(ts|mjs|py|yaml)$/.test(name) || path.startsWith(".")) return;
  if (!/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9-]+)*$/.test(name) && !/\.py$/.test(name)) {
    say(1, `the file name ${name} is banned, use a kebab-case noun`);
  }
  if (/^(utils?|helpers?|misc|common|stuff)\b/.test(name)) {
    say(1, `the file name ${name} is banned, use what it holds`);
  }
}

function checkCode(path: string, text: string, lines: readonly string[], say: Say) {
  const header = /^(#![^\n]*\n)?(\/\/[^\n]*\n)*\/\*\*[\s\S]*?\*\//.exec(text)?.[0] ?? "";
  if (header.length < 80) say(1, "a file without a header is banned, use what/idea/refuses");
  const most =
    path.endsWith("/main.ts") && path.startsWith("services/") && !/\/cli\//.test(path)
      ? mainLinesMax
      : linesMax;
  if (lines.length - 1 > most) say(most, `more than ${most} lines are banned, use two files`);
  for (const [i, line] of lines.entries()) {
    if (widthOf(line) > columnsMax) say(i + 1, `a line over ${columnsMax} columns is banned`);
  }
  if (!path.endsWith(".ts") || path === "vitest.config.ts") return;
  for (const found of text.matchAll(importLine)) {
    const line = text.slice(0, found.index).split("\n").length + 1;
    const problem = arrowProblem(path, found[2] ?? "", found[1] !== undefined);
    if (problem !== undefined) say(line, problem);
    if (path.endsWith(".machine.ts") && /^node:|\/ports\.js$/.test(found[2] ?? "")) {
      say(line, `${found[2]} in a machine is banned, use an argument`);
    }
  }
}

/** Columns of a line without its texts: a title or a sentence cannot be broken by a formatter. */
function widthOf(line: string): number {
  return line.length <= columnsMax ? line.length : line.replace(/(["'`]).*\1/, '""').length;
}

/** Folders and files that the top level may hold. A new one needs a decision in docs/adr/. */
export const topLevel = new Set([
  ".ci",
  ".dockerignore",
  ".gitignore",
  ".npmrc",
  "CHANGELOG.md",
  "Dockerfile",
  "LICENSE",
  "README.md",
  "biome.json",
  "docker-compose.yml",
  "docs",
  "drivers",
  "examples",
  "package-lock.json",
  "package.json",
  "services",
  "simulators",
  "test",
  "tsconfig.json",
  "vitest.config.ts",
  "web",
]);
