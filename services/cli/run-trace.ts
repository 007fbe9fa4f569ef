/**
 * A run's story as a trace that trace viewers open (Trace Event Format, JSON object form).
 *
 * The idea: one process, one track for each device, steps as complete events with what makes
 * safe in a category of its own, stops and decisions as instants; steps without a command get
 * tracks of their own, as many as run beside each other, because events of one track must nest.
 * Times are microseconds from the start of the run. Pure. It refuses events that never ended: they
 * reach to the last thing that is known.
 */
import type { RunHistory } from "#kernel/contract/run-history.js";
import { type StoryMoment, type StorySpan, storyOf } from "./run-story.js";

interface Common {
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  readonly args: { readonly [name: string]: unknown };
}
export type TraceEvent =
  | (Common & { readonly ph: "M" })
  | (Common & {
      readonly ph: "X";
      readonly cat: string;
      readonly ts: number;
      readonly dur: number;
    })
  | (Common & {
      readonly ph: "i";
      readonly cat: string;
      readonly ts: number;
      /** Scope: the whole process, or one track. */
      readonly s: "p" | "t";
    });

export interface Trace {
  readonly traceEvents: readonly TraceEvent[];
  readonly displayTimeUnit: "ms";
  readonly otherData: { readonly [name: string]: string };
}

const pid = 1;
/** The track of the run itself: moments that belong to no device. */
const runTrack = 1;

interface Track {
  readonly tid: number;
  readonly name: string;
}

export function traceOf(history: RunHistory): Trace {
  const { spans, moments } = storyOf(history);
  const { run, saga, version, state, startedAt, endedAt } = history;
  const seen = [...spans.flatMap(({ fromTs, toTs = fromTs }) => [fromTs, toTs])];
  const lastTs = Math.max(startedAt, ...seen, ...moments.map(({ ts }) => ts), endedAt ?? 0);
  const us = (ts: number) => Math.round((ts - startedAt) * 1000);
  const devices = tracksOf(spans, moments);
  const quiet = spans.filter(({ device }) => device === undefined);
  const lanes = lanesOf(quiet, { firstTid: runTrack + 1 + devices.size, lastTs });
  const spanEvents = spans.map((span): TraceEvent => {
    const tid = devices.get(span.device ?? "")?.tid ?? lanes.tids.get(span) ?? runTrack;
    return spanEvent(span, { tid, us, lastTs });
  });
  const whole: TraceEvent = {
    ...{ name: `${saga}: ${state}`, ph: "X", cat: "run", pid, tid: runTrack },
    ...{ ts: 0, dur: us(lastTs), args: { run, version, by: history.by.user } },
  };
  const instants = moments
    .filter(({ kind }) => kind !== "detail")
    .map((moment) => momentEvent(moment, devices.get(moment.device ?? "")?.tid, us));
  const timed = [whole, ...spanEvents, ...instants].sort(byTime);
  const tracks = [{ tid: runTrack, name: "run" }, ...devices.values(), ...lanes.tracks];
  return {
    traceEvents: [...namesOf(tracks, `${saga} ${run}`), ...timed],
    displayTimeUnit: "ms",
    otherData: { run, saga, version, state, startedAt: new Date(startedAt).toISOString() },
  };
}

/** A viewer takes the longer one of two that begin together for the outer one. */
function byTime(a: TraceEvent, b: TraceEvent): number {
  const ts = (event: TraceEvent) => ("ts" in event ? event.ts : 0);
  const dur = (event: TraceEvent) => (event.ph === "X" ? event.dur : 0);
  return ts(a) - ts(b) || dur(b) - dur(a);
}

function tracksOf(
  spans: readonly StorySpan[],
  moments: readonly StoryMoment[],
): ReadonlyMap<string, Track> {
  const found = new Set(
    [...spans, ...moments].flatMap(({ device }) => (device === undefined ? [] : [device])),
  );
  return new Map(
    [...found].sort().map((device, i) => [device, { tid: runTrack + 1 + i, name: device }]),
  );
}

/** Each step goes to the first track on which it stands inside of another one or beside it. */
function lanesOf(
  spans: readonly StorySpan[],
  { firstTid, lastTs }: { readonly firstTid: number; readonly lastTs: number },
) {
  const open: number[][] = [];
  const tids = new Map<StorySpan, number>();
  const end = ({ fromTs, toTs }: StorySpan) => Math.max(fromTs, toTs ?? lastTs);
  const order = [...spans].sort((a, b) => a.fromTs - b.fromTs || end(b) - end(a));
  for (const span of order) {
    for (const lane of open) while ((lane.at(-1) ?? Infinity) <= span.fromTs) lane.pop();
    let lane = open.findIndex((ends) => (ends.at(-1) ?? Infinity) >= end(span));
    if (lane === -1) lane = open.push([]) - 1;
    open[lane]?.push(end(span));
    tids.set(span, firstTid + lane);
  }
  const tracks = open.map((_, i): Track => {
    return { tid: firstTid + i, name: i === 0 ? "steps" : `steps ${i + 1}` };
  });
  return { tids, tracks };
}

function namesOf(tracks: readonly Track[], process: string): readonly TraceEvent[] {
  return [
    { name: "process_name", ph: "M", pid, tid: runTrack, args: { name: process } },
    ...tracks.flatMap(({ tid, name }): TraceEvent[] => [
      { name: "thread_name", ph: "M", pid, tid, args: { name } },
      { name: "thread_sort_index", ph: "M", pid, tid, args: { sort_index: tid } },
    ]),
  ];
}

interface Placed {
  readonly tid: number;
  readonly us: (ts: number) => number;
  readonly lastTs: number;
}

function spanEvent(span: StorySpan, { tid, us, lastTs }: Placed): TraceEvent {
  const { step, part, text, attempt, verb, verdict, why, fromTs, toTs } = span;
  const ts = us(fromTs);
  return {
    name: step,
    ph: "X",
    cat: part === "makeSafe" ? "makeSafe" : "step",
    pid,
    tid,
    ts,
    dur: Math.max(0, us(toTs ?? lastTs) - ts),
    args: {
      text,
      attempt,
      ...(verb === undefined ? {} : { verb }),
      verdict: toTs === undefined ? "not known" : (verdict ?? "done"),
      ...(why === undefined ? {} : { why }),
    },
  };
}

function momentEvent(
  { type, kind, text, ts, by, seq }: StoryMoment,
  tid: number | undefined,
  us: (ts: number) => number,
): TraceEvent {
  return {
    name: type,
    ph: "i",
    cat: kind,
    pid,
    tid: tid ?? runTrack,
    ts: us(ts),
    s: tid === undefined ? "p" : "t",
    args: { text, seq, ...(by === undefined ? {} : { by }) },
  };
}
