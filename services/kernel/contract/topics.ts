/**
 * The topic map: every topic of a cell, its payload, quality of service and retain flag.
 *
 * The idea: publish and subscribe accept only keys of this map, so a topic that is not declared
 * cannot be used, and a payload that does not fit does not compile. Topics are relative; the edge
 * puts `{prefix}/{cell}/` in front. It refuses retained commands by construction.
 */
import type * as z from "zod";
import { holdBeatSchema, holdFeedbackSchema } from "./hold-payloads.js";
import * as p from "./payloads.js";

export interface TopicSpec {
  /** Levels, with `{name}` for variable ones. */
  readonly pattern: string;
  readonly schema: z.ZodType;
  readonly qos: 0 | 1;
  readonly retain: boolean;
}

function topic<S extends z.ZodType, const P extends string>(
  pattern: P,
  schema: S,
  qos: 0 | 1,
  retain: boolean,
) {
  return { pattern, schema, qos, retain } as const;
}

/** [mqtt-drives-states 7.2, overridden by PROTOCOL where they differ] */
export const topics = {
  avail: topic("avail/{service}", p.availSchema, 1, true),
  metaInfo: topic("meta/info", p.metaInfoSchema, 1, true),
  metaDevice: topic("meta/device/{device}", p.metaDeviceSchema, 1, true),
  metaSagas: topic("meta/sagas", p.metaSagasSchema, 1, true),
  stateCell: topic("state/cell", p.stateCellSchema, 1, true),
  stateAxis: topic("state/axis/{axis}", p.stateAxisSchema, 1, true),
  stateDevice: topic("state/device/{device}", p.stateDeviceSchema, 1, true),
  stateRun: topic("state/run", p.stateRunSchema, 1, true),
  stateStop: topic("state/stop", p.stateStopSchema, 1, true),
  telemetryAxis: topic("telemetry/axis/{axis}", p.telemetryAxisSchema, 0, false),
  telemetryBus: topic("telemetry/bus/{bus}", p.telemetryBusSchema, 0, false),
  holdFeedback: topic("telemetry/hold/{axis}", holdFeedbackSchema, 0, false),
  event: topic("event/{kind}/{id}/{type}", p.eventSchema, 1, false),
  permit: topic("permit/{name}", p.permitSchema, 0, false),
  beat: topic("cmd/lease/{holder}/beat", p.beatSchema, 0, false),
  /** verb: stop, quickStop or abort. */
  cellStop: topic("cmd/cell/{verb}", p.stopOrderSchema, 0, false),
  /** verb: stop or quickStop. */
  axisStop: topic("cmd/axis/{axis}/{verb}", p.stopOrderSchema, 0, false),
  /** Hold-to-run: the gateway's heartbeats, on the stop connection [PROTOCOL 16]. */
  holdBeat: topic("cmd/axis/{axis}/jog", holdBeatSchema, 0, false),
  stopAck: topic("res/stop/{axis}", p.stopAckSchema, 0, false),
  /** verb: an operation, or `lease`, `release-lease`, `query`, `reset` (of latched stops); never jog. */
  axisCommand: topic("cmd/axis/{axis}/{verb}", p.commandSchema, 1, false),
  /** verb: reset, clear, hold, unhold, suspend, unsuspend, mode, exclude, include, jog. */
  cellCommand: topic("cmd/cell/{verb}", p.commandSchema, 1, false),
  /** verb: start, cancel, makeSafe, abandon, retry, skip, resolve, answer, signal, history. */
  runCommand: topic("cmd/run/{verb}", p.commandSchema, 1, false),
  response: topic("res/{client}", p.responseSchema, 1, false),
  ackSource: topic("ack/{source}", p.ackSourceSchema, 1, false),
} as const satisfies { readonly [key: string]: TopicSpec };

export type TopicKey = keyof typeof topics;
export type Payload<K extends TopicKey> = z.infer<(typeof topics)[K]["schema"]>;

type Params<P extends string> = P extends `${string}{${infer N}}${infer R}` ? N | Params<R> : never;
/** The variable levels of a topic. */
export type TopicParams<K extends TopicKey> = {
  readonly [N in Params<(typeof topics)[K]["pattern"]>]: string;
};
/** For subscriptions: a level left out matches anything. */
export type TopicFilter<K extends TopicKey> = Partial<TopicParams<K>>;

/** Fills the levels; a missing level becomes `+`. */
export function topicPath<K extends TopicKey>(key: K, levels: TopicFilter<K>): string {
  const given = levels as { readonly [name: string]: string | undefined };
  let path = "";
  for (const { name, text } of partsOf(key)) {
    path += path === "" ? "" : "/";
    path += name === undefined ? text : (given[name] ?? "+");
  }
  return path;
}

/** The levels of a pattern; `name` of a variable one. */
interface Part {
  readonly text: string;
  readonly name?: string;
}

const partsByKey = new Map<TopicKey, readonly Part[]>();

function partsOf(key: TopicKey): readonly Part[] {
  const known = partsByKey.get(key);
  if (known !== undefined) return known;
  const parts = topics[key].pattern.split("/").map((text) => {
    return text.startsWith("{") ? { text, name: text.slice(1, -1) } : { text };
  });
  partsByKey.set(key, parts);
  return parts;
}

/** Reads the levels back from a concrete topic; undefined when it is another topic. */
export function topicLevels<K extends TopicKey>(key: K, path: string): TopicParams<K> | undefined {
  const want = partsOf(key);
  const got = path.split("/");
  if (want.length !== got.length) return undefined;
  const levels: { [name: string]: string } = {};
  for (const [i, { text, name }] of want.entries()) {
    const value = got[i] ?? "";
    if (name !== undefined) levels[name] = value;
    else if (text !== value) return undefined;
  }
  return levels as TopicParams<K>;
}
