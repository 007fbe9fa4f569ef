/**
 * What a message becomes on its way through a broker of a world: a copy, as text would carry it.
 *
 * The idea: JSON, without the text: the same fields come out as if they had been written and read,
 * at a fraction of the time; a world says a hundred messages for each second of its cell. Each is
 * checked against the contract once. It refuses to let a payload pass that does not fit.
 */
import {
  type TopicKey,
  type TopicParams,
  topicLevels,
  topicPath,
  topics,
} from "#kernel/contract/topics.js";

/** What crosses: read and checked once, frozen to its depth. */
export interface Crossing {
  readonly key: TopicKey;
  readonly path: string;
  /** The path, cut. */
  readonly cut: readonly string[];
  readonly levels: { readonly [name: string]: string };
  readonly payload: unknown;
}

/** @throws ZodError for a payload that does not fit its schema. */
export function crossing<K extends TopicKey>(
  key: K,
  levels: TopicParams<K>,
  payload: unknown,
): Crossing {
  const path = topicPath(key, levels);
  const body = topics[key].schema.parse(crossed(payload));
  freeze(body);
  const { cut, levels: read } = routeOf(key, path);
  return { key, path, cut, levels: read, payload: body };
}

type Route = Pick<Crossing, "cut" | "levels">;

/** A cell has some hundred topics, and says each of them thousands of times. */
const routes = new Map<TopicKey, Map<string, Route>>();
const routesMax = 10_000;

function routeOf(key: TopicKey, path: string): Route {
  const known = routes.get(key) ?? new Map<string, Route>();
  routes.set(key, known);
  let route = known.get(path);
  if (route === undefined) {
    const levels = topicLevels(key, path);
    if (levels === undefined) throw new RangeError(`${path} is no topic of ${key}`);
    route = { cut: path.split("/"), levels: Object.freeze(levels) };
    if (known.size < routesMax) known.set(path, route);
  }
  return route;
}

/** A copy as it comes out of JSON: what has no text is left out, and no number is beyond bounds. */
export function crossed(value: unknown): unknown {
  switch (typeof value) {
    case "object":
      if (value === null) return null;
      if (Array.isArray(value)) return value.map((one) => crossed(one) ?? null);
      return crossedFields(value as Fields);
    case "number":
      // Text has no -0.
      return Number.isFinite(value) ? value + 0 : null;
    case "string":
    case "boolean":
      return value;
    default:
      return undefined;
  }
}

const plain = { configurable: true, enumerable: true, writable: true } as const;

type Fields = { readonly [name: string]: unknown };

function crossedFields(value: Fields): Fields {
  const copy: { [name: string]: unknown } = {};
  for (const name in value) {
    if (!Object.hasOwn(value, name)) continue;
    const inner = crossed(value[name]);
    if (inner === undefined) continue;
    if (name !== "__proto__") copy[name] = inner;
    else Object.defineProperty(copy, name, { ...plain, value: inner });
  }
  return copy;
}

/** To its depth: one receiver cannot change what another sees. */
function freeze(value: unknown): void {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return;
  for (const name in value) freeze((value as Fields)[name]);
  Object.freeze(value);
}
