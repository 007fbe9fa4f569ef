/**
 * A cell whose drivers share one process (`isolation: together`): a run, a stop, and its death.
 *
 * The idea: what holds for drivers that are alone must hold here, too: each has its own lease,
 * latch and guardian. It refuses to look into the process.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { CellProcess, makeCellFolder, until } from "../fixtures/cell-process.js";
import { stopFrame } from "../fixtures/stop-frames.js";

let cell: CellProcess;

beforeAll(async () => {
  cell = new CellProcess(await makeCellFolder((text) => `${text}\nisolation: together\n`));
  await cell.ready();
}, 60_000);

afterAll(() => cell.close(), 30_000);

interface Axis {
  readonly id: string;
  readonly latched: readonly string[];
}

async function latchedAxes(): Promise<number> {
  const axes = await cell.get<Axis[] | { axes: Axis[] }>("/axes");
  const list = Array.isArray(axes) ? axes : (axes?.axes ?? []);
  return list.filter(({ latched }) => latched.length > 0).length;
}

test("together: a saga runs through, and a stop is received and latched by every axis", async () => {
  expect((await cell.run("home-cell")).state).toBe("completed");
  const { body } = await cell.post("/stop", { kind: "stop" });
  expect(body).toMatchObject({ delivered: true });
  const { id, axes } = body as { id: string; axes: readonly unknown[] };
  await until("every axis is latched", async () => (await latchedAxes()) === axes.length);
  await until("no axis is latched", async () => {
    await cell.post("/reset", { stops: [id] });
    return (await latchedAxes()) === 0;
  });
}, 60_000);

test("together: the process killed in a move: guardians stop the axes, and it comes back", async () => {
  const before = cell.tap().length;
  const { body } = await cell.post("/runs", { saga: "pick-place" });
  const { run } = body as { run: string };
  const moving = await until("a servo moves", () => {
    const lines = cell.tap().slice(before);
    return lines.find(({ kind, moving: moves, device }) => {
      return kind === "motion" && moves === true && ["x", "y", "z"].includes(device);
    });
  });
  const killedAtMs = cell.kill("SIGKILL", "driver/main.js");
  const { device } = moving;
  await until("its guardian has stopped it", () =>
    cell.tap().some(({ tMs, pdu, ...line }) => {
      return line.device === device && tMs > killedAtMs && pdu && stopFrame(device, pdu);
    }),
  );
  expect(["needsOperator", "stopped", "madeSafe"]).toContain((await cell.ended(run)).state);
  await cell.ready();
}, 90_000);
