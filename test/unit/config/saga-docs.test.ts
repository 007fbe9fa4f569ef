/**
 * docs/SAGAS.md against the code: its tables of keys, and its examples.
 * The idea: keys are compared with the schema both ways; every saga in the text is read and
 * checked like one in a cell. It refuses prose.
 */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { noteFindings } from "#kernel/config/saga-check.js";
import { parseSagas } from "#kernel/config/saga-file.js";
import { editorSchemas } from "../../../services/cli/editor-schemas.js";
import { deviceDraft, linearAxis, problemLine } from "../../fixtures/config/saga-devices.js";

const text = readFileSync("docs/SAGAS.md", "utf8");

/** The keys of the table under a heading. */
function keysUnder(heading: string): readonly string[] {
  const [, section = ""] = text.split(`### ${heading}\n`);
  const [table = ""] = section.split(/\n##/);
  return [...table.matchAll(/^\| `([\w.]+)`/gm)].map(([, key]) => key ?? "");
}

interface Node {
  readonly $ref?: string;
  readonly properties?: { readonly [key: string]: Node };
  readonly additionalProperties?: Node | boolean;
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
}
const schema = editorSchemas().saga as unknown as Node & {
  readonly $defs: { readonly [name: string]: Node };
};

function resolved(node: Node): Node {
  const name = node.$ref?.replace("#/$defs/", "");
  const target = name === undefined ? undefined : schema.$defs[name];
  return target === undefined ? node : resolved(target);
}

/** Every key of a mapping, and those below it with a point between; lists of steps end it. */
function keysOf(node: Node, isStep: (node: Node) => boolean): readonly string[] {
  const { properties = {} } = resolved(node);
  return Object.entries(properties).flatMap(([key, value]) => {
    const below = variantsOf(value)
      .filter((inner) => inner.properties !== undefined && !isStep(inner))
      .flatMap((inner) => keysOf(inner, isStep));
    return [key, ...new Set(below.map((one) => `${key}.${one}`))];
  });
}

function variantsOf(node: Node): readonly Node[] {
  const at = resolved(node);
  const variants = at.anyOf?.flatMap(variantsOf) ?? [at];
  return variants.flatMap((one) => (one.items === undefined ? [one] : variantsOf(one.items)));
}

const isStep = ({ properties }: Node) => properties?.dwell !== undefined;
const step = variantsOf(schema.properties?.steps ?? {}).find(isStep) ?? {};
const inputs = resolved(schema.properties?.inputs ?? {}).additionalProperties;

test.each<[string, readonly string[]]>([
  ["Keys of a saga", Object.keys(schema.properties ?? {})],
  ["Keys of an input", typeof inputs === "object" ? keysOf(inputs, isStep) : []],
  ["Keys of a step", keysOf(step, isStep)],
])("docs/SAGAS.md: %s are those of the schema", (heading, keys) => {
  expect(keys.length).toBeGreaterThan(6);
  expect([...keysUnder(heading)].sort()).toEqual([...keys].sort());
});

const devices = [
  deviceDraft("x", "kinco/fd5p", { ...linearAxis, travel: { min: 0, max: 800 } }),
  deviceDraft("z", "kinco/fd5p", linearAxis),
  deviceDraft("gripper", "robotiq/2f"),
  deviceDraft("spare", "robotiq/2f"),
  deviceDraft("belt", "abb/drives-profile", { ...linearAxis, unit: "percent", velocityMax: 100 }),
];
const sagas = [...text.matchAll(/```yaml\n(saga: [\s\S]*?)```/g)].map(([, saga]) => saga ?? "");

test("docs/SAGAS.md: there are sagas in it", () => {
  expect(sagas.length).toBeGreaterThanOrEqual(6);
});

test.each(sagas.map((saga, i) => [i + 1, saga] as const))(
  "docs/SAGAS.md: its saga %i loads without a word",
  (_, saga) => {
    const drafts = parseSagas([{ file: "docs.yaml", text: saga }], devices);
    noteFindings(drafts, { devices, interlocks: [] });
    expect(drafts[0]?.problems().map(problemLine)).toEqual([]);
    expect(drafts[0]?.definition).toBeDefined();
  },
);
