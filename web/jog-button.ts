/**
 * A button that moves an axis while it is held, and only then.
 *
 * The idea: pressing opens a request whose answer stays open; each nonce in it is sent back while
 * the finger is there, so a page that hangs has nothing to send. Whatever could mean that nobody
 * presses lets go: pointer up, cancelled or captured away, key up, focus gone, page hidden. It
 * refuses to press again by itself.
 */
import type { Problem } from "#kernel/contract/resources.js";
import { newKey } from "./live.js";

interface Word {
  readonly kind: "granted" | "nonce" | "ended";
  readonly nonce?: string;
  readonly reason?: string;
}

/** Ends that need no words. */
const usual: ReadonlySet<string> = new Set(["released", "the button was let go"]);

/** One press, from the finger down to whatever ended it. */
class Press {
  readonly #path: string;
  readonly #hold = newKey();
  readonly #abort = new AbortController();
  #held = true;
  #granted = false;

  constructor(axis: string) {
    this.#path = `/api/v1/axes/${axis}/jog`;
  }

  /** Resolves when it is over: with a sentence where a person has to know why. */
  async run(velocity: number): Promise<string | undefined> {
    try {
      const reply = await fetch(this.#path, {
        method: "POST",
        headers: { "content-type": "application/json", "idempotency-key": this.#hold },
        body: JSON.stringify({ velocity }),
        signal: this.#abort.signal,
      });
      if (!reply.ok) {
        const problem = (await reply.json()) as Problem;
        return `${problem.message} ${problem.action} (${problem.code})`;
      }
      return reply.body === null ? undefined : await this.#listen(reply.body);
    } catch {
      return this.#held ? "The gateway did not answer." : undefined;
    }
  }

  /** The word for it first; closing the answer says the same where that word is lost. */
  letGo(): void {
    if (!this.#held) return;
    this.#held = false;
    if (this.#granted) this.#echo(undefined);
    setTimeout(() => this.#abort.abort(), closeMs);
  }

  async #listen(body: ReadableStream<Uint8Array>): Promise<string | undefined> {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    this.#granted = true;
    if (!this.#held) this.#echo(undefined);
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return this.#held ? "The connection of the press has ended." : undefined;
      const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const word = JSON.parse(line) as Word;
        if (word.kind === "nonce" && this.#held) this.#echo(word.nonce);
        if (word.kind !== "ended") continue;
        const reason = word.reason ?? "it has ended";
        return usual.has(reason) || !this.#held ? undefined : `Stopped: ${reason}. Press again.`;
      }
    }
  }

  #echo(nonce: string | undefined): void {
    const body = JSON.stringify(nonce === undefined ? {} : { nonce });
    const headers = { "content-type": "application/json" };
    const request = { method: "POST", headers, body, keepalive: true };
    // An echo that is lost is missed by the driver, which is the point of it.
    void fetch(`${this.#path}/${this.#hold}`, request).catch(() => undefined);
  }
}

/** Between the word that lets go and the close of the answer. */
const closeMs = 150;

export interface JogWish {
  readonly axis: string;
  /** With its sign; undefined: not now. */
  readonly velocity: () => number | undefined;
  readonly say: (text: string | undefined) => void;
}

/** Makes a button hold-to-run; what it returns lets go, whoever still presses. */
export function holdToRun(button: HTMLButtonElement, wish: JogWish): () => void {
  let press: Press | undefined;
  let pointer: number | undefined;
  const down = () => {
    const velocity = wish.velocity();
    if (press !== undefined || button.disabled || velocity === undefined) return;
    const now = new Press(wish.axis);
    press = now;
    button.classList.add("held");
    wish.say(undefined);
    void now.run(velocity).then((text) => {
      if (press === now) up();
      if (text !== undefined) wish.say(text);
    });
  };
  const up = () => {
    press?.letGo();
    press = undefined;
    pointer = undefined;
    button.classList.remove("held");
  };
  button.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    button.setPointerCapture(event.pointerId);
    down();
    pointer = event.pointerId;
  });
  for (const name of ["pointerup", "pointercancel", "lostpointercapture", "blur"]) {
    button.addEventListener(name, up);
  }
  button.addEventListener("keydown", (event) => {
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    if (!event.repeat) down();
  });
  // Not on the button: one that is disabled or hidden while it is held hears nothing any more.
  window.addEventListener("keyup", up, true);
  for (const name of ["pointerup", "pointercancel"] as const) {
    const away = (event: PointerEvent) => event.pointerId === pointer && up();
    window.addEventListener(name, away, true);
  }
  // A long touch would open a menu and take the pointer away.
  button.addEventListener("contextmenu", (event) => event.preventDefault());
  window.addEventListener("blur", up);
  window.addEventListener("pagehide", up);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "visible") up();
  });
  return up;
}
