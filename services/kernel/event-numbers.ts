/**
 * The numbers of a source's events: rising, and none ever given twice.
 *
 * The idea: a block of numbers is claimed on the disk before the first of it is used, and the next
 * one long before it is needed, so no event waits for a number. A start begins above all that was
 * ever claimed, and not below the microsecond of its clock: then numbers also rise when a database
 * was replaced while the readers kept theirs. It refuses to go back.
 */

/** Numbers that are claimed at a time: a start within the same second goes beyond the clock. */
export const blockSize = 1_000_000;

export class EventNumbers {
  readonly #claim: (upTo: number) => Promise<void>;
  #last: number | undefined;
  #asked = 0;
  #claimed = 0;
  /** Told when more numbers stand on the disk. */
  onClaimed: () => void = () => undefined;

  /** `claim` resolves when the disk has it; it is asked again when it rejects. */
  constructor(claim: (upTo: number) => Promise<void>) {
    this.#claim = claim;
  }

  /** Whether numbers can be given. */
  get ready(): boolean {
    return this.#last !== undefined;
  }

  /** The newest that was given, or claimed by an earlier start. */
  get last(): number {
    return this.#last ?? 0;
  }

  /** Events with numbers up to this one may leave. */
  get claimed(): number {
    return this.#claimed;
  }

  /** `upTo`: what earlier starts have claimed; 0: nothing. */
  begin(upTo: number, nowTs: number): void {
    this.#last = Math.max(upTo, Math.floor(nowTs) * 1000);
    void this.#ask(this.#last + blockSize);
  }

  next(): number {
    const next = this.last + 1;
    this.#last = next;
    if (this.#asked - next < blockSize / 2) void this.#ask(this.#asked + blockSize);
    return next;
  }

  /**
   * Goes on above a number that others have of us and we do not; resolves when that is claimed.
   * `claim`: for one that has to be true together with more.
   */
  async raise(above: number, claim = this.#claim): Promise<void> {
    if (above <= this.last) return;
    this.#last = above;
    await this.#ask(above + blockSize, claim);
  }

  async #ask(upTo: number, claim = this.#claim): Promise<void> {
    this.#asked = upTo;
    await claim(upTo);
    if (upTo <= this.#claimed) return;
    this.#claimed = upTo;
    this.onClaimed();
  }
}
