/**
 * Drives a world through two acts: faults, kills and an operator at the worst moments; then heal.
 *
 * The idea: from one seed comes everything that goes wrong and everything that people press. The
 * second act repairs the world and asks for liveness: every run ends, every latch can be reset,
 * the cell works again. It refuses to look into the apps.
 */
import { commandSchema, type StopOrder } from "#kernel/contract/payloads.js";
import type { CellWorld } from "#simulators/world/cell-world.js";
import type { MemoryLink } from "#simulators/world/message-bus.js";

export interface ActOptions {
  readonly faultsMs: number;
  readonly healMs: number;
  /** Kill this node after its n-th event instead of at random moments. */
  readonly killAt?: { readonly node: string; readonly atMs: number };
  readonly quiet?: boolean;
}

interface RunView {
  readonly run: string;
  readonly saga: string;
  readonly state: string;
  readonly endedAt?: number | undefined;
}

export class Operator {
  readonly link: MemoryLink;
  runs: readonly RunView[] = [];
  cell = "unknown";
  stops: readonly string[] = [];
  readonly answers = new Map<string, string>();
  readonly #fanOut;

  constructor(readonly world: CellWorld) {
    this.link = world.broker.open("operator");
    this.#fanOut = world.stopSockets.fanOut("operator");
    this.link.subscribe("stateRun", {}, ({ payload }) => {
      this.runs = payload.runs;
    });
    this.link.subscribe("stateCell", {}, ({ payload }) => {
      this.cell = payload.state;
    });
    this.link.subscribe("stateStop", {}, ({ payload }) => {
      this.stops = payload.stops.map((stop) => stop.id);
    });
    this.link.subscribe("response", { client: "operator" }, ({ payload }) => {
      this.answers.set(payload.id, payload.error?.code ?? payload.status);
    });
  }

  command(topic: "runCommand" | "cellCommand", verb: string, args: object): string {
    const id = this.world.newId();
    const command = commandSchema.parse({
      v: 1,
      id,
      ts: Date.now(),
      ttlMs: 5000,
      by: { user: "operator", role: "operator" },
      replyTo: "operator",
      args,
    });
    void this.link.publish(topic, { verb }, command).catch(() => undefined);
    return id;
  }

  start(saga: string): string {
    return this.command("runCommand", "start", { saga, run: this.world.newId() });
  }

  stop(kind: "stop" | "quickStop" | "abort"): void {
    const order: StopOrder = { id: this.world.newId(), by: { user: "operator", role: "operator" } };
    this.#fanOut.send(kind, order);
    const repeat = (left: number) => {
      void this.link.publish("cellStop", { verb: kind }, order).catch(() => undefined);
      if (left > 0) this.world.clock.schedule(50, () => repeat(left - 1), "operator");
    };
    repeat(9);
  }

  reset(): void {
    this.command("cellCommand", "reset", { stops: [...this.stops] });
  }

  /** What a person with patience does until the cell is idle: choose, reset, clear. */
  tidyUp(): void {
    for (const run of this.runs) {
      if (run.state === "stopped") this.command("runCommand", "makeSafe", { run: run.run });
      if (run.state === "needsOperator") this.command("runCommand", "abandon", { run: run.run });
    }
    const waiting = this.runs.some((run) => !isEnded(run));
    if (waiting) return;
    if (this.cell === "Aborted") this.command("cellCommand", "clear", {});
    if (this.cell === "Stopped" || this.stops.length > 0) this.reset();
  }
}

export function isEnded(run: RunView): boolean {
  return run.endedAt !== undefined;
}

/** Presses something. */
function press(world: CellWorld, operator: Operator): void {
  const open = operator.runs.filter((run) => !isEnded(run));
  const one = world.random.pick(open);
  const saga = world.random.chance(0.6) ? "pick-place" : "home-cell";
  const choice = world.random.whole(0, 11);
  if (choice <= 5) operator.start(saga);
  else if (choice === 6) operator.stop(world.random.pick(["stop", "quickStop", "abort"]) ?? "stop");
  else if (choice === 7) operator.reset();
  else if (choice === 8 && one) operator.command("runCommand", "cancel", { run: one.run });
  else if (choice === 9 && one) operator.command("runCommand", "makeSafe", { run: one.run });
  else if (choice === 10 && one) operator.command("runCommand", "abandon", { run: one.run });
  else operator.tidyUp();
}

export function actOne(world: CellWorld, operator: Operator, options: ActOptions): void {
  const { random, clock } = world;
  for (const name of world.names) world.start(name);
  clock.run(1500);
  operator.start("home-cell");
  // Homed first, or a pick-place would be refused and nothing of it could be interrupted.
  clock.run(20_000, () => operator.cell === "Complete");
  const end = clock.nowMs + options.faultsMs;
  if (options.killAt !== undefined) {
    const { node, atMs } = options.killAt;
    operator.start("pick-place");
    const begun = () => operator.runs.some((run) => run.saga === "pick-place" && !isEnded(run));
    clock.run(clock.nowMs + 200, begun);
    clock.run(clock.nowMs + atMs);
    world.note(`killed during ${operator.runs.find((run) => !isEnded(run))?.saga ?? "nothing"}`);
    world.kill(node);
    clock.schedule(300, () => world.start(node), "world");
  }
  if (options.quiet !== true) {
    world.messageFaults.drop = random.between(0, 0.2);
    world.messageFaults.repeat = random.between(0, 0.3);
    world.messageFaults.delayMaxMs = random.between(1, 40);
    world.fieldFaults.loseRequest = random.between(0, 0.03);
    world.fieldFaults.loseReply = random.between(0, 0.03);
  }
  while (clock.nowMs < end) {
    clock.run(clock.nowMs + random.between(1, 900));
    if (options.quiet === true) continue;
    if (random.chance(0.7)) press(world, operator);
    if (random.chance(0.15)) killOne(world);
    if (random.chance(0.05)) brokerLoss(world);
  }
}

function killOne(world: CellWorld): void {
  const name = world.random.pick(world.names.filter((n) => world.nodes.has(n)));
  if (name === undefined) return;
  world.kill(name);
  const back = world.random.between(150, 2500);
  world.clock.schedule(back, () => !world.nodes.has(name) && world.start(name), "world");
}

function brokerLoss(world: CellWorld): void {
  if (!world.broker.up) return;
  world.note("broker lost");
  world.broker.crash();
  const back = world.random.between(200, 3000);
  world.clock.schedule(back, () => world.broker.restart(), "world");
}

/** Heals the world and lets a patient person bring it back. */
export function actTwo(world: CellWorld, operator: Operator, options: ActOptions): void {
  const { clock } = world;
  Object.assign(world.messageFaults, { drop: 0, repeat: 0, delayMaxMs: 2 });
  Object.assign(world.fieldFaults, { loseRequest: 0, loseReply: 0 });
  clock.run(clock.nowMs + 4000);
  const end = clock.nowMs + options.healMs;
  const quiet = () => operator.cell === "Idle" || operator.cell === "Complete";
  while (clock.nowMs < end && !quiet()) {
    operator.tidyUp();
    clock.run(clock.nowMs + 1000);
  }
}
