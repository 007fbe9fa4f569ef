/**
 * Moves that share an interlock are started one at a time [PROTOCOL 8].
 *
 * The idea: a command of an interlocked device holds the gate from its leaving until its driver
 * says that it runs or has ended, so that the next one meets a permit that has seen it start. It
 * refuses to hold anything for a run that waits for the command no more.
 */
import type { InterlockConfig } from "#kernel/config/cell.js";

interface Waiting {
  readonly id: string;
  readonly device: string;
  readonly go: () => void;
}

export class StartGate {
  readonly #interlocks: readonly InterlockConfig[];
  readonly #inside = new Map<string, string>();
  #waiting: Waiting[] = [];

  constructor(interlocks: readonly InterlockConfig[]) {
    this.#interlocks = interlocks;
  }

  /** Calls `go` now, or when the moves before it have started. */
  enter(id: string, device: string, go: () => void): void {
    if (this.#isFree(device)) this.#admit({ id, device, go });
    else this.#waiting.push({ id, device, go });
  }

  /** True while the command has to wait for others; it has not left yet. */
  isHeld(id: string): boolean {
    return this.#waiting.some((waiting) => waiting.id === id);
  }

  /** The move has started or ended. */
  leave(id: string): void {
    if (this.#inside.delete(id)) this.#next();
  }

  /** Forgets commands that no run waits for any more. */
  sweep(isAwaited: (id: string) => boolean): void {
    this.#waiting = this.#waiting.filter(({ id }) => isAwaited(id));
    for (const id of [...this.#inside.keys()]) if (!isAwaited(id)) this.#inside.delete(id);
    this.#next();
  }

  #admit({ id, device, go }: Waiting): void {
    if (this.#interlocks.some((interlock) => interlock.moves.includes(device))) {
      this.#inside.set(id, device);
    }
    go();
  }

  #next(): void {
    for (const waiting of [...this.#waiting]) {
      if (!this.#isFree(waiting.device)) continue;
      this.#waiting = this.#waiting.filter((other) => other !== waiting);
      this.#admit(waiting);
    }
  }

  #isFree(device: string): boolean {
    const shared = this.#interlocks.filter((interlock) => interlock.moves.includes(device));
    for (const other of this.#inside.values()) {
      if (shared.some((interlock) => interlock.moves.includes(other))) return false;
    }
    return true;
  }
}
