/**
 * Who has to have every event of the cell: the durable consumers.
 *
 * The idea: the rules are one where a cell has rules; others (a historian, a bridge) are named in
 * the cell file, `events: { consumers: [historian] }`, and acknowledge under that name. It refuses
 * names that stand for something else.
 */
import type { CellConfig } from "./cell.js";
import type { FileReader } from "./file-reader.js";

/** The name under which the rules acknowledge. */
export const rulesConsumer = "rules";

const taken: { readonly [name: string]: string } = {
  [rulesConsumer]: "the rules of the cell acknowledge by themselves",
  broker: "a broker's receipt is no custody",
};

export function consumersOf(read: FileReader): readonly string[] {
  const path = ["events", "consumers"];
  const names = read.texts(path);
  for (const [i, name] of names.entries()) {
    const where = [...path, String(i)];
    const why = taken[name];
    if (why !== undefined) read.problems.at(where, `${name} cannot be named here: ${why}`);
    if (names.indexOf(name) < i) read.problems.at(where, `${name} is named twice`);
  }
  return names;
}

/** All of them, by the names under which they acknowledge. */
export function eventConsumers({
  rules = [],
  consumers = [],
}: Pick<CellConfig, "rules" | "consumers">): readonly string[] {
  return rules.length > 0 ? [rulesConsumer, ...consumers] : consumers;
}
