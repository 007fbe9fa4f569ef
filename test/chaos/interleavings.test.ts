/**
 * The interleavings of the protocol that a process can show, on one cell of real processes.
 *
 * The idea: each story begins with a healthy cell in motion, does the one thing, and is judged at
 * the simulator's tap; then the cell is brought back as an operator would. What needs a stopped
 * disk, another clock or a frame cut at an instant is shown in the services' own tests. It refuses
 * to end a process that it did not start.
 */
import { spawn } from "node:child_process";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  cliFile,
  isWrite,
  monotonicMs,
  sleep,
  type TapLine,
  until,
} from "../fixtures/cell-process.js";
import { ForeignHolder } from "../fixtures/foreign-holder.js";
import { LivingCell } from "../fixtures/living-cell.js";
import { stopFrame } from "../fixtures/stop-frames.js";

let at: LivingCell;
beforeAll(async () => {
  at = await LivingCell.start();
  await at.back();
}, 90_000);
afterAll(async () => {
  await at?.close();
}, 30_000);

function say(what: string, fromMs: number, toMs: number): void {
  process.stdout.write(`${what} after ${(toMs - fromMs).toFixed(1)} ms\n`);
}

/** The story, then the way back, whatever the story said. */
function story(title: string, tell: () => Promise<void>): void {
  test(title, async () => {
    try {
      await tell();
    } finally {
      await at.back();
    }
  }, 120_000);
}

story(
  "interleaving 2: coordinator killed mid-move: stop, no second trigger, made safe",
  async () => {
    const { run, fromMs } = await at.shuttling();
    const killedMs = at.cell.kill("SIGKILL", "coordinator/main.js");
    const stop = await until("x got its stop", () => at.firstStop("x", killedMs), 3000);
    say("coordinator killed: stop at x", killedMs, stop.tMs);
    expect((await at.ended(run)).state).toBe("madeSafe");
    // One to come near, one for the slow way.
    expect(at.triggers("x", fromMs)).toBe(2);
    expect(at.triggers("x", killedMs)).toBe(0);
  },
);

story(
  "interleaving 3: broker killed mid-move, back at once: one trigger, no motion unattended",
  async () => {
    const { run, fromMs } = await at.shuttling();
    const killedMs = at.cell.kill("SIGKILL", "broker/main.js");
    await until("the cell answers again", async () => (await at.record(run)) !== undefined, 10_000);
    const { state } = await at.ended(run);
    expect(["completed", "madeSafe", "stopped"]).toContain(state);
    expect(at.triggers("x", fromMs)).toBe(2);
    // Either it went on under its lease, or a stop came first.
    if (state !== "completed") expect(at.firstStop("x", killedMs)).toBeDefined();
    await at.still("x");
  },
);

story("interleaving 3: broker held for 3 s mid-move: stopped when the lease ends", async () => {
  const { run, fromMs } = await at.shuttling();
  const heldMs = at.cell.kill("SIGSTOP", "broker/main.js");
  const stop = await until("x got its stop", () => at.firstStop("x", heldMs), 4000);
  say("broker held: stop at x", heldMs, stop.tMs);
  await sleep(Math.max(0, 3000 - (monotonicMs() - heldMs)));
  at.cell.kill("SIGCONT", "broker/main.js");
  const { state } = await at.ended(run);
  expect(["madeSafe", "stopped", "needsOperator"]).toContain(state);
  expect(at.triggers("x", fromMs)).toBe(2);
});

story(
  "interleaving 5: driver killed mid-move: guardian's stop, then nothing but stops before a read",
  async () => {
    const { run } = await at.shuttling();
    const killedMs = at.cell.kill("SIGKILL", "driver/main.js", "x");
    const stop = await until("x got its stop", () => at.firstStop("x", killedMs), 3000);
    say("driver killed: guardian's stop at x", killedMs, stop.tMs);
    await at.still("x");
    const { state } = await at.ended(run);
    expect(["madeSafe", "stopped"]).toContain(state);
    expect(at.triggers("x", killedMs)).toBe(0);
    // Whatever else is written to x follows a full read by the new driver.
    const own = at.tap.filter((l) => l.device === "x" && l.tMs > killedMs && l.pdu !== undefined);
    const isOther = (l: TapLine) => isWrite(l) && !stopFrame("x", l.pdu ?? "");
    const other = own.findIndex(isOther);
    const before = (other === -1 ? own : own.slice(0, other)).filter((l) => !isWrite(l));
    expect(before.length).toBeGreaterThan(2);
  },
);

story(
  "interleaving 5: driver killed while its belt runs at a speed: guardian's stop, and it stays",
  async () => {
    const { run } = await at.begin("belt");
    await until("the belt runs", () => at.moves("conveyor"));
    await sleep(300);
    const killedMs = at.cell.kill("SIGKILL", "driver/main.js", "conveyor");
    const stop = await until(
      "the belt got its stop",
      () => at.firstStop("conveyor", killedMs),
      3000,
    );
    say("driver killed: guardian's stop at the belt", killedMs, stop.tMs);
    await at.still("conveyor");
    expect(["madeSafe", "stopped"]).toContain((await at.ended(run)).state);
    await sleep(1500);
    expect(at.moves("conveyor")).toBe(false);
  },
);

