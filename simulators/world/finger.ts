/**
 * A finger on a jog button in a world: it presses, echoes what it is told, and lets go somehow.
 *
 * The idea: the person's client is one more place where something may go wrong, so an echo takes
 * its way over a network with delays, a finger may go numb, be cut off, or say old nonces again.
 * When it is lifted is written into the trace: that is what a judge believes. It refuses to press
 * twice.
 */
import type { TraceLine } from "../judges/trace.js";
import type { JogPress } from "./jog-press.js";
import type { MessageFaults } from "./message-bus.js";
import { OpenResponse, type Word } from "./open-response.js";
import type { PressDesk } from "./press-desk.js";
import type { SeededRandom } from "./seeded-random.js";
import type { VirtualClock } from "./virtual-clock.js";

export interface FingerParts {
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  /** The network of people is as bad as that of services. */
  readonly faults: Readonly<MessageFaults>;
  readonly gateway: () => { readonly owner: string; readonly desk: PressDesk } | undefined;
  readonly emit: (line: TraceLine) => void;
  readonly note: (what: string, text: string) => void;
}

const owner = "operator";
const hopMsMin = 0.3;
/** When old nonces are said again: later than any hold lives. */
const againMs = 450;
/** A client that echoes nothing is closed by its person. */
const tiredMs = 2000;

export class Finger {
  readonly #parts: FingerParts;
  readonly #press: JogPress;
  readonly #hold: string;
  readonly #nonces: string[] = [];
  #lifted = false;
  #response: OpenResponse | undefined;
  #echo: (nonce: string | undefined) => void = () => {};

  constructor(parts: FingerParts, press: JogPress, hold: string) {
    this.#parts = parts;
    this.#press = press;
    this.#hold = hold;
  }

  press(): void {
    const { clock, gateway, note } = this.#parts;
    const { device: axis, velocity, bypass = [], forMs } = this.#press;
    const at = gateway();
    if (at === undefined) {
      note("jog", `jog ${axis}: nobody answers`);
      return;
    }
    const toGateway = (work: () => void) => this.#hop(work, at.owner);
    const toClient = (work: () => void) => this.#hop(work, owner);
    const response = new OpenResponse(
      { toGateway, toClient },
      {
        heard: (word) => this.#heard(word),
        refused: (code) => note("jog", `jog ${axis}: refused, ${code}`),
      },
    );
    const hold = this.#hold;
    this.#response = response;
    this.#echo = (nonce) => toGateway(() => at.desk.echoed(hold, axis, nonce));
    toGateway(() => void at.desk.press({ hold, axis, velocity, bypass }, response));
    clock.schedule(forMs, () => this.#lift(), owner);
  }

  #heard({ kind, nonce }: Word): void {
    if (kind === "ended") this.#lift();
    if (nonce === undefined || this.#lifted) return;
    this.#nonces.push(nonce);
    this.#echo(nonce);
  }

  #lift(): void {
    if (this.#lifted) return;
    this.#lifted = true;
    const { clock, emit } = this.#parts;
    const { device, end } = this.#press;
    emit({ at: clock.nowMs, kind: "lifted", device, hold: this.#hold, how: end });
    if (end === "letGo") this.#echo(undefined);
    else if (end === "cut") this.#response?.cut();
    if (end === "again") clock.schedule(againMs, () => this.#sayAllAgain(), owner);
    clock.schedule(tiredMs, () => this.#response?.cut(), owner);
  }

  #sayAllAgain(): void {
    for (const nonce of this.#nonces) this.#echo(nonce);
  }

  #hop(work: () => void, to: string): void {
    const { clock, random, faults } = this.#parts;
    clock.schedule(random.between(hopMsMin, hopMsMin + faults.delayMaxMs), work, to);
  }
}
