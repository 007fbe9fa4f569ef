/**
 * A saga file: YAML in, a saga definition or all its problems out.
 *
 * The idea: every step is judged against the profile and the setup of the device it names, so a
 * saga that loads can be carried out as far as anyone can know beforehand. It refuses a step
 * that moves something and does not say how it is made safe.
 */
import { createHash } from "node:crypto";
import type { Problem } from "#drivers/device-model.js";
import { suggestion } from "#drivers/yaml-schema.js";
import { checkYaml, openYaml } from "#drivers/yaml-source.js";
import type { MakeSafe, SagaDefinition, SagaOperation, SagaStepDefinition } from "./cell.js";
import type { DeviceDraft } from "./cell-devices.js";
import { fieldsOf } from "./cell-interlocks.js";
import { sagaFileSchema } from "./cell-schema.js";
import { parseCondition, writtenOf } from "./condition.js";
import { FileProblems, listed, type Path } from "./file-problems.js";
import { FileReader } from "./file-reader.js";
import { resolveOperation } from "./saga-operation.js";

const stepsMax = 200;
const timeoutMsDefault = 30_000;
const timeoutMsMax = 600_000;
/** A dwell ends by itself; its step may take this much longer than it says. */
const dwellGraceMs = 1_000;

/** A saga file as far as it can be read. */
export interface SagaDraft {
  readonly file: string;
  readonly name: string | undefined;
  readonly prepare: string | undefined;
  readonly definition: SagaDefinition | undefined;
  /** Notes a problem found later, from outside the file. */
  at(path: Path, message: string, facts: { readonly suggestion?: string }): void;
  problems(): readonly Problem[];
}

export function parseSaga(text: string, file: string, devices: readonly DeviceDraft[]): SagaDraft {
  const opened = openYaml(text, file);
  if (!opened.ok) {
    const nothing = { file, name: undefined, prepare: undefined, definition: undefined };
    return { ...nothing, at: () => {}, problems: () => opened.problems };
  }
  const problems = new FileProblems(opened.source);
  const shape = checkYaml(opened.source, sagaFileSchema);
  if (!shape.ok) problems.add(shape.problems);
  const read = new FileReader(problems);
  const name = read.text(["saga"]);
  const prepare = read.text(["prepare"]);
  const steps = stepsOf(read, devices);
  const uses = usesOf(read, steps, devices);
  const version = createHash("sha256")
    .update(JSON.stringify(opened.source.value))
    .digest("hex")
    .slice(0, 12);
  const definition =
    name === undefined
      ? undefined
      : {
          name,
          title: read.text(["title"]) ?? name,
          version,
          file,
          uses,
          ...(prepare === undefined ? {} : { prepare }),
          onRestart: "makeSafe" as const,
          steps,
        };
  return {
    file,
    name,
    prepare,
    definition,
    at: (path, message, facts) => problems.at(path, message, facts),
    problems: () => problems.list(),
  };
}

function stepsOf(read: FileReader, devices: readonly DeviceDraft[]): readonly SagaStepDefinition[] {
  const count = read.length(["steps"]);
  if (count > stepsMax) read.problems.at(["steps"], `a saga has at most ${stepsMax} steps`);
  const names = new Set<string>();
  const steps: SagaStepDefinition[] = [];
  for (let i = 0; i < Math.min(count, stepsMax); i += 1) {
    const path = ["steps", i];
    const name = read.text([...path, "name"]);
    if (name !== undefined && names.has(name)) {
      read.problems.at([...path, "name"], `the step ${name} stands twice; names are unique`);
    }
    if (name !== undefined) names.add(name);
    const step = stepOf(read, path, devices);
    if (name !== undefined && step !== undefined) steps.push({ name, ...step });
  }
  return steps;
}

type Step = Omit<SagaStepDefinition, "name">;

