/**
 * A turn of the event loop that a world has for itself.
 *
 * The idea: a world drains promises inside its clock, which works only from a fresh macrotask; and
 * a rejection that nobody handles is told in the name of whose event is being drained, instead of
 * ending the process. It refuses to wait for anything.
 */

/** What comes of `work`, done in a macrotask of its own. */
export function inOwnTurn<T>(work: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    setTimeout(() => {
      try {
        resolve(work());
      } catch (thrown) {
        reject(thrown);
      }
    }, 0);
  });
}

/** Takes the rejections that nobody handles until what is returned is called. */
export function takeRejections(take: (thrown: unknown) => void): () => void {
  const others = process.listeners("unhandledRejection");
  process.removeAllListeners("unhandledRejection");
  process.on("unhandledRejection", take);
  return () => {
    process.off("unhandledRejection", take);
    for (const other of others) process.on("unhandledRejection", other);
  };
}
