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
import type { FingerEnd } from "#simulators/world/jog-press.js";
import { inOwnTurn } from "#simulators/world/own-turn.js";
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
const after = (
  moment: "command" | "moving" | "jog" | "verdict",
  plusMs: number,
  action: FaultAction,
): Fault => {
  return { atMs: 0, after: { moment, plusMs }, action };
};
const stop: FaultAction = { kind: "press", what: "stop" };

const jog = (atMs: number, forMs: number, end: FingerEnd, velocity = 80): Fault => {
  const one = { device: "x", velocity, forMs, end, mode: "Manual" } as const;
  return { atMs, action: { kind: "press", what: "jog", jog: one } };
};
const stallGateway = (forMs: number): FaultAction => ({ kind: "stall", node: "gateway", forMs });

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
  /** A person stops the run while one step is over and the next has not left. */
  stoppedBetween: { faultsMs: 5000, plan: [press(10, "start", "work"), after("verdict", 0, stop)] },
  /** The same, by a quick stop: the place that it was sent to still stands in the drive. */
  stoppedFast: {
    faultsMs: 3000,
    plan: [press(10, "start", "slow"), after("moving", 700, { kind: "press", what: "quickStop" })],
  },
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
  /** A button is held and let go, and held again the other way. */
  jogged: { faultsMs: 5000, plan: [jog(10, 1200, "letGo"), jog(2200, 900, "letGo", -80)] },
  /** A finger that echoes nothing any more, and one that says old nonces again. */
  numb: { faultsMs: 7000, plan: [jog(10, 1100, "numb"), jog(3600, 900, "again", -80)] },
  /** The gateway is stalled, and the release waits in it [interleaving 17]. */
  releaseQueued: {
    faultsMs: 6000,
    plan: [jog(10, 1200, "letGo"), after("jog", 700, stallGateway(1500))],
  },
  /** The gateway is killed while a button is held. */
  gatewayKilled: {
    faultsMs: 6000,
    plan: [
      jog(10, 3000, "letGo"),
      after("jog", 700, { kind: "kill", node: "gateway", backMs: 900 }),
    ],
  },
  /** A person stops the cell while a button is held. */
  stoppedWhileJogged: { faultsMs: 5000, plan: [jog(10, 3000, "letGo"), after("jog", 700, stop)] },
  /** A second finger on the same axis, the other way. */
  twoFingers: { faultsMs: 5000, plan: [jog(10, 2000, "letGo"), jog(900, 800, "cut", -80)] },
  /** The coordinator is cut off from its broker while the axis moves, and for a while after. */
  deaf: {
    faultsMs: 9000,
    plan: [
      press(10, "start", "slow"),
      after("moving", 700, { kind: "linkLoss", node: "coordinator", forMs: 3000 }),
    ],
  },
  /** The broker is lost at the end of a run. */
  offline: {
    faultsMs: 12_000,
    plan: [press(10, "start", "slow"), after("moving", 700, { kind: "brokerLoss", forMs: 800 })],
  },
} as const satisfies { readonly [name: string]: Story };

export type StoryName = keyof typeof stories;

export function playStory(
  name: StoryName,
  seed: number,
  prepare: (world: CellWorld) => void = () => {},
): Promise<Outcome> {
  const cell = smallCell();
  const { faultsMs, plan } = stories[name];
  const given = { seed, cell, parts: edgeParts(cell), faultsMs, plan, work: false, prepare };
  return inOwnTurn(() => playWorld({ ...given, healMs: 60_000 }));
}
