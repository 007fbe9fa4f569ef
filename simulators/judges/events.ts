/**
 * The judge of custody: events are numbered without a gap, and every durable consumer has them all.
 *
 * The idea: repeats are allowed and change nothing; without them, what a source published and what
 * each consumer heard of it is one row of numbers. Whether a consumer has all is asked at the end
 * of a healed world. It refuses to read what an event says.
 */
import type { Finding, Judge, JudgeFacts } from "./judge.js";
import { type LineOf, linesOf, type TraceLine } from "./trace.js";

type Found = Omit<Finding, "judge">;

/** A row of numbers as one side has seen it. */
interface Row {
  readonly ids: Map<number, string>;
  last: number | undefined;
}

export const events: Judge = {
  name: "events",
  promise: "No event is lost, renumbered or out of order, for every durable consumer.",
  find(trace: readonly TraceLine[], facts: JudgeFacts): readonly Found[] {
    const published = new Map<string, Row>();
    const heard = new Map<string, Map<string, Row>>();
    const found: Found[] = [];
    for (const line of linesOf(trace, "event")) {
      const { source, by, way } = line;
      if (way === "published") {
        found.push(...take(rowOf(published, source), line, source));
        continue;
      }
      const rows = heard.get(by) ?? new Map<string, Row>();
      heard.set(by, rows);
      const row = rowOf(rows, source);
      found.push(...take(row, line, `${by} from ${source}`));
    }
    if (!Number.isFinite(facts.healedMs)) return found;
    for (const [by, rows] of heard) {
      for (const [source, row] of published) {
        found.push(...missing(row, rows.get(source), `${by} from ${source}`, facts.endMs));
      }
    }
    return found;
  },
};

function rowOf(rows: Map<string, Row>, name: string): Row {
  const row = rows.get(name) ?? { ids: new Map<number, string>(), last: undefined };
  rows.set(name, row);
  return row;
}

/** Takes a line into a row; what is wrong with it. */
function take(row: Row, { at, seq, id, path }: LineOf<"event">, who: string): Found[] {
  const known = row.ids.get(seq);
  if (known !== undefined) {
    if (known === id) return [];
    return [{ at, text: `${who}: number ${seq} is ${id}, and was ${known}` }];
  }
  row.ids.set(seq, id);
  const { last } = row;
  row.last = Math.max(last ?? seq, seq);
  if (last === undefined || seq === last + 1) return [];
  return [{ at, text: `${who}: number ${seq} (${path}) follows ${last}` }];
}

function missing(all: Row, got: Row | undefined, who: string, at: number): Found[] {
  const lost = [...all.ids.keys()].filter((seq) => got?.ids.has(seq) !== true);
  if (lost.length === 0) return [];
  return [{ at, text: `${who}: never heard of ${lost.slice(0, 5).join(", ")}` }];
}
