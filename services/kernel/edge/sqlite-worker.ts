/**
 * The thread that owns a service's SQLite file.
 *
 * The idea: whatever waits in the port when a commit begins goes into that commit (group
 * commit), so an fsync is paid once for many, and never on the loop that moves axes. It refuses
 * a file that another process holds.
 */
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import {
  SqliteConnection,
  type StoreOutcome,
  type StoreRequest,
  storeFailure,
} from "./sqlite-batch.js";
import { LogFile, makeRoom } from "./sqlite-log.js";
import { openDatabase } from "./sqlite-open.js";
import { RequestReader } from "./sqlite-wire.js";

export interface StoreSetup {
  readonly file: string;
  readonly schema: readonly string[];
}
/** A request as sqlite-wire.ts writes it, or the wish to close. */
export type ToStore = string | { readonly kind: "close" };
export type FromStore =
  | { readonly kind: "open" }
  | { readonly kind: "refused"; readonly failure: ReturnType<typeof storeFailure> }
  | { readonly kind: "outcomes"; readonly outcomes: readonly StoreOutcome[] };

/** Requests that share one commit at most. */
const groupMax = 256;
/**
 * After so many commits the log is moved into the file once nobody has asked for anything for a
 * moment: then a busy hour seldom meets a checkpoint, and the log stays short.
 */
const tidyAfter = 200;
const quietMs = 200;
function serve(port: NonNullable<typeof parentPort>, setup: StoreSetup): void {
  const say = (message: FromStore) => port.postMessage(message);
  let connection: SqliteConnection;
  let log: LogFile;
  try {
    const db = openDatabase(setup.file);
    log = new LogFile(setup.file);
    connection = new SqliteConnection(db, setup.file, () => log.flush());
    connection.migrate(setup.schema);
  } catch (thrown) {
    say({ kind: "refused", failure: storeFailure(thrown, setup.file) });
    port.close();
    return;
  }
  say({ kind: "open" });
  const requests = new RequestReader();
  let commits = 0;
  let roomy = false;
  const quiet = setTimeout(() => {
    try {
      const first = !roomy;
      roomy = true;
      if (first) makeRoom(setup.file);
      if (commits < tidyAfter) return;
      commits = 0;
      connection.checkpoint();
    } catch {
      // A full disk: the next commit says so, and the log keeps what it has.
    }
  }, quietMs).unref();
  port.on("message", (first: ToStore) => {
    const group: StoreRequest[] = [];
    let closing = false;
    let next: ToStore | undefined = first;
    while (next !== undefined) {
      if (typeof next !== "string") {
        closing = true;
        break;
      }
      group.push(requests.read(next));
      if (group.length >= groupMax) break;
      next = receiveMessageOnPort(port)?.message as ToStore | undefined;
    }
    if (group.length > 0) say({ kind: "outcomes", outcomes: connection.run(group) });
    commits += 1;
    quiet.refresh();
    if (closing) {
      clearTimeout(quiet);
      connection.close();
      log.close();
      port.close();
    }
  });
}

if (parentPort !== null) serve(parentPort, workerData as StoreSetup);
