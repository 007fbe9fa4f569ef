/**
 * The table of judges in docs/VERIFICATION.md: what each promises, and what it has caught.
 *
 * The idea: the page is compared with the lists themselves, so that it cannot promise a judge that
 * nothing has tried. It refuses to write the page.
 */
import { judges } from "#simulators/judges/all.js";
import { mutations } from "./mutations.js";

/** Judges that no mutation of the product has tried, and why. */
export const untried: ReadonlyMap<string, string> = new Map([
  ["recipes", "cases by hand only: it judges sagas, which no mutation of the product breaks"],
]);

export function verificationTable(): readonly string[] {
  const rows = judges.map(({ name, promise }) => {
    const caught = mutations.filter(({ caughtBy }) => caughtBy === name);
    const broken = caught.map(({ breaks }) => breaks).join("; ");
    return `| ${name} | ${promise} | ${broken || untried.get(name) || ""} |`;
  });
  return ["| judge | promise | broken on purpose, and caught |", "| --- | --- | --- |", ...rows];
}