story("interleaving 7: STOP overtakes a move of a live lease: refused, no trigger", async () => {
  const hand = new ForeignHolder(at.cell.folder);
  await hand.ready();
  try {
    const epoch = await hand.lease("x");
    const stopMs = monotonicMs();
    await at.cell.post("/axes/x/stop");
    const id = await hand.send("x", "moveTo", { position: 700, velocity: 100 }, epoch);
    const answer = await hand.answer(id);
    expect(["failed", "expired"]).toContain(answer.status);
    expect(["EXPIRED", "LATCHED", "LEASE_REQUIRED"]).toContain(answer.error?.code);
    await sleep(500);
    expect(at.triggers("x", stopMs)).toBe(0);
    expect(at.moves("x")).toBe(false);
  } finally {
    await hand.close();
  }
});

test.each([0, 60, 120, 200])(
  "interleaving 8: STOP %i ms into a move of a slow drive: nothing starts after it",
  async (waitMs) => {
    const hand = new ForeignHolder(at.cell.folder, `hand-${waitMs}`);
    await hand.ready();
    try {
      const epoch = await hand.lease("x");
      await at.sim({ kind: "fault", device: "x", fault: "delay", value: 45 });
      const fromMs = monotonicMs();
      const id = await hand.send("x", "moveTo", { position: 720, velocity: 100 }, epoch);
      await sleep(waitMs);
      const { status } = await at.cell.post("/axes/x/stop");
      expect(status).toBe(200);
      const stop = await until("x got its stop", () => at.firstHalt("x", fromMs), 4000);
      const answer = await hand.answer(id);
      expect(["failed", "expired", "cancelled", "unknown"]).toContain(answer.status);
      await at.sim({ kind: "clear", device: "x" });
      await sleep(400);
      const late = at.tap.filter((l) => l.device === "x" && l.tMs > stop.tMs);
      const triggers = at.triggers("x", stop.tMs);
      expect(triggers, JSON.stringify(late.map((l) => l.pdu ?? l.kind))).toBe(0);
      await at.still("x");
    } finally {
      await at.sim({ kind: "clear", device: "x" });
      await hand.close();
      await at.back();
    }
  },
  90_000,
);

story(
  "interleaving 9: STOP while a silent belt is probed: its stop goes first when it answers",
  async () => {
    await at.sim({ kind: "fault", device: "conveyor", fault: "silent" });
    const breaker = async () => {
      const list = await at.cell.get<{ devices: { device: string; breaker: string }[] }>(
        "/devices",
      );
      return list?.devices.find(({ device }) => device === "conveyor")?.breaker;
    };
    await until("its breaker is open", async () => (await breaker()) === "open", 10_000);
    await until("it is probed", async () => (await breaker()) === "half-open", 10_000);
    await at.cell.post("/stop");
    await sleep(700);
    const clearMs = monotonicMs();
    await at.sim({ kind: "clear", device: "conveyor" });
    await until("the owed stop goes out", () => at.firstStop("conveyor", clearMs), 6000);
    expect(at.others("conveyor", clearMs)).toEqual([]);
  },
);

story(
  "interleaving 11: makeSafe meets an open breaker of a gripper that comes back: it lets go",
  async () => {
    const { run, fromMs } = await at.begin("hold-part");
    const grips = (l: TapLine) => l.tMs > fromMs && /^1003e8000306090000ff/.test(l.pdu ?? "");
    await until(
      "the part is held",
      () => at.tap.some((l) => l.device === "gripper" && grips(l)),
      10_000,
    );
    await sleep(2500);
    await at.sim({ kind: "fault", device: "gripper", fault: "silent" });
    await until("the run fails", async () => (await at.record(run))?.state !== "running", 8000);
    await sleep(2000);
    const clearMs = monotonicMs();
    await at.sim({ kind: "clear", device: "gripper" });
    const end = await at.ended(run);
    expect(end.state, JSON.stringify(end)).toBe("madeSafe");
    expect(at.others("gripper", clearMs).length).toBeGreaterThan(0);
  },
);

story(
  "interleaving 12: z's driver killed while x moves: x is stopped for want of its permit",
  async () => {
    const { run, fromMs } = await at.shuttling();
    const killedMs = at.cell.kill("SIGKILL", "driver/main.js", "z");
    const stop = await until("x got its stop", () => at.firstStop("x", killedMs), 3000);
    say("z's driver killed: stop at x", killedMs, stop.tMs);
    await at.still("x");
    const end = await at.ended(run);
    // The guardian's stop may have left z without power: then its makeSafe is a person's.
    const ends = ["stopped", "madeSafe", "needsOperator"];
    expect(ends, JSON.stringify(end)).toContain(end.state);
    expect(at.triggers("x", fromMs)).toBe(2);
  },
);

