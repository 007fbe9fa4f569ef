/**
 * A seed and its plan in a file: what is needed to play exactly that world again.
 *
 * The idea: a seed alone would play another world as soon as the way in which plans are drawn
 * changes, so the file holds the plan itself. Unknown keys are refused, all problems at once. It
 * refuses to hold a trace: that is played again.
 */
import * as z from "zod";
import { faultNames } from "../faults.js";
import type { Fault, PlanFacts } from "../world/fault-plan.js";
import { moments, pressNames } from "../world/fault-plan.js";
import { fingerEnds } from "../world/jog-press.js";
import { type DeepKind, deepKinds } from "./depths.js";

const ms = z.number().min(0).max(86_400_000);
const share = z.number().min(0).max(1);
const name = z.string().min(1).max(64);

const jogSchema = z.strictObject({
  device: name,
  velocity: z.number(),
  forMs: ms,
  end: z.enum(fingerEnds),
  patienceMs: ms.optional(),
  mode: z.enum(["Manual", "Maintenance"]),
  bypass: z.array(name).max(64).optional(),
});

const actionSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("messages"),
    forMs: ms,
    drop: share,
    repeat: share,
    delayMaxMs: ms,
  }),
  z.strictObject({ kind: z.literal("brokerLoss"), forMs: ms }),
  z.strictObject({
    kind: z.literal("linkLoss"),
    node: name,
    forMs: ms,
    how: z.enum(["reset", "halfOpen"]).optional(),
  }),
  z.strictObject({ kind: z.literal("bytes"), forMs: ms, rate: z.number().min(0).max(1) }),
  z.strictObject({
    kind: z.literal("field"),
    forMs: ms,
    loseRequest: share,
    loseReply: share,
    delayMaxMs: ms,
  }),
  z.strictObject({ kind: z.literal("fieldCut"), bus: name, forMs: ms }),
  z.strictObject({ kind: z.literal("kill"), node: name, backMs: ms }),
  z.strictObject({
    kind: z.literal("killAtEvent"),
    node: name,
    events: z.int().min(1).max(1_000_000),
    backMs: ms,
  }),
  z.strictObject({ kind: z.literal("stall"), node: name, forMs: ms }),
  z.strictObject({ kind: z.literal("powerLoss"), backMs: ms }),
  z.strictObject({ kind: z.literal("diskFull"), node: name, forMs: ms }),
  z.strictObject({ kind: z.literal("diskSlow"), node: name, forMs: ms, commitMs: ms }),
  z.strictObject({ kind: z.literal("clockJump"), byMs: z.number() }),
  z.strictObject({
    kind: z.literal("device"),
    device: name,
    fault: z.enum(faultNames),
    value: z.union([z.number(), z.string()]).optional(),
    forMs: ms,
  }),
  z.strictObject({
    kind: z.literal("press"),
    what: z.enum(pressNames),
    saga: name.optional(),
    jog: jogSchema.optional(),
  }),
]);

const faultSchema = z.strictObject({
  atMs: ms,
  after: z.strictObject({ moment: z.enum(moments), plusMs: ms }).optional(),
  action: actionSchema,
});

const seedFileSchema = z.strictObject({
  servocellSeed: z.literal(1),
  seed: z.int(),
  /** What it found, for people. */
  found: z.string(),
  faultsMs: ms,
  work: z.boolean(),
  sagas: z.array(name).optional(),
  recipes: z.boolean().optional(),
  depth: z.enum(deepKinds).optional(),
  plan: z.array(faultSchema).max(10_000),
});

/** `faultsMs`, `work`, `sagas`, `recipes`: as in PlayOptions. */
export interface SeedFile {
  readonly servocellSeed: 1;
  readonly seed: number;
  readonly found: string;
  readonly faultsMs: number;
  readonly work: boolean;
  readonly sagas?: readonly string[];
  /** Sagas were judged, too, in short and busy worlds. */
  readonly recipes?: boolean;
  /** How deep the world goes; absent: it is on ports. */
  readonly depth?: DeepKind;
  readonly plan: readonly Fault[];
}

export type ReadSeedFile =
  | { readonly ok: true; readonly value: SeedFile }
  | { readonly ok: false; readonly problems: readonly string[] };

export function readSeedFile(text: string): ReadSeedFile {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (thrown) {
    return { ok: false, problems: [thrown instanceof Error ? thrown.message : String(thrown)] };
  }
  const checked = seedFileSchema.safeParse(parsed);
  if (checked.success) return { ok: true, value: checked.data as SeedFile };
  const problems = checked.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  return { ok: false, problems };
}

/** What a plan names and the cell does not have, each once. */
export function unknownNames(plan: readonly Fault[], facts: PlanFacts): readonly string[] {
  const { nodes, buses, sagas } = facts;
  const devices = facts.devices.map(({ id }) => id);
  const strange = plan.flatMap(({ action }) => {
    const named: readonly (readonly [readonly string[], string | undefined])[] = [
      [nodes, "node" in action ? action.node : undefined],
      [buses, "bus" in action ? action.bus : undefined],
      [devices, "device" in action ? action.device : undefined],
      [sagas, "saga" in action ? action.saga : undefined],
      [devices, action.kind === "press" ? action.jog?.device : undefined],
    ];
    return named.flatMap(([known, name]) => {
      return name === undefined || name === "" || known.includes(name) ? [] : [name];
    });
  });
  return [...new Set(strange)];
}

export function seedFileText(file: SeedFile): string {
  return `${JSON.stringify(file, undefined, 1)}\n`;
}
