/**
 * Where a YAML text is nested deeper, or a mapping is larger, than in any file of ours.
 *
 * The idea: a parser that builds values takes a stack frame for each level, and a stack that runs
 * out there can end the process without a word; and it compares each key of a mapping with all the
 * others. So both are counted among the tokens, on a list of its own. It refuses to build anything.
 */
import type { CST } from "yaml";

/** Levels; the deepest saga that can be written has about fifty. */
export const yamlDepthMax = 100;
/** Keys of one mapping; the largest profile has about two hundred alarms. */
export const yamlKeysMax = 2000;

export interface Excess {
  readonly offset: number;
  readonly message: string;
}

type Collection = CST.BlockMap | CST.BlockSequence | CST.FlowCollection;

function isCollection(token: CST.Token | null | undefined): token is Collection {
  const type = token?.type;
  return type === "block-map" || type === "block-seq" || type === "flow-collection";
}

/** The first value that is too much; undefined: there is none. */
export function excessIn(tokens: readonly CST.Token[]): Excess | undefined {
  let level: Collection[] = tokens.flatMap((token) => {
    return token.type === "document" && isCollection(token.value) ? [token.value] : [];
  });
  for (let depth = 1; level.length > 0; depth += 1) {
    const deep = depth > yamlDepthMax ? level[0] : undefined;
    const large = level.find((one) => one.type !== "block-seq" && one.items.length > yamlKeysMax);
    const found = deep ?? large;
    if (found !== undefined) {
      const many = `more than ${yamlKeysMax} entries in one mapping or flow list`;
      const nested = `more than ${yamlDepthMax} lists and mappings inside each other`;
      return { offset: found.offset, message: deep === undefined ? many : nested };
    }
    level = level.flatMap(({ items }) =>
      (items as readonly CST.CollectionItem[]).flatMap(({ key, value }) => {
        return [key, value].filter(isCollection);
      }),
    );
  }
  return undefined;
}
