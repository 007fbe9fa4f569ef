/**
 * The source of ids in production: ULIDs, increasing within this process.
 *
 * The idea: ids sort by time, so journals and logs read in order. It refuses to be the source in
 * the world, which brings a seeded one.
 */
import { monotonicFactory } from "ulid";
import type { NewId } from "../ports.js";

export function createNewId(): NewId {
  const next = monotonicFactory();
  return () => next(Date.now());
}
