/**
 * Virtual time: an event queue that replaces Date, performance and timers.
 *
 * The idea: everything that happens in a world is an event of this queue, and each event has an
 * owner, the node in whose name it runs. Timers made while an event and its promises run belong to
 * the same owner, so the crash of a node is the end of its events. After every event all promises
 * are drained, or histories would depend on the depth of awaits. It refuses real time: an await
 * of real I/O never ends here, so a leak shows at once.
 */

/** Something that is to happen; `cancel` takes it back. */
export interface Due {
  atUs: number;
  readonly seq: number;
  readonly owner: string;
  readonly run: () => void;
  /** Where it stands in the heap; -1: not any more. */
  place: number;
  /** Cancelled, maybe while its owner was stalled. */
  dead: boolean;
}

/** Node's own way to run what is queued on promises and nextTick; drains both. */
const drain = (process as unknown as { _tickCallback(): void })._tickCallback.bind(process);
const settled = Promise.resolve();

/** A binary heap ordered by time, then by the order of scheduling; any item can be taken out. */
class Heap {
  readonly #items: Due[] = [];

  get first(): Due | undefined {
    return this.#items[0];
  }

  /** Takes the first one out. */
  shift(): void {
    const items = this.#items;
    const [first] = items;
    const last = items.pop();
    if (first === undefined || last === undefined) return;
    first.place = -1;
    if (last !== first) this.#sink(last, 0);
  }

  push(item: Due): void {
    this.#items.push(item);
    this.#rise(item, this.#items.length - 1);
  }

  /** Takes an item out; one that is not in it any more is left alone. */
  take(item: Due): void {
    const { place } = item;
    if (place < 0) return;
    item.place = -1;
    const last = this.#items.pop();
    if (last === undefined || last === item) return;
    const above = this.#items[(place - 1) >> 1];
    if (place > 0 && above !== undefined && before(last, above)) this.#rise(last, place);
    else this.#sink(last, place);
  }

  #rise(item: Due, from: number): void {
    const items = this.#items;
    let i = from;
    while (i > 0) {
      const up = (i - 1) >> 1;
      const above = items[up];
      if (above === undefined || before(above, item)) break;
      items[i] = above;
      above.place = i;
      i = up;
    }
    items[i] = item;
    item.place = i;
  }

  #sink(item: Due, from: number): void {
    const items = this.#items;
    const count = items.length;
    let i = from;
    for (;;) {
      let down = 2 * i + 1;
      if (down >= count) break;
      let child = items[down];
      const right = down + 1 < count ? items[down + 1] : undefined;
      if (child !== undefined && right !== undefined && before(right, child)) {
        down += 1;
        child = right;
      }
      if (child === undefined || before(item, child)) break;
      items[i] = child;
      child.place = i;
      i = down;
    }
    items[i] = item;
    item.place = i;
  }
}

function before(a: Due, b: Due): boolean {
  return a.atUs < b.atUs || (a.atUs === b.atUs && a.seq < b.seq);
}

export class VirtualClock {
  /** Microseconds since the start of the world; a float64 integer, never truncated to 32 bits. */
  #nowUs = 0;
  #seq = 0;
  #owner = "world";
  #running = false;
  readonly #heap = new Heap();
  /** Wall clock at the start, epoch ms; jumps add to it. */
  wallOffsetMs = 1_700_000_000_000;

  get nowMs(): number {
    return this.#nowUs / 1000;
  }

  get owner(): string {
    return this.#owner;
  }

  /** Runs `run` after `delayMs` in the name of `owner` (by default of who asks). */
  schedule(delayMs: number, run: () => void, owner: string = this.#owner): () => void {
    const due = this.plan(delayMs, run, owner);
    return () => this.cancel(due);
  }

