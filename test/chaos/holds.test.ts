/**
 * Interleaving 17 and its neighbours: an axis that is jogged, and a finger, a gateway, a driver or
 * a coordinator that is not there any more.
 *
 * The idea: a real finger over real HTTP on one cell of real processes; each story is judged at the
 * simulator's tap, by when the stop came and by what moved afterwards. It refuses to end a process
 * that it did not start.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { monotonicMs, sleep, until } from "../fixtures/cell-process.js";
import { Finger } from "../fixtures/finger.js";
import { LivingCell } from "../fixtures/living-cell.js";

/** From the last proof that the button was held to the stop: 300 ms, one tick, two busy cores. */
const stopMsMax = 300 + 25 + 125;
const velocity = 40;
/** Of a hold that is still on its way out. */
const ending: ReadonlySet<string> = new Set(["BUSY", "NOT_READY", "LEASE_HELD", "LEASE_LOST"]);

let at: LivingCell;
/** Of the story that is being told. */
const fingers: Finger[] = [];
beforeAll(async () => {
  at = await LivingCell.start();
  await at.back();
}, 90_000);
afterAll(async () => {
  await at?.close();
}, 30_000);

const port = () => Number(new URL(at.cell.folder.api).port);

async function mode(wanted: string): Promise<void> {
  let said: unknown;
  await until(`the mode ${wanted}`, async () => {
    said = await at.cell.post("/mode", { mode: wanted }).catch(String);
    const cell = await at.cell.get<{ mode: string }>("/cell");
    if (cell?.mode === wanted) return true;
    await at.cell.post("/reset", { stops: await at.latched() }).catch(() => undefined);
    return undefined;
  }).catch((thrown) => {
    throw new Error(`${String(thrown)}: ${JSON.stringify(said)}`);
  });
}

function story(title: string, tell: () => Promise<void>, wanted = "Manual"): void {
  test(title, async () => {
    try {
      await mode(wanted);
      await tell();
    } catch (thrown) {
      // What failed must not go on holding, and what comes after must not hide it.
      for (const finger of fingers) finger.cut();
      await back().catch((later) => {
        throw new AggregateError([thrown, later], `${String(thrown)}; then ${String(later)}`);
      });
      throw thrown;
    } finally {
      fingers.length = 0;
    }
    await back();
  }, 120_000);
}

async function back(): Promise<void> {
  await mode("Production");
  await at.back();
}

async function pressed(speed = velocity, axis = "x"): Promise<Finger> {
  let last: unknown;
  // The hold of the story before may still be on its way out: a person presses again.
  return until(`the press is granted: ${axis}`, async () => {
    const finger = await Finger.press(port(), axis, { velocity: speed });
    if (finger instanceof Finger) {
      fingers.push(finger);
      return finger;
    }
    last = finger;
    if (!ending.has(finger.code)) throw new Error(JSON.stringify(finger));
    return undefined;
  }).catch((thrown) => {
    throw new Error(`${String(thrown)} ${JSON.stringify(last)}`);
  });
}

async function jogging(speed = velocity): Promise<Finger> {
  // On a busy machine a hold may lapse on the way into the story; the person presses again.
  return until("x is being jogged", async () => {
    const finger = await pressed(speed);
    await sleep(700);
    if (at.moves("x") && finger.ended === undefined) return finger;
    finger.cut();
    await at.still("x");
    return undefined;
  });
}

/** The stop came in time, and then nothing but stops was written and nothing moved. */
async function stands(fromMs: number, withinMs = stopMsMax): Promise<void> {
  const stop = await until("x got its stop", () => at.firstHalt("x", fromMs), 3000);
  const afterMs = stop.tMs - fromMs;
  process.stdout.write(`stop at x after ${afterMs.toFixed(1)} ms\n`);
  expect(afterMs).toBeLessThan(withinMs);
  await at.still("x");
}

async function staysWhereItIs(ms = 1500): Promise<void> {
  const fromMs = monotonicMs();
  await sleep(ms);
  expect(at.triggers("x", fromMs)).toBe(0);
  expect(at.moves("x")).toBe(false);
}

story(
  "a button that is held moves the axis; let go, it stands, and may be pressed again",
  async () => {
    // Back more slowly: it may not come to the end of its travel by itself.
    for (const speed of [velocity, -velocity / 2]) {
      const finger = await jogging(speed);
      const fromMs = monotonicMs();
      expect(await finger.say(undefined)).toBe(204);
      await stands(fromMs, 150);
      await until("the press has ended", () => finger.ended);
      expect(finger.ended).toBe("released");
      await sleep(300);
    }
  },
);

story("interleaving 17: gateway killed while an axis is jogged: stop within the hold", async () => {
  await jogging();
  const fromMs = at.cell.kill("SIGKILL", "gateway/main.js");
  await stands(fromMs);
  await until("the gateway is back", async () => at.state(), 15_000);
  await staysWhereItIs();
});

