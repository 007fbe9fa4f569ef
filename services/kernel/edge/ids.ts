/**
 * The source of ids in production: ULIDs, increasing within this process.
 *
 * The idea: ids sort by time, so journals and logs read in order. It refuses to be the source in
 * the world, which brings a seeded one.
 */
import { randomFillSync } from "node:crypto";
import { monotonicFactory } from "ulid";
import type { NewId } from "../ports.js";

/** Random bytes are fetched by the hundred: one call per character is most of the cost of an id. */
const poolBytes = 256;

function pooledRandom(): () => number {
  const pool = new Uint8Array(poolBytes);
  let left = 0;
  return () => {
    if (left === 0) {
      randomFillSync(pool);
      left = poolBytes;
    }
    left -= 1;
    return (pool[left] ?? 0) / 256;
  };
}

export function createNewId(): NewId {
  const next = monotonicFactory(pooledRandom());
  return () => next(Date.now());
}
