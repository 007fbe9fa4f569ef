/**
 * The wire to a serial line, against a scripted raw peer on a pseudo-terminal.
 * The idea: what bytes must be to count as the reply, and what follows when they are not.
 */
import { afterEach, describe, expect, it } from "vitest";
import { bytesOf, pause, rtu } from "../../fixtures/line-peer.js";
import { ask, closeAll, hex, line, read1, said, unitTiming, until, write6 } from "./line-setup.js";

afterEach(closeAll);

const reply = (value: string) => rtu(`01 03 02 ${value}`);

describe("one request, one reply", () => {
  it.each(["8N1", "8N2", "8E1", "8O1"] as const)("format=%s: the reply's PDU", async (format) => {
    const { wire, peer } = await line((_, to) => to.write(reply("1234")), { format });
    expect(await ask(wire)).toBe("03021234");
    expect(peer.heard.map((h) => h.hex).join("")).toBe(rtu("01 03 0020 0001").toString("hex"));
  });

  it("every value of a byte passes unchanged, in both directions (raw mode)", async () => {
    const values = Buffer.from(Array.from({ length: 246 }, (_, i) => (i * 7) & 0xff));
    const { wire, peer } = await line((request, to) => {
      if (request[1] === 3) to.write(rtu(`01 03 f6 ${values.toString("hex")}`));
      else to.write(rtu("01 10 0000 007b"));
    });
    expect(await ask(wire, bytesOf("03 0000 007b"))).toBe(`03f6${values.toString("hex")}`);
    const pdu = bytesOf(`10 0000 007b f6 ${values.toString("hex")}`);
    expect(await ask(wire, pdu)).toBe("100000007b");
    expect(peer.heard.map((h) => h.hex).join("")).toContain(
      rtu(`01 ${pdu.toString("hex")}`).toString("hex"),
    );
  });

  it("FR-09: a byte every 1 to 40 ms: assembled by length", async () => {
    const { wire } = await line(async (_, to) => {
      await to.dribble(bytesOf("01 03 04 00 01 86 A0 C9 EB"), (i) => [1, 16, 40, 7][i % 4] ?? 1);
    });
    expect(await ask(wire, bytesOf("03 0020 0002"), 1, 3000, 1000)).toBe("0304000186a0");
  });

  it("FR-09: a byte every 40 ms and timeout=200 ms: one clean end, and the next is right", async () => {
    let slow = true;
    const { wire } = await line(async (_, to) => {
      if (!slow) return to.write(reply("0005"));
      slow = false;
      await to.dribble(reply("1234").subarray(0, 6), () => 60);
    });
    expect(await ask(wire, read1, 1, 200)).toBe("noReply malformed");
    expect(await ask(wire)).toBe("03020005");
  });

  it("EX-06: an exception 5 ms after the request, timeout=10 s: told at once", async () => {
    const { wire } = await line(async (_, to) => {
      await pause(5);
      to.write("01 83 02 C0 F1");
    });
    const beganMs = performance.now();
    expect(await ask(wire, read1, 1, 10_000)).toBe("8302");
    expect(performance.now() - beganMs).toBeLessThan(5000);
  });

  it("0x81 as the exception of every function: only where the unit's profile says so", async () => {
    const units = [unitTiming(2, { functionBytes: [0x81] })];
    const { wire } = await line((request, to) => to.write(rtu(`0${request[0]} 81 02`)), { units });
    expect(await ask(wire, read1, 2)).toBe("8302");
    expect(await ask(wire, read1, 1, 100)).toBe("noReply malformed");
  });
});