story(
  "interleaving 17: gateway stalled with the release queued: stop, and no resumption",
  async () => {
    const finger = await jogging();
    const fromMs = at.cell.kill("SIGSTOP", "gateway/main.js");
    // Waits in the gateway's socket behind echoes that wait there, too.
    const release = finger.say(undefined);
    await stands(fromMs);
    await sleep(700);
    const backMs = at.cell.kill("SIGCONT", "gateway/main.js");
    await release;
    await staysWhereItIs();
    expect(at.triggers("x", backMs)).toBe(0);
    const again = await pressed();
    await until("a new press moves it", () => at.moves("x"), 2000);
    await again.say(undefined);
    await at.still("x");
  },
);

story(
  "interleaving 17: gateway stalled, the button still held: a new press is needed",
  async () => {
    const finger = await jogging();
    const fromMs = at.cell.kill("SIGSTOP", "gateway/main.js");
    await stands(fromMs);
    at.cell.kill("SIGCONT", "gateway/main.js");
    await until("the press has ended", () => finger.ended);
    await staysWhereItIs();
  },
);

story("the client's connection is cut: stop at once", async () => {
  const finger = await jogging();
  const fromMs = monotonicMs();
  finger.cut();
  await stands(fromMs);
});

story(
  "the client stalls, then says old nonces again: the hold lapses and is not revived",
  async () => {
    const finger = await jogging();
    // Without a nonce to repeat it would say that it lets go.
    await until("there are old nonces", () => finger.nonces.length > 3);
    const fromMs = monotonicMs();
    finger.numb();
    const old = finger.nonces.at(-2);
    const replay = setInterval(() => void finger.say(old), 20);
    try {
      await stands(fromMs);
      await until("the press has ended", () => finger.ended);
      expect(finger.ended).toBe("lapsed");
      for (const nonce of finger.nonces.slice(-3)) await finger.say(nonce);
      await staysWhereItIs();
    } finally {
      clearInterval(replay);
    }
  },
);

story("STOP while an axis is jogged: stopped, latched, and no press before the reset", async () => {
  const finger = await jogging();
  const fromMs = monotonicMs();
  const stopped = await at.cell.post("/stop");
  expect(stopped.body).toMatchObject({ delivered: true });
  await stands(fromMs, 200);
  await until("the press has ended", () => finger.ended);
  expect(await Finger.press(port(), "x", { velocity })).toMatchObject({ code: "LATCHED" });
  await staysWhereItIs();
});

story(
  "coordinator killed while an axis is jogged: nobody keeps runs away, so it stands",
  async () => {
    await jogging();
    const fromMs = at.cell.kill("SIGKILL", "coordinator/main.js");
    await stands(fromMs);
  },
);

story("driver killed while an axis is jogged: the guardian stops it, and it stays", async () => {
  await jogging();
  const fromMs = at.cell.kill("SIGKILL", "driver/main.js", "x");
  await stands(fromMs);
  await staysWhereItIs();
});

story(
  "a press in Production is refused, and one beside an open run",
  async () => {
    expect(await Finger.press(port(), "x", { velocity })).toEqual({
      status: 409,
      code: "STATE_CONFLICT",
    });
    const { run } = await at.shuttling();
    expect(await Finger.press(port(), "x", { velocity })).toMatchObject({ status: 409 });
    expect((await at.record(run))?.state).toBe("running");
    await at.cell.post(`/runs/${run}/cancel`);
    await at.ended(run);
  },
  "Production",
);

story(
  "an interlock holds in Manual; in Maintenance it may be left out, slowly and by name",
  async () => {
    let down = await pressed(-30, "z");
    // By its driver: the tap has counts, and places only where a motion begins or ends.
    await until(
      "z is down",
      async () => {
        // On a busy machine a hold may lapse on the way; the person presses again.
        if (down.ended !== undefined) down = await pressed(-30, "z");
        type Axis = { axis: string; position?: number };
        const axes = (await at.cell.get<{ axes: Axis[] }>("/axes"))?.axes ?? [];
        return (axes.find(({ axis }) => axis === "z")?.position ?? 100) < 45;
      },
      20_000,
    ).catch((thrown) => {
      const words = JSON.stringify(down.words.slice(-3));
      const seen = at.tap.filter(({ device }) => device === "z").slice(-20);
      throw new Error(`${String(thrown)} ${words} ${JSON.stringify(seen)}`);
    });
    await down.say(undefined);
    await at.still("z");
    const name = "z-up-before-xy";
    const bypass = { velocity: 20, bypass: [name], text: "z is stuck" };
    expect(await Finger.press(port(), "x", { velocity: 20 })).toMatchObject({
      code: "INTERLOCKED",
    });
    expect(await Finger.press(port(), "x", bypass)).toMatchObject({ code: "INTERLOCKED" });
    await mode("Maintenance");
    const fast = { ...bypass, velocity: 51 };
    expect(await Finger.press(port(), "x", fast)).toMatchObject({ code: "LIMIT_EXCEEDED" });
    const finger = await Finger.press(port(), "x", bypass);
    if (!(finger instanceof Finger)) throw new Error(JSON.stringify(finger));
    await until("x moves", () => at.moves("x"), 2000);
    await finger.say(undefined);
    await at.still("x");
    const up = await pressed(30, "z");
    await sleep(1500);
    await up.say(undefined);
  },
);
