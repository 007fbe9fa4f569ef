/**
 * Short stories in a small cell: what happens while one thing is broken on purpose.
 *
 * The idea: a mutation needs a situation in which it matters, and no more: two axes, one run, and
 * at most one thing that a cell must bear. Without a mutation each story ends well. It refuses
 * chance beyond the delays of its seed.
 */
import { join } from "node:path";
import type { CellConfig } from "#kernel/config/cell.js";
import { loadCell } from "#kernel/config/cell-file.js";
import { edgeParts } from "#simulators/campaign/edge-parts.js";
import type { CellWorld } from "#simulators/world/cell-world.js";
import type { Fault, FaultAction, PressName } from "#simulators/world/fault-plan.js";
import { type Outcome, playWorld } from "#simulators/world/play.js";

let config: CellConfig | undefined;

export function smallCell(): CellConfig {
  if (config !== undefined) return config;
  const file = join(process.cwd(), "test", "fixtures", "small-cell", "cell.yaml");
  const loaded = loadCell(file, { dataDir: "/nowhere", runDir: "/nowhere" });
  if (!loaded.ok) throw new Error(loaded.problems.map((p) => p.message).join("\n"));
  config = loaded.value;
  return config;
}

const press = (atMs: number, what: PressName, saga?: string): Fault => {
  const action = { kind: "press", what, ...(saga === undefined ? {} : { saga }) } as const;
  return { atMs, action };
};
/** Strikes so long after the first command or motion that follows. */
const after = (moment: "command" | "moving", plusMs: number, action: FaultAction): Fault => {
  return { atMs: 0, after: { moment, plusMs }, action };
};
const stop: FaultAction = { kind: "press", what: "stop" };

interface Story {
  readonly faultsMs: number;
  readonly plan: readonly Fault[];
}

/** Homing is before all of them. */
export const stories = {
  /** A run, and nothing else. */
  calm: { faultsMs: 9000, plan: [press(10, "start", "work")] },
  /** A person stops the run while its command is being carried out. */
  stoppedEarly: { faultsMs: 3000, plan: [press(10, "start", "slow"), after("command", 22, stop)] },
  /** A person stops the run when its trigger has just left. */
  stoppedLater: { faultsMs: 3000, plan: [press(10, "start", "slow"), after("command", 70, stop)] },
  /** A person stops the run while the axis moves. */
  stopped: { faultsMs: 3000, plan: [press(10, "start", "slow"), after("moving", 700, stop)] },
  /** The coordinator is killed while the axis moves. */
  orphaned: {
    faultsMs: 9000,
    plan: [
      press(10, "start", "slow"),
      after("moving", 700, { kind: "kill", node: "coordinator", backMs: 7000 }),
    ],
  },
  /** The driver is killed while the axis moves. */
  driverless: {
    faultsMs: 11_000,
    plan: [
      press(10, "start", "slow"),
      after("moving", 700, { kind: "kill", node: "driver-x", backMs: 9000 }),
    ],
  },
  /** A run asks for what the interlock forbids. */
  forbidden: { faultsMs: 6000, plan: [press(10, "start", "unsafe")] },
  /** The broker is lost at the end of a run. */
  offline: {
    faultsMs: 12_000,
    plan: [press(10, "start", "slow"), after("moving", 700, { kind: "brokerLoss", forMs: 800 })],
  },
} as const satisfies { readonly [name: string]: Story };

export type StoryName = keyof typeof stories;

/** Plays a story in a macrotask of its own, so that promises drain inside the clock. */
export function playStory(
  name: StoryName,
  seed: number,
  prepare: (world: CellWorld) => void = () => {},
): Promise<Outcome> {
  const cell = smallCell();
  const { faultsMs, plan } = stories[name];
  const given = { seed, cell, parts: edgeParts(cell), faultsMs, plan, work: false, prepare };
  return new Promise((resolve, reject) => {
    setTimeout(() => {
      try {
        resolve(playWorld({ ...given, healMs: 60_000 }));
      } catch (error) {
        reject(error);
      }
    }, 0);
  });
}