describe("bytes that are not the reply", () => {
  it("FR-02: a random byte ahead of 1 of 256 replies: at least 254 right, none wrong", async () => {
    let n = 0;
    const { wire } = await line((_, to) => {
      n += 1;
      if (n === 100) to.write(Uint8Array.of(Math.floor(Math.random() * 256)));
      to.write(reply(n.toString(16).padStart(4, "0")));
    });
    let right = 0;
    for (let i = 1; i <= 256; i += 1) {
      const got = await ask(wire);
      if (got === `0302${i.toString(16).padStart(4, "0")}`) right += 1;
      else expect(got).toMatch(/^noReply/);
    }
    expect(right).toBeGreaterThanOrEqual(254);
    expect(said.filter((s) => s.text.includes("away")).length).toBe(0);
  }, 60_000);

  it("FR-02: a stray byte ahead of 1 of 16 replies, 256 requests: none wrong", async () => {
    let n = 0;
    const { wire } = await line((_, to) => {
      n += 1;
      if (n % 16 === 0) to.write(Uint8Array.of([0, 1, 3, 0xff, 0x81][n % 5] ?? 0));
      to.write(reply(n.toString(16).padStart(4, "0")));
    });
    let right = 0;
    for (let i = 1; i <= 256; i += 1) {
      const got = await ask(wire);
      if (got === `0302${i.toString(16).padStart(4, "0")}`) right += 1;
      else expect(got).toMatch(/^noReply/);
    }
    expect(right).toBeGreaterThanOrEqual(256 - 16);
  }, 60_000);

  it("FR-02: a frame that ends in the middle, then silence: that request only", async () => {
    let n = 0;
    const { wire } = await line((_, to) => {
      n += 1;
      to.write(n === 1 ? bytesOf("01 03 02 12") : reply("0007"));
    });
    expect(await ask(wire, read1, 1, 150)).toBe("noReply malformed");
    expect(await ask(wire)).toBe("03020007");
  });

  it("FR-11: an exception without checksum every other time, 100 rounds: 50 exact", async () => {
    let n = 0;
    const { wire } = await line((_, to) => {
      n += 1;
      if (n % 2 === 1) to.write("0A 81 02");
      else to.write(rtu("0A 01 01 05"));
    });
    for (let i = 0; i < 50; i += 1) {
      expect(await ask(wire, bytesOf("01 04A1 0001"), 10, 25)).toMatch(/^noReply/);
      expect(await ask(wire, bytesOf("01 04A1 0001"), 10)).toBe("010105");
    }
  }, 60_000);

  it("FR-12: 64 KiB of 01 03 in one go: this thread stays free, few lines, next right", async () => {
    let n = 0;
    const { wire } = await line(async (_, to) => {
      n += 1;
      if (n > 1) return to.write(reply("0001"));
      for (let i = 0; i < 64; i += 1) {
        to.write(Buffer.alloc(1024, bytesOf("01 03")));
        await pause(1);
      }
    });
    let ticks = 0;
    const ticker = setInterval(() => {
      ticks += 1;
    }, 5);
    expect(await ask(wire, bytesOf("03 0000 007d"), 1, 500)).toBe("noReply malformed");
    clearInterval(ticker);
    expect(ticks).toBeGreaterThan(10);
    expect(said.length).toBeLessThan(10);
    await pause(300);
    expect(await ask(wire)).toBe("03020001");
  });

  it("TX-06: the neighbour's frame in the same read or 5 ms before, 200 times: 0 failures", async () => {
    let n = 0;
    const { wire } = await line(async (_, to) => {
      n += 1;
      const [other, own] = [bytesOf("02 03 02 00 07 BD 86"), bytesOf("01 03 02 00 02 39 85")];
      if (n % 2 === 0) return to.write(Buffer.concat([other, own]));
      to.write(other);
      await pause(5);
      to.write(own);
    });
    for (let i = 0; i < 200; i += 1) expect(await ask(wire)).toBe("03020002");
  }, 60_000);

  it("TX-05: only another unit answers: malformed at the deadline, no value", async () => {
    const { wire } = await line((_, to) => to.write("02 03 02 00 07 BD 86"));
    expect(await ask(wire, read1, 1, 100)).toBe("noReply malformed");
  });

  it.each([
    ["another register", "01 06 0021 0003"],
    ["another value (a drive that clamps)", "01 06 0020 0002"],
    ["another function", "01 10 0020 0001"],
  ])("a write acknowledged with %s is not acknowledged", async (_, wrong) => {
    let n = 0;
    const { wire } = await line((request, to) => {
      n += 1;
      to.write(n === 1 ? rtu(wrong) : request);
    });
    expect(await ask(wire, write6, 1, 200)).toBe("noReply malformed");
    expect(await ask(wire, write6)).toBe("0600200003");
  });
});

