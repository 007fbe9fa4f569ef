/**
 * Problems of files as lines for a person, with paths as short as they can be.
 *
 * The idea: the format of the drivers' room, relative to where the person stands. It refuses to
 * leave a problem out.
 */
import { relative } from "node:path";
import type { Problem } from "#drivers/device-model.js";
import { formatProblem } from "#drivers/yaml-source.js";

export function formatted(problems: readonly Problem[]): readonly string[] {
  const lines = problems.map((problem) => {
    const near = relative(process.cwd(), problem.file);
    return formatProblem({ ...problem, file: near.startsWith("..") ? problem.file : near });
  });
  const errors = problems.filter((problem) => problem.severity === "error").length;
  if (errors === 0) return lines;
  return [...lines, `${errors} ${errors === 1 ? "error" : "errors"}; nothing was started.`];
}
