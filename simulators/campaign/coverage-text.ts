/**
 * Coverage as a table for a person, with what was never reached named first.
 *
 * The idea: the sagas of the cell say what there is to reach, the counts say what was. It refuses
 * percentages: a step that never failed is a name, not a number.
 */
import type { CellConfig } from "#kernel/config/cell.js";
import type { Coverage } from "../world/coverage.js";

const verdicts = ["done", "refused", "faulted", "unknown"] as const;

export function coverageText(coverage: Coverage, cell: CellConfig): string {
  const lines: string[] = [
    "",
    "step: asked, done, refused, faulted, unknown; makeSafe ran from it",
  ];
  const unreached: string[] = [];
  for (const saga of cell.sagas) {
    for (const step of saga.steps) {
      if (step.action.kind !== "operation") continue;
      const key = `${saga.name}/${step.name}`;
      const counts = coverage.steps[key];
      const safe = coverage.makeSafe[key] ?? 0;
      if (counts === undefined) {
        unreached.push(key);
        continue;
      }
      const shown = ["asked", ...verdicts].map((verdict) => String(counts[verdict] ?? 0));
      lines.push(`  ${key.padEnd(36)} ${shown.map((n) => n.padStart(6)).join("")}  ${safe}`);
    }
  }
  lines.push("", "interlock: times challenged");
  for (const { name } of cell.interlocks) {
    lines.push(`  ${name.padEnd(36)} ${coverage.interlocks[name] ?? 0}`);
  }
  lines.push("", "runs ended as");
  for (const [end, count] of Object.entries(coverage.ends).sort()) {
    lines.push(`  ${end.padEnd(36)} ${count}`);
  }
  if (unreached.length > 0) lines.push("", `never reached: ${unreached.join(", ")}`);
  return `${lines.join("\n")}\n`;
}