describe("late replies", () => {
  it("TX-09: the reply of a timed out request comes into the drain: one result, next right", async () => {
    let n = 0;
    let before = Promise.resolve();
    const { wire } = await line((_, to) => {
      n += 1;
      const own = n;
      // However busy the machine: a device answers in the order in which it is asked.
      before = before.then(async () => {
        if (own % 2 === 1) await pause(65);
        to.write(reply(own.toString(16).padStart(4, "0")));
      });
      return before;
    });
    const results: string[] = [];
    for (let i = 1; i <= 10; i += 1)
      results.push(await ask(wire, read1, 1, i % 2 === 1 ? 60 : 1000));
    for (const [i, got] of results.entries()) {
      const own = `0302${(i + 1).toString(16).padStart(4, "0")}`;
      // On a busy machine the late one may be in time; it is never someone else's value.
      expect(i % 2 === 1 ? [own] : ["noReply timeout", own]).toContain(got);
    }
  });

  it("TX-09: a reply long after its timeout, while the line is idle, is dropped", async () => {
    let n = 0;
    const { wire } = await line(async (_, to) => {
      n += 1;
      if (n > 1) return to.write(reply("0002"));
      await pause(300);
      to.write(reply("0001"));
    });
    const results: string[] = [];
    void wire.exchange(1, read1, { timeoutMs: 50 }).then((result) => results.push(hex(result)));
    await pause(600);
    expect(results).toEqual(["noReply timeout"]);
    expect(await ask(wire)).toBe("03020002");
  });

  it("the wait ends at firstByteMs=40 without a byte, timeout=10 s", async () => {
    const { wire } = await line(() => undefined);
    const beganMs = performance.now();
    expect(await ask(wire, read1, 1, 10_000, 40)).toBe("noReply timeout");
    expect(performance.now() - beganMs).toBeLessThan(5000);
  });

  it("a drain into which bytes keep coming ends, and a stop ends a quiet one sooner", async () => {
    let babble = true;
    const { wire, peer } = await line(() => undefined);
    const babbling = (async () => {
      while (babble) {
        peer.write("55");
        await pause(2);
      }
    })();
    expect(await ask(wire, read1, 1, 30)).toMatch(/^(noReply malformed|notSent not-sent)$/);
    babble = false;
    await babbling;
    const asked = ask(wire, read1, 1, 30);
    wire.hurry?.();
    expect(await asked).toMatch(/^noReply (timeout|malformed)$/);
  });
});

describe("echo", () => {
  it("FR-05: pure loopback, echo=true: a write and a read time out, nothing is acknowledged", async () => {
    const { wire } = await line((request, to) => to.write(request), { echo: true });
    expect(await ask(wire, write6, 1, 100)).toBe("noReply timeout");
    expect(await ask(wire, read1, 1, 100)).toBe("noReply timeout");
    expect(said.filter((s) => s.level === "warn").length).toBe(0);
  });

  it("FR-05: loopback and real replies in the same read, echo=true: right", async () => {
    const { wire } = await line(
      (request, to) => {
        const answer = request[1] === 6 ? request : reply("1234");
        to.write(Buffer.concat([request, answer]));
      },
      { echo: true },
    );
    expect(await ask(wire)).toBe("03021234");
    expect(await ask(wire, write6)).toBe("0600200003");
  });

  it("FR-05: pure loopback, echo=false: a read is not answered by its own request", async () => {
    const { wire } = await line((request, to) => to.write(request));
    expect(await ask(wire, read1, 1, 100)).toBe("noReply malformed");
  });

  it("echo=true and an adapter that does not echo: no reply counts, and it is said", async () => {
    const { wire } = await line((_, to) => to.write(reply("1234")), { echo: true });
    expect(await ask(wire, read1, 1, 100)).toBe("noReply timeout");
    await until(() => said.some((s) => s.text.includes("does not echo")), "the message");
  });
});

describe("broadcast", () => {
  it("BC-01: sent once, tells itself apart, and the line waits 100 ms for the next", async () => {
    const { wire, peer } = await line((request, to) => {
      if (request[0] !== 0) to.write(reply("0001"));
    });
    const beganMs = performance.now();
    const sent = wire.exchange(0, bytesOf("06 0020 0001"), { timeoutMs: 5000 });
    const next = ask(wire);
    expect(await sent).toEqual({
      kind: "reply",
      pdu: Uint8Array.from(bytesOf("06 0020 0001")),
      broadcast: true,
    });
    expect(await next).toBe("03020001");
    expect(peer.heard.map((h) => h.hex)).toEqual([
      "0006002000014811",
      rtu("01 03 0020 0001").toString("hex"),
    ]);
    expect((peer.heard[1]?.atMs ?? 0) - beganMs).toBeGreaterThanOrEqual(100);
  });

  it("BC-01: a read of unit 0 is not sent", async () => {
    const { wire, peer } = await line(() => undefined);
    expect(await ask(wire, read1, 0)).toBe("notSent invalid-value");
    expect(peer.heard).toEqual([]);
  });
});
