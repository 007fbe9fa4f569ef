/**
 * What a device has refused to read in one piece, and how it is read instead.
 *
 * The idea: a read that came back with exception 2 is split around its widest gap; the split is
 * remembered, so that the refusal is paid for once (BR-01), and forgotten when the device was
 * away, because another may have come back. It refuses to grow without bound.
 */
import type { ReadRequest } from "#drivers/device-model.js";

/** Splits remembered per device; beyond it a refused read stays refused. */
export const splitsMax = 64;
/** Exception 2 [MODBUS application 7]: an address of the span does not exist. */
export const illegalAddress = 2;

/** Two reads in place of one; undefined: it cannot be split. */
export type SplitRead = (request: ReadRequest) => readonly ReadRequest[] | undefined;

export class ReadHoles {
  readonly #split: SplitRead;
  readonly #known = new Map<string, readonly ReadRequest[]>();

  constructor(split: SplitRead) {
    this.#split = split;
  }

  /** The requests that go on the wire in place of these. */
  all(requests: readonly ReadRequest[]): readonly ReadRequest[] {
    if (this.#known.size === 0) return requests;
    return requests.flatMap((request) => this.resolved(request));
  }

  /** The requests that go on the wire in place of this one. */
  resolved(request: ReadRequest): readonly ReadRequest[] {
    const parts = this.#known.get(keyOf(request));
    return parts === undefined ? [request] : parts.flatMap((part) => this.resolved(part));
  }

  /** The device has refused the request; true: it is read in parts from now on. */
  refused(request: ReadRequest, exception: number): boolean {
    if (exception !== illegalAddress || this.#known.size >= splitsMax) return false;
    const parts = this.#split(request);
    if (parts === undefined) return false;
    this.#known.set(keyOf(request), parts);
    return true;
  }

  forget(): void {
    this.#known.clear();
  }
}

function keyOf({ fc, address, count }: ReadRequest): string {
  return `${fc} ${address} ${count}`;
}