  /** The same for who keeps what is due: nothing is made to take it back. */
  plan(delayMs: number, run: () => void, owner: string = this.#owner): Due {
    const delayUs = Math.max(0, Math.round(Number.isFinite(delayMs) ? delayMs * 1000 : 0));
    this.#seq += 1;
    const atUs = this.#nowUs + delayUs;
    const due: Due = { atUs, seq: this.#seq, owner, run, place: -1, dead: false };
    this.#heap.push(due);
    return due;
  }

  cancel(due: Due): void {
    due.dead = true;
    this.#heap.take(due);
  }

  /** A promise that settles after `delayMs` of virtual time; never, if its owner is killed. */
  wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.schedule(delayMs, resolve));
  }

  /** Runs a piece of work now in the name of another node, its promises included. */
  as<T>(owner: string, work: () => T): T {
    const previous = this.#owner;
    this.#owner = owner;
    try {
      const result = work();
      // Between two events nobody else would run what it has put on promises and nextTick.
      if (!this.#running) drain();
      return result;
    } finally {
      this.#owner = previous;
    }
  }

  /** Ends a node: whatever it had planned never happens. */
  kill(owner: string): void {
    this.#killed.add(owner);
  }
  readonly #killed = new Set<string>();

  /** A node that is stopped as by SIGSTOP: its events wait, in order, until it is resumed. */
  stall(owner: string): void {
    if (!this.#stalled.has(owner)) this.#stalled.set(owner, []);
  }
  readonly #stalled = new Map<string, Due[]>();

  isStalled(owner: string): boolean {
    return this.#stalled.has(owner);
  }

  resume(owner: string): void {
    const waiting = this.#stalled.get(owner);
    this.#stalled.delete(owner);
    for (const due of waiting ?? []) {
      if (due.dead) continue;
      due.atUs = Math.max(due.atUs, this.#nowUs);
      this.#heap.push(due);
    }
  }

  /** Calls `then` in place of the nth event of this owner from now on, n ≥ 1. */
  interrupt(owner: string, n: number, then: () => void): void {
    this.#interrupts.set(owner, { left: n, run: then });
  }

  /** What was to be called in place of an event, and has not been, never will be. */
  uninterrupted(): void {
    this.#interrupts.clear();
  }
  readonly #interrupts = new Map<string, { left: number; readonly run: () => void }>();

  /** Runs events until virtual `untilMs`, or until `done` says so. */
  run(untilMs: number, done: () => boolean = () => false): void {
    const untilUs = Math.round(untilMs * 1000);
    while (!done()) {
      const next = this.#heap.first;
      if (next === undefined || next.atUs > untilUs) break;
      this.#heap.shift();
      if (this.#killed.size > 0 && this.#killed.has(next.owner)) continue;
      this.#nowUs = next.atUs;
      this.#running = true;
      this.#play(next);
      this.#running = false;
    }
    if (!done()) this.#nowUs = Math.max(this.#nowUs, untilUs);
  }

  #play(due: Due): void {
    const stalled = this.#stalled.size > 0 ? this.#stalled.get(due.owner) : undefined;
    if (stalled !== undefined) {
      stalled.push(due);
      return;
    }
    const interrupt = this.#interrupts.size > 0 ? this.#interrupts.get(due.owner) : undefined;
    if (interrupt !== undefined) {
      interrupt.left -= 1;
      if (interrupt.left <= 0) {
        this.#interrupts.delete(due.owner);
        interrupt.run();
        drain();
        return;
      }
    }
    this.#owner = due.owner;
    due.run();
    drain();
    this.#owner = "world";
  }

  /** Replaces the globals; returns what puts them back. Call `run` from a fresh macrotask. */
  install(): () => void {
    const saved = {
      setTimeout: globalThis.setTimeout,
      clearTimeout: globalThis.clearTimeout,
      setInterval: globalThis.setInterval,
      clearInterval: globalThis.clearInterval,
      dateNow: Date.now,
      performanceNow: performance.now,
      queueMicrotask: globalThis.queueMicrotask,
    };
    const globals = globalThis as unknown as { [name: string]: unknown };
    globals.setTimeout = (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) =>
      new Timer(this, ms, args.length === 0 ? run : () => run(...args), false);
    globals.setInterval = (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) =>
      new Timer(this, ms, () => run(...args), true);
    globals.clearTimeout = (timer: unknown) => timer instanceof Timer && timer.clear();
    globals.clearInterval = (timer: unknown) => timer instanceof Timer && timer.clear();
    // The same queue in the same order, without the async resource that Node makes for each.
    globals.queueMicrotask = (run: () => void) => void settled.then(run);
    Date.now = () => Math.floor(this.wallOffsetMs + this.nowMs);
    performance.now = () => this.nowMs;
    return () => {
      globals.setTimeout = saved.setTimeout;
      globals.setInterval = saved.setInterval;
      globals.clearTimeout = saved.clearTimeout;
      globals.clearInterval = saved.clearInterval;
      globals.queueMicrotask = saved.queueMicrotask;
      Date.now = saved.dateNow;
      performance.now = saved.performanceNow;
    };
  }
}

/** What setTimeout returns in the world; keeps the methods that libraries call. */
class Timer {
  readonly #clock: VirtualClock;
  readonly #owner: string;
  readonly #waitMs: number;
  readonly #run: () => void;
  readonly #again: boolean;
  #due: Due;
  #ended = false;

  constructor(clock: VirtualClock, ms: number, run: () => void, again: boolean) {
    this.#clock = clock;
    this.#owner = clock.owner;
    // As Node does: a timer waits at least 1 ms, or a loop of rests below 1 µs would never end.
    this.#waitMs = Math.max(1, ms);
    this.#run = run;
    this.#again = again;
    this.#due = this.#arm();
  }

  #arm(): Due {
    return this.#clock.plan(this.#waitMs, this.#fire, this.#owner);
  }

  readonly #fire = (): void => {
    if (this.#ended) return;
    if (this.#again) this.#due = this.#arm();
    const run = this.#run;
    run();
  };

  /** Starts to wait again, also after it has fired. */
  refresh(): this {
    if (this.#ended) return this;
    this.#clock.cancel(this.#due);
    this.#due = this.#arm();
    return this;
  }

  clear(): void {
    this.#ended = true;
    this.#clock.cancel(this.#due);
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return false;
  }

  [Symbol.toPrimitive](): number {
    return 1;
  }
}
