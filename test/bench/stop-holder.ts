/**
 * Holds the leases of all axes of a bench cell and keeps them moving, as a coordinator would.
 *
 * The idea: one MQTT client that beats every 100 ms, asks each driver for its lease and sends its
 * commands; what a driver answers settles the command. It refuses to go on where
 * a driver goes on refusing.
 */
import { openMqttLink } from "#kernel/edge/mqtt-link.js";
import type { Log, MessageLink } from "#kernel/ports.js";
import { sleep } from "../fixtures/cell-process.js";

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} };
const holder = "bench";
const beatMs = 100;
const answerMsMax = 10_000;
const triesMax = 20;
/** A move that lasts longer than the bench waits before its stop. */
const slow = 50;
const travel = { low: 20, middle: 250, high: 480 } as const;

interface Answer {
  readonly status: string;
  readonly text: string;
  readonly epoch: number;
}

interface Request {
  readonly verb: string;
  readonly args: object;
  readonly until: Asked["until"];
}

interface Asked {
  readonly until: "accepted" | "end";
  readonly settle: (answer: Answer) => void;
}

export class Holder {
  readonly #link: MessageLink;
  readonly #axes: readonly string[];
  readonly #bootId = `bench-${process.pid}`;
  readonly #asked = new Map<string, Asked>();
  readonly #epochs = new Map<string, number>();
  readonly #positions = new Map<string, number>();
  readonly #confirmed = new Map<string, Set<string>>();
  readonly #beat: ReturnType<typeof setInterval>;
  #n = 0;

  constructor(broker: number, prefix: string, axes: readonly string[]) {
    const url = `mqtt://127.0.0.1:${broker}`;
    this.#axes = axes;
    this.#link = openMqttLink({ url, prefix, clientId: holder, log: quiet });
    this.#link.subscribe("response", { client: holder }, ({ payload }) => {
      const { id, status, error, result } = payload;
      const asked = this.#asked.get(id);
      const under = status === "accepted" || status === "running";
      if (asked === undefined || (under && asked.until === "end")) return;
      this.#asked.delete(id);
      asked.settle({ status, text: error?.message ?? "", epoch: Number(result?.epoch ?? 0) });
    });
    this.#link.subscribe("stopAck", {}, ({ payload: { axis, id, status } }) => {
      if (status === "confirmed") this.#of(id).add(axis);
    });
    this.#link.subscribe("telemetryAxis", {}, ({ levels: { axis }, payload: { position } }) => {
      if (position !== undefined) this.#positions.set(axis, position);
    });
    this.#beat = setInterval(() => {
      this.#n += 1;
      const payload = { v: 1, bootId: this.#bootId, n: this.#n } as const;
      if (this.#link.connected) void this.#link.publish("beat", { holder }, payload);
    }, beatMs);
  }

  /** Every driver has said that the axis stands after this stop. */
  async confirmed(id: string): Promise<void> {
    const untilMs = performance.now() + answerMsMax;
    while (this.#of(id).size < this.#axes.length) {
      if (performance.now() > untilMs) throw new Error(`stop ${id} was not confirmed by all axes`);
      await sleep(20);
    }
  }

  async lend(): Promise<void> {
    await this.#each(async (axis) => {
      const args = { holder, bootId: this.#bootId };
      const { epoch } = await this.#insist(axis, { verb: "lease", args, until: "end" });
      this.#epochs.set(axis, epoch);
      await this.#insist(axis, { verb: "enable", args: {}, until: "end" });
    });
  }

  async home(): Promise<void> {
    await this.#each((axis) => this.#ask(axis, { verb: "home", args: {}, until: "end" }));
  }

  /** Every axis is on a long way when this resolves. */
  async move(): Promise<void> {
    await this.#each((axis) => {
      const far = (this.#positions.get(axis) ?? 0) < travel.middle;
      const args = { position: far ? travel.high : travel.low, velocity: slow };
      return this.#insist(axis, { verb: "moveTo", args, until: "accepted" });
    });
  }

  async close(): Promise<void> {
    clearInterval(this.#beat);
    await this.#link.close();
  }

  /** A driver refuses while busy with the end of the last stop, or short of a fresh status. */
  async #insist(axis: string, request: Request): Promise<Answer> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#ask(axis, request);
      } catch (thrown) {
        if (tries === triesMax) throw thrown;
        await sleep(beatMs);
      }
    }
  }

  #of(id: string): Set<string> {
    const known = this.#confirmed.get(id) ?? new Set<string>();
    this.#confirmed.set(id, known);
    return known;
  }

  async #each(work: (axis: string) => Promise<unknown>): Promise<void> {
    await Promise.all(this.#axes.map(work));
  }

  async #ask(axis: string, { verb, args, until }: Request): Promise<Answer> {
    this.#n += 1;
    const id = `${holder}-${process.pid}-${this.#n}`;
    const epoch = this.#epochs.get(axis);
    const answered = new Promise<Answer>((settle, fail) => {
      const late = () => fail(new Error(`${axis} did not answer ${verb}`));
      const timer = setTimeout(late, answerMsMax);
      this.#asked.set(id, {
        until,
        settle: (answer) => {
          clearTimeout(timer);
          settle(answer);
        },
      });
    });
    const lease = verb === "lease" || epoch === undefined ? {} : { lease: { holder, epoch } };
    const by = { user: holder, role: "operator" };
    const head = { v: 1, id, ts: Date.now(), ttlMs: 5000, by, replyTo: holder } as const;
    await this.#link.publish(
      "axisCommand",
      { axis, verb },
      { ...head, ...lease, args: { ...args } },
    );
    const answer = await answered;
    const good = ["accepted", "running", "succeeded"].includes(answer.status);
    if (!good) throw new Error(`${axis} ${verb}: ${answer.status} ${answer.text}`);
    return answer;
  }
}
