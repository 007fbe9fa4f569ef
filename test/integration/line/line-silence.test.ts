/**
 * The silence between frames, seen by a peer on a pseudo-terminal.
 * The idea: what this thread sees late makes a gap longer, never shorter, so a gap that is too
 * short is the line's own. It refuses to judge how much longer a busy machine makes it.
 */
import { afterEach, describe, expect, it } from "vitest";
import { frameSilenceMs } from "#kernel/edge/line-timing.js";
import { bytesOf, type LinePeer, rtu } from "../../fixtures/line-peer.js";
import { ask, closeAll, line, read1, unitTiming } from "./line-setup.js";

afterEach(closeAll);

interface Gaps {
  readonly script: (request: Buffer, peer: LinePeer) => void;
  readonly ms: number[];
}

/** From just before a reply is written to the next request. */
function gaps(): Gaps {
  const ms: number[] = [];
  let writtenAtMs: number | undefined;
  return {
    ms,
    script: (request, peer) => {
      if (writtenAtMs !== undefined) ms.push(performance.now() - writtenAtMs);
      const answer = request[1] === 3 ? rtu(`0${request[0]} 03 02 1234`) : request;
      writtenAtMs = performance.now();
      peer.write(answer);
    },
  };
}

describe("t3.5", () => {
  it.each([
    [9600, "8E1"],
    [19_200, "8N1"],
    [19_200, "8E1"],
    [38_400, "8E1"],
    [115_200, "8N1"],
  ] as const)("baud=%i format=%s, 150 requests: no gap below it", async (baud, format) => {
    const { script, ms } = gaps();
    const { wire } = await line(script, { baud, format });
    for (let i = 0; i < 150; i += 1) expect(await ask(wire, read1, 1 + (i % 8))).toBe("03021234");
    const least = frameSilenceMs(baud, format);
    expect(ms.length).toBe(149);
    expect(ms.filter((gap) => gap < least)).toEqual([]);
  });

  it("a unit with silenceMs=15 between others: 15 ms before its request and after its reply", async () => {
    const { script, ms } = gaps();
    const { wire } = await line(script, { units: [unitTiming(2, { silenceMs: 15 })] });
    for (const unit of [1, 2, 1, 1, 2, 2]) await ask(wire, read1, unit);
    const [into, outOf, plain, again, between] = ms;
    for (const gap of [into, outOf, again, between]) expect(gap).toBeGreaterThanOrEqual(15);
    expect(plain).toBeGreaterThanOrEqual(frameSilenceMs(115_200, "8E1"));
  });

  it("afterWriteMs=25: after a write to the unit, not after a read", async () => {
    const { script, ms } = gaps();
    const { wire } = await line(script, { units: [unitTiming(1, { afterWriteMs: 25 })] });
    await ask(wire, bytesOf("06 0020 0003"));
    await ask(wire);
    await ask(wire);
    expect(ms[0]).toBeGreaterThanOrEqual(25);
    expect(ms[1]).toBeGreaterThanOrEqual(frameSilenceMs(115_200, "8E1"));
  });
});
