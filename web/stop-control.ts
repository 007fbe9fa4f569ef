/**
 * STOP: one tap, no question, and an honest account of who has it.
 *
 * The idea: the request leaves at the press of the pointer, is repeated under the same key until
 * the gateway has answered, and every axis is shown from requested to confirmed with its time;
 * what is not delivered says what to use instead. It refuses to be disabled.
 */
import type { StopAxisResource, StopOrderResource } from "#kernel/contract/resources.js";
import { byId, clock, keep, make, mark, say, show } from "./dom.js";
import { type Live, newKey, post } from "./live.js";

/** Repeats of a request that the gateway has not answered. */
const repeatMs = 700;
const repeatsMax = 15;
/** A request that is unanswered for so long may wait in the browser. */
const roomMs = 150;
/** How long a finished order stays on the page. */
const shownMs = 20_000;
/** A pointer press is followed by a click of the same tap. */
const sameTapMs = 700;

type StopAnswer = Pick<StopOrderResource, "id" | "kind" | "axes">;

interface Tap {
  readonly key: string;
  readonly atMs: number;
  readonly ts: number;
  /** As the gateway answered; the stream says what became of it. */
  order: StopOrderResource | undefined;
  failed: boolean;
}

export class StopControl {
  readonly #live: Live;
  readonly #button = byId("stop");
  readonly #report = byId("stop-report");
  readonly #says = byId("stop-says");
  readonly #axes = byId("stop-axes");
  readonly #changed: () => void;
  #tap: Tap | undefined;
  #pressedAtMs = Number.NEGATIVE_INFINITY;

  constructor(live: Live, changed: () => void) {
    this.#live = live;
    this.#changed = changed;
    this.#button.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      this.#pressedAtMs = performance.now();
      this.#press();
    });
    // Keyboards and screen readers click without a pointer.
    this.#button.addEventListener("click", () => {
      if (performance.now() - this.#pressedAtMs > sameTapMs) this.#press();
    });
  }

  #press(): void {
    const key = newKey();
    const tap = {
      key,
      atMs: performance.now(),
      ts: this.#live.now(),
      order: undefined,
      failed: false,
    };
    this.#tap = tap;
    this.#changed();
    void this.#send(tap);
  }

  async #send(tap: Tap): Promise<void> {
    let answered = false;
    // With all connections of the browser taken by open pages, it would wait for one for ever.
    const room = setTimeout(() => this.#live.makeRoom(), roomMs);
    for (let i = 0; i < repeatsMax && !answered; i++) {
      const pause = new Promise((resolve) => setTimeout(resolve, repeatMs));
      const request = post<StopAnswer>("/stop", { reason: "STOP on the page" }, tap.key);
      void request.then((answer) => {
        if (!answer.ok) return;
        answered = true;
        clearTimeout(room);
        tap.order = { ...answer.value, ts: tap.ts, by: { user: "this page", role: "" } };
        tap.failed = false;
        this.#changed();
        this.#live.resume();
      });
      await Promise.race([request, pause]);
      if (answered) return;
      tap.failed = true;
      this.#changed();
      await pause;
    }
  }

  render(): void {
    const orders = this.#live.snapshot?.stops.orders ?? [];
    const said = this.#tap?.order;
    // Without the stream the answer is all that is known of it; another order is not this one.
    const mine = said === undefined ? undefined : (orders.find((o) => o.id === said.id) ?? said);
    const newest = mine ?? orders[0];
    const waiting = this.#tap !== undefined && said === undefined ? this.#tap : undefined;
    const order = waiting === undefined ? newest : undefined;
    show(this.#report, waiting !== undefined || this.#worthShowing(order));
    if (waiting !== undefined) this.#renderWaiting(waiting);
    else if (order !== undefined) this.#renderOrder(order);
  }

  #worthShowing(order: StopOrderResource | undefined): boolean {
    if (order === undefined) return false;
    const held = this.#live.snapshot?.stops.latched.some((stop) => stop.id === order.id);
    return held === true || this.#live.now() - order.ts < shownMs;
  }

  #renderWaiting(tap: Tap): void {
    const elapsed = Math.round(performance.now() - tap.atMs);
    mark(this.#report, "undelivered", tap.failed);
    say(
      this.#says,
      tap.failed
        ? "STOP: no answer from the gateway. Use the hardware stop."
        : `STOP requested at ${clock(tap.ts)}, ${elapsed} ms`,
    );
    const axes = this.#live.snapshot?.axes ?? [];
    const status = tap.failed ? "notDelivered" : "requested";
    this.#list(axes.map((axis) => ({ axis: axis.axis, status })));
  }

  #renderOrder(order: StopOrderResource): void {
    const missed = order.axes.filter((axis) => axis.status === "notDelivered");
    const unsure = order.axes.filter((axis) => axis.status === "unconfirmed");
    const still = order.axes.every((axis) => axis.status === "confirmed");
    mark(this.#report, "undelivered", missed.length + unsure.length > 0);
    const head = `${words[order.kind]} by ${order.by.user} at ${clock(order.ts)}`;
    say(this.#says, `${head}: ${sentence(missed, unsure, still)}`);
    this.#list(order.axes);
  }

  #list(axes: readonly StopAxisResource[]): void {
    keep(this.#axes, axes, {
      key: (axis) => axis.axis,
      make: () => make("li", {}, [make("strong"), make("span")]),
      update: (item, axis) => {
        const [name, text] = [item.children[0], item.children[1]];
        if (!(name instanceof HTMLElement && text instanceof HTMLElement)) return;
        const bad = axis.status === "notDelivered" || axis.status === "unconfirmed";
        mark(item, "alarm", bad);
        say(name, axis.axis);
        const elapsed = axis.elapsedMs === undefined ? "" : ` ${Math.round(axis.elapsedMs)} ms`;
        say(text, `${bad ? "▲ " : ""}${statuses[axis.status]}${elapsed}`);
      },
    });
  }
}

const words = { stop: "STOP", quickStop: "Quick stop", abort: "Abort" } as const;

const statuses: { readonly [S in StopAxisResource["status"]]: string } = {
  requested: "requested",
  received: "received, stopping",
  confirmed: "confirmed still",
  unconfirmed: "standstill not confirmed",
  notDelivered: "not delivered",
};

function sentence(
  missed: readonly StopAxisResource[],
  unsure: readonly StopAxisResource[],
  still: boolean,
): string {
  const names = (axes: readonly StopAxisResource[]) => axes.map((a) => a.axis).join(", ");
  if (missed.length > 0) return `not delivered to ${names(missed)}. Use the hardware stop.`;
  if (unsure.length > 0) return `${names(unsure)} not seen standing still. Use the hardware stop.`;
  return still ? "every axis is confirmed still" : "requested, waiting for every axis";
}
