/**
 * Follows one run to its end: through the stream, and by asking where the stream is silent.
 *
 * The idea: every message of the stream may carry the record of the run, or is a reason to ask
 * for it; asking again at a slow pace bounds what a lost message costs. It refuses to print.
 */
import { type RunRecord, runSchema } from "#kernel/contract/payloads.js";
import { ServocellError } from "#kernel/errors.js";
import type { Api, StreamMessage } from "./client.js";
import { hasEnded } from "./run-report.js";

const askEveryMs = 400;
/** Unanswered questions in a row after which the gateway counts as gone. */
const unansweredMax = 25;
const streamRetryMs = 500;

export interface WatchEvents {
  /** A step has begun, as soon as the event says so; may come more than once. */
  readonly onStepStarted?: (step: string) => void;
  readonly onRecord: (run: RunRecord) => void;
  /** Everything that the stream says, as it comes. */
  readonly onMessage?: (message: StreamMessage) => void;
  /** Leaves the run alone; what waits for its end rejects with CANCELLED. */
  readonly signal?: AbortSignal;
}

/**
 * Resolves with the record of the ended run.
 * @throws OFFLINE when the gateway has not answered for ten seconds, CANCELLED when told to leave.
 */
export async function watchRun(api: Api, id: string, events: WatchEvents): Promise<RunRecord> {
  const ends = new AbortController();
  let last: RunRecord | undefined;
  const take = (run: RunRecord) => {
    if (run.run !== id || (last !== undefined && hasEnded(last))) return;
    last = run;
    for (const step of run.steps) {
      if (step.status === "running") events.onStepStarted?.(step.name);
    }
    events.onRecord(run);
  };
  const stream = followStream(api, ends.signal, (message) => {
    events.onMessage?.(message);
    const step = startedStep(message, id);
    if (step !== undefined) events.onStepStarted?.(step);
    for (const run of recordsIn(message)) take(run);
  });
  try {
    let unanswered = 0;
    for (;;) {
      if (last !== undefined && hasEnded(last)) return last;
      if (events.signal?.aborted === true) {
        throw new ServocellError("CANCELLED", `The run ${id} is no longer watched; it goes on.`);
      }
      unanswered = await api.run(id).then(
        (run) => {
          take(run);
          return 0;
        },
        (thrown: unknown) => {
          if (unanswered + 1 >= unansweredMax) throw thrown;
          if (thrown instanceof ServocellError && thrown.code === "NOT_FOUND") return unanswered;
          return unanswered + 1;
        },
      );
      await pause(askEveryMs, events.signal);
    }
  } finally {
    ends.abort();
    await stream;
  }
}

/** Opens the stream again when it ends, until told otherwise. */
async function followStream(
  api: Api,
  signal: AbortSignal,
  onMessage: (message: StreamMessage) => void,
): Promise<void> {
  while (!signal.aborted) {
    await api.stream(signal, onMessage).catch(() => {});
    if (!signal.aborted) await pause(streamRetryMs);
  }
}

function recordsIn(message: StreamMessage): readonly RunRecord[] {
  const data = message.data as { run?: unknown; runs?: unknown } | null;
  const candidates = [data, data?.run, ...(Array.isArray(data?.runs) ? data.runs : [])];
  return candidates.flatMap((candidate) => {
    const run = runSchema.safeParse(candidate);
    return run.success ? [run.data] : [];
  });
}

/** The step that an event `run.step.started` of this run names. */
function startedStep(message: StreamMessage, id: string): string | undefined {
  if (message.event !== "event") return undefined;
  const event = message.data as {
    type?: unknown;
    subject?: unknown;
    data?: { run?: unknown; step?: unknown };
  } | null;
  if (!String(event?.type).endsWith("run.step.started")) return undefined;
  const ours = event?.data?.run === id || String(event?.subject).includes(id);
  const step = event?.data?.step;
  return ours && typeof step === "string" ? step : undefined;
}

/** Ends early when told to. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end);
  });
}
