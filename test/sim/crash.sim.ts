/**
 * A service that ends by an error that nobody handled: the world says so, whoever it is.
 *
 * The idea: a rejection is put into the midst of a node; only one that was fenced off by its
 * successor may end itself. It refuses to guess which promise it was.
 */
import { expect, test } from "vitest";
import { ServocellError } from "#kernel/errors.js";
import { play } from "../fixtures/world-cell.js";

const withError = (node: string, thrown: Error) =>
  play({
    seed: 3,
    plan: [],
    work: false,
    faultsMs: 4000,
    prepare: (world) => {
      const fail = () => {
        const owner = world.nodes.get(node)?.owner ?? "";
        world.clock.schedule(0, () => void Promise.reject(thrown), owner);
      };
      world.clock.schedule(9000, fail, "world");
    },
  });

test.each(["driver-x", "coordinator", "bus"])(
  "crash: %s ends by an error that nobody handled: a finding, and it is started again",
  async (node) => {
    const { findings, trace } = await withError(node, new Error("boom"));
    expect(findings.map(({ judge }) => judge)).toContain("crash");
    const starts = trace.filter((line) => line.kind === "started" && line.node.startsWith(node));
    expect(starts).toHaveLength(2);
  },
);

test("crash: a coordinator that was fenced off ends itself: no finding", async () => {
  const fenced = new ServocellError("STORE_FENCED", "taken over");
  const { findings, trace } = await withError("coordinator", fenced);
  expect(trace.filter(({ kind }) => kind === "crashed")).toHaveLength(1);
  expect(findings).toEqual([]);
});
