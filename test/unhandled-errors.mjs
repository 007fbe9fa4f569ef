/**
 * A reporter that keeps the errors which belong to no test, so that the runner can count them.
 * The idea: one line of JSON each beside the results. It refuses to judge them.
 */
import { writeFileSync } from "node:fs";
import process from "node:process";

// biome-ignore lint/style/noDefaultExport: vitest takes a reporter from the default export.
export default class UnhandledErrors {
  onTestRunEnd(_modules, errors) {
    const lines = errors.map((error) => `${JSON.stringify(`${error.name}: ${error.message}`)}\n`);
    writeFileSync(process.env.SERVOCELL_UNHANDLED, lines.join(""));
  }
}
