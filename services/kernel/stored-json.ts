/**
 * JSON out of a service's own database.
 *
 * The idea: a file that a disk or a person has spoiled is no broken assumption: whoever starts the
 * service has to be told which part of which table cannot be read. It refuses to guess a value.
 */
import { ServocellError, textOf } from "./errors.js";
import type { App, Store } from "./ports.js";

/** @throws STORE_DAMAGED naming `what` when the text is not JSON of an object or list. */
export function storedJson<T extends object>(text: unknown, what: string): T {
  try {
    const value: unknown = JSON.parse(String(text));
    if (typeof value === "object" && value !== null) return value as T;
    throw new Error(`it is ${String(value)}`);
  } catch (thrown) {
    const said = `The database holds ${what} that cannot be read: ${textOf(thrown)}.`;
    throw new ServocellError("STORE_DAMAGED", said, { what }, thrown);
  }
}

/** The app whose start names the file of its store where that cannot be read. */
export function namingStore(app: App, { file }: Store): App {
  return new NamingApp(app, file);
}

class NamingApp implements App {
  readonly #app: App;
  readonly #file: string | undefined;

  constructor(app: App, file: string | undefined) {
    this.#app = app;
    this.#file = file;
  }

  start(): Promise<void> {
    return this.#app.start().catch((thrown) => Promise.reject(inFile(thrown, this.#file)));
  }

  stop(reason: string): Promise<void> {
    return this.#app.stop(reason);
  }

  isIdle(): boolean {
    return this.#app.isIdle?.() ?? true;
  }
}

/** The same error with the file that it is about: who reads a row does not know where it lies. */
function inFile(thrown: unknown, file: string | undefined): unknown {
  if (!(thrown instanceof ServocellError) || thrown.code !== "STORE_DAMAGED") return thrown;
  if (file === undefined || thrown.message.includes(file)) return thrown;
  const { message, detail } = thrown;
  return new ServocellError("STORE_DAMAGED", `${file}: ${message}`, { ...detail, file }, thrown);
}
