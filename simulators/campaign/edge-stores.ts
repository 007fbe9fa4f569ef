/**
 * Stores on real files: SQLite with its log on a disk, through the synchronous code of the edge.
 *
 * The idea: a service that is killed leaves a file and a log that nobody has closed; its next start
 * opens a copy of both, so what was committed has to come back through SQLite's own recovery. It
 * refuses to survive its world: the folder is removed with it.
 */
import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSynchronousStore } from "#kernel/edge/memory-store.js";
import type { Store } from "#kernel/ports.js";

export class FileStores {
  readonly #dir = mkdtempSync(join(tmpdir(), "servocell-world-"));
  readonly #open = new Map<string, { file: string; store: Store; schema: readonly string[] }>();
  #copies = 0;

  /** An empty store for a service; what is returned follows it through its kills. */
  make(service: string, schema: readonly string[]): Store {
    const file = this.#newFile(service);
    const opened = { file, schema, store: openSynchronousStore(schema, file) };
    this.#open.set(service, opened);
    return {
      tx: (statements, how) => opened.store.tx(statements, how),
      close: () => opened.store.close(),
    };
  }

  /** kill -9: the file and its log are what the next start finds. */
  reopen(service: string): void {
    const known = this.#open.get(service);
    if (known === undefined) return;
    const file = this.#newFile(service);
    for (const end of ["", "-wal"]) {
      if (existsSync(known.file + end)) copyFileSync(known.file + end, file + end);
    }
    void known.store.close();
    rmSync(known.file, { force: true });
    known.file = file;
    known.store = openSynchronousStore(known.schema, file);
  }

  /** Ends all of them and removes their files. */
  close(): void {
    for (const { store } of this.#open.values()) void store.close();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #newFile(service: string): string {
    this.#copies += 1;
    return join(this.#dir, `${service}-${this.#copies}.db`);
  }
}
