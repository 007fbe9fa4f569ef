/**
 * The judge of custody: events are numbered without a gap, and every durable consumer has them all.
 *
 * The idea: repeats are allowed and change nothing; without them, what a source published and what
 * each consumer heard of it is one row of numbers. A consumer may hear a number before its turn:
 * then it must hear it again in turn. Whether it has all is asked at the end of a healed world. It
 * refuses to read what an event says.
 */
import type { Finding, Judge, JudgeFacts } from "./judge.js";
import { type LineOf, linesOf, type TraceLine } from "./trace.js";

type Found = Omit<Finding, "judge">;

/** A row of numbers as one side has seen it. */
interface Row {
  readonly ids: Map<number, string>;
  /** What was published first; a consumer's row begins there, too. */
  readonly first: number;
  /** All up to here have been seen in their turn. */
  last: number;
}

export const events: Judge = {
  name: "events",
  promise: "No event is lost, renumbered or out of order, for every durable consumer.",
  find(trace: readonly TraceLine[], facts: JudgeFacts): readonly Found[] {
    const published = new Map<string, Row>();
    const heard = new Map<string, Map<string, Row>>();
    const found: Found[] = [];
    for (const line of linesOf(trace, "event")) {
      const { source, by, way, seq } = line;
      const first = published.get(source)?.first ?? seq;
      if (way === "published") {
        found.push(...take(rowOf(published, source, first), line, source));
        continue;
      }
      const rows = heard.get(by) ?? new Map<string, Row>();
      heard.set(by, rows);
      found.push(...take(rowOf(rows, source, first), line, `${by} from ${source}`));
    }
    if (!Number.isFinite(facts.healedMs)) return found;
    for (const [by, rows] of heard) {
      for (const [source, { first, last }] of published) {
        const got = rows.get(source)?.last ?? first - 1;
        const text = `${by} from ${source}: has ${got} of ${last} in turn`;
        if (got < last) found.push({ at: facts.endMs, text });
      }
    }
    return found;
  },
};

function rowOf(rows: Map<string, Row>, name: string, first: number): Row {
  const row = rows.get(name) ?? { ids: new Map<number, string>(), first, last: first - 1 };
  rows.set(name, row);
  return row;
}

/** Takes a line into a row; what is wrong with it. */
function take(row: Row, { at, way, seq, id, path }: LineOf<"event">, who: string): Found[] {
  const { last } = row;
  if (seq === last + 1) row.last = seq;
  const known = row.ids.get(seq);
  if (known !== undefined && known !== id) {
    return [{ at, text: `${who}: number ${seq} is ${id}, and was ${known}` }];
  }
  row.ids.set(seq, id);
  if (way === "heard" || known !== undefined || seq === last + 1) return [];
  row.last = Math.max(last, seq);
  return [{ at, text: `${who}: number ${seq} (${path}) follows ${last}` }];
}