story(
  "interleaving 13: x loses power in a dwell and returns: the run fails at once, x stays",
  async () => {
    const { run } = await at.shuttling();
    await until(
      "the dwell is under way",
      async () => {
        const record = await at.cell.get<{ steps: { name: string; status: string }[] }>(
          `/runs/${run}`,
        );
        return record?.steps.find(({ name }) => name === "rest")?.status === "running";
      },
      20_000,
    );
    const offMs = monotonicMs();
    await at.sim({ kind: "fault", device: "x", fault: "reboot", value: 400 });
    const { state, cause } = await at.ended(run);
    expect(["madeSafe", "stopped", "needsOperator"]).toContain(state);
    expect(cause.code).toBe("LEASE_LOST");
    await sleep(1500);
    expect(at.triggers("x", offMs)).toBe(0);
    expect(at.moves("x")).toBe(false);
  },
);

story(
  "interleaving 15, MO-23: driver held for 2 s mid-move: stopped; beats in its socket renew nothing",
  async () => {
    const { run, fromMs } = await at.shuttling();
    const pid = at.cell.childPid("--device", "x");
    const heldMs = at.cell.kill("SIGSTOP", "--device", "x");
    const stop = await until("the guardian stopped x", () => at.firstStop("x", heldMs), 3000);
    say("driver held: stop at x", heldMs, stop.tMs);
    await sleep(2000);
    at.cell.kill("SIGCONT", "--device", "x");
    expect(["madeSafe", "stopped"]).toContain((await at.ended(run)).state);
    expect(at.triggers("x", fromMs)).toBe(2);
    await at.back();
    // The same process: nothing was restarted for it.
    expect(at.cell.childPid("--device", "x")).toBe(pid);
  },
);

story(
  "interleaving 18: an upgrade asked for while the axis moves waits for its standstill",
  async () => {
    const { run, fromMs } = await at.shuttling();
    const before = at.cell.childPid("--device", "x");
    const { cellFile, dataDir } = at.cell.folder;
    const args = [cliFile, "upgrade", "x", "--cell", cellFile, "--data", dataDir];
    const upgrade = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    for (const out of [upgrade.stdout, upgrade.stderr]) {
      out.on("data", (data) => {
        said += data;
      });
    }
    await sleep(2000);
    expect(upgrade.exitCode, said).toBe(null);
    expect(at.moves("x")).toBe(true);
    // The run keeps its axis to its end, and every command of it went out once.
    expect((await at.ended(run)).state).toBe("completed");
    expect(at.triggers("x", fromMs)).toBe(2);
    const endedMs = monotonicMs();
    await until("the upgrade ended", () => upgrade.exitCode !== null, 20_000);
    expect(upgrade.exitCode, said).toBe(0);
    say("the run ended: x has its new driver", endedMs, monotonicMs());
    expect(at.cell.childPid("--device", "x")).not.toBe(before);
    const axis = () => at.cell.get<{ q: string }>("/axes/x");
    await until("x is readable again", async () => (await axis())?.q === "good");
    expect(at.moves("x")).toBe(false);
    expect(at.triggers("x", endedMs)).toBe(0);
  },
);

story(
  "interleaving 20: STOP while z's driver is down: back, it is latched and does not move",
  async () => {
    const { run } = await at.shuttling();
    const killedMs = at.cell.kill("SIGKILL", "driver/main.js", "z");
    await at.cell.post("/stop");
    expect((await at.ended(run)).state).toBe("stopped");
    const [stop] = await at.latched();
    expect(stop).toBeDefined();
    await until(
      "z's new driver is latched by the stop",
      async () =>
        (await at.cell.get<{ latched: string[] }>("/axes/z"))?.latched.includes(stop ?? ""),
      10_000,
    );
    expect(at.triggers("z", killedMs)).toBe(0);
  },
);

story("interleaving 21: a reset for stop 1 crosses stop 2: stop 2 stays latched", async () => {
  await at.cell.post("/stop", { id: "first-stop" });
  await until("the first is latched", async () => (await at.latched()).includes("first-stop"));
  await until("the cell is stopped", async () => (await at.state()) === "Stopped");
  const reset = at.cell.post("/reset", { stops: ["first-stop"] });
  const second = at.cell.post("/stop", { id: "second-stop" });
  await Promise.all([reset, second]);
  await sleep(500);
  expect(await at.latched()).toContain("second-stop");
  const refused = await at.cell.post("/runs", { saga: "shuttle" });
  expect(refused.status).toBe(409);
});

story(
  "interleaving 22: STOP during makeSafe: it ends there, and nothing moves until asked",
  async () => {
    const { run } = await at.shuttling();
    await at.cell.post(`/runs/${run}/cancel`);
    await until("z makes itself safe", () => at.moves("z"), 10_000);
    const stopMs = monotonicMs();
    await at.cell.post("/stop");
    expect((await at.ended(run)).state).toBe("stopped");
    await at.still("z");
    const stop = await until("z got its stop", () => at.firstStop("z", stopMs), 3000);
    await sleep(1000);
    for (const axis of ["x", "z"]) expect(at.others(axis, stop.tMs)).toEqual([]);
  },
);