function stepOf(read: FileReader, path: Path, devices: readonly DeviceDraft[]): Step | undefined {
  const kinds = ["do", "dwell", "waitFor"].filter(
    (kind) => read.raw([...path, kind]) !== undefined,
  );
  if (kinds.length !== 1) {
    const said = kinds.length === 0 ? "nothing" : listed(kinds);
    return read.problems.at(path, `a step has one of do, dwell and waitFor; this has ${said}`);
  }
  const makeSafe = makeSafeOf(read, path, devices, kinds[0] === "do");
  if (kinds[0] === "dwell") return dwellOf(read, path, makeSafe);
  const timeoutMs = read.quantity([...path, "timeout"], {
    unit: "ms",
    fallback: timeoutMsDefault,
    min: 100,
    max: timeoutMsMax,
  });
  const action = kinds[0] === "do" ? operationOf(read, path, devices) : waitOf(read, path, devices);
  if (action === undefined || timeoutMs === undefined || makeSafe === undefined) return undefined;
  return { ...action, timeoutMs, makeSafe };
}

function dwellOf(read: FileReader, path: Path, makeSafe: MakeSafe | undefined): Step | undefined {
  const where = [...path, "dwell"];
  const forMs = read.quantity(where, { unit: "ms", min: 1, max: timeoutMsMax });
  if (read.raw([...path, "timeout"]) !== undefined) {
    read.problems.at([...path, "timeout"], "a dwell ends by itself; it has no timeout");
  }
  if (forMs === undefined || makeSafe === undefined) return undefined;
  const text = `dwell ${String(read.raw(where))}`;
  return { text, timeoutMs: forMs + dwellGraceMs, action: { kind: "dwell", forMs }, makeSafe };
}

type Action = Pick<Step, "text" | "action">;

function operationOf(
  read: FileReader,
  path: Path,
  devices: readonly DeviceDraft[],
): Action | undefined {
  const resolved = resolveOperation(read, path, devices);
  if (resolved === undefined) return undefined;
  return { text: resolved.text, action: { kind: "operation", operation: resolved.operation } };
}

function waitOf(read: FileReader, path: Path, devices: readonly DeviceDraft[]): Action | undefined {
  const where = [...path, "waitFor"];
  const text = read.text(where);
  if (text === undefined) return undefined;
  const parsed = parseCondition(text, fieldsOf(devices));
  if (parsed.ok) {
    const action = { kind: "waitFor", condition: writtenOf(parsed.condition) } as const;
    return { text: `wait for ${parsed.condition.text}`, action };
  }
  return read.problems.at(where, parsed.problems.join("; "), { value: text });
}

function makeSafeOf(
  read: FileReader,
  path: Path,
  devices: readonly DeviceDraft[],
  acts: boolean,
): MakeSafe | undefined {
  const where = [...path, "makeSafe"];
  const raw = read.raw(where);
  if (raw === "still") return { kind: "still" };
  if (Array.isArray(raw)) {
    const operations: SagaOperation[] = [];
    for (const i of raw.keys()) {
      const resolved = resolveOperation(read, [...where, i], devices);
      if (resolved !== undefined) operations.push(resolved.operation);
    }
    return operations.length === raw.length ? { kind: "operations", operations } : undefined;
  }
  if (raw !== undefined || !acts) return { kind: "none" };
  return read.problems.at(where, "the step does not say how it is made safe", {
    suggestion: 'makeSafe: still, { none: "why" } or a list of { do: device.operation }',
  });
}

/** Devices that the saga commands, sorted; what the file lists must hold them all. */
function usesOf(
  read: FileReader,
  steps: readonly SagaStepDefinition[],
  devices: readonly DeviceDraft[],
): readonly string[] {
  const commanded = new Set(steps.flatMap(operationsOf).map((operation) => operation.device));
  if (read.raw(["uses"]) === undefined) return [...commanded].sort();
  const ids = devices.map((device) => device.id);
  const given = read.texts(["uses"]);
  for (const [i, id] of given.entries()) {
    if (ids.includes(id)) continue;
    const hint = suggestion(id, ids);
    const facts = hint === undefined ? {} : { suggestion: hint };
    read.problems.at(["uses", i], `there is no device ${id}`, facts);
  }
  const missing = [...commanded].filter((id) => !given.includes(id)).sort();
  if (missing.length > 0) {
    const text = `the steps command ${listed(missing)}, which uses does not name`;
    read.problems.at(["uses"], text, { key: true });
  }
  return [...new Set(given)].sort();
}

function operationsOf(step: SagaStepDefinition): readonly SagaOperation[] {
  const safe = step.makeSafe.kind === "operations" ? step.makeSafe.operations : [];
  return step.action.kind === "operation" ? [step.action.operation, ...safe] : safe;
}
