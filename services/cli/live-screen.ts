/**
 * A few lines of the terminal that are written again and again, and keys that are read meanwhile.
 *
 * The idea: each paint goes back over the lines of the last one; whatever ends the process gives
 * the cursor and the line mode back, because a broken terminal beside a machine is a fault. It
 * refuses more lines than the terminal has.
 */
export interface ScreenOutput {
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  write(text: string): unknown;
}
export interface KeyInput {
  readonly isTTY?: boolean | undefined;
  setRawMode?(raw: boolean): unknown;
  on(event: "data", listener: (data: Buffer | string) => void): unknown;
  off(event: "data", listener: (data: Buffer | string) => void): unknown;
  resume(): unknown;
  pause(): unknown;
}

const hideCursor = "\u001b[?25l";
const showCursor = "\u001b[?25h";
const clearToEnd = "\u001b[J";
const clearScreen = "\u001b[H\u001b[2J";
const up = (lines: number) => (lines === 0 ? "\r" : `\r\u001b[${lines}A`);

export class LiveScreen {
  readonly #output: ScreenOutput;
  #painted = 0;
  #columns: number;
  #open = false;

  constructor(output: ScreenOutput) {
    this.#output = output;
    this.#columns = this.columns;
  }

  get columns(): number {
    return this.#output.columns || 80;
  }
  /** Lines that a paint may have: one stays for the cursor. */
  get rows(): number {
    return Math.max(4, (this.#output.rows || 24) - 1);
  }

  paint(lines: readonly string[]): void {
    const shown = lines.slice(0, this.rows);
    // Narrower lines were wrapped by the terminal: nobody knows any more where they stand.
    const resized = this.columns !== this.#columns;
    const back = resized ? clearScreen : up(this.#painted);
    const text = shown.map((line) => `${line}\u001b[K\n`).join("");
    this.#output.write(`${this.#open ? "" : hideCursor}${back}${text}${clearToEnd}`);
    this.#open = true;
    this.#painted = shown.length;
    this.#columns = this.columns;
  }

  /** The cursor is back; what was painted stays. A second time does nothing. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#painted = 0;
    this.#output.write(showCursor);
  }
}

/** Keys one by one; `close` gives the line mode back, a second time does nothing. */
export function openKeys(input: KeyInput, onKey: (key: string) => void): { close(): void } {
  if (input.isTTY !== true) return { close: () => {} };
  const listen = (data: Buffer | string) => {
    // A control sequence is one key, and none that is asked for.
    const text = String(data);
    if (text.startsWith("\u001b")) return;
    for (const key of text) onKey(key);
  };
  input.setRawMode?.(true);
  input.on("data", listen);
  input.resume();
  let open = true;
  return {
    close: () => {
      if (!open) return;
      open = false;
      input.off("data", listen);
      input.setRawMode?.(false);
      input.pause();
    },
  };
}
