/**
 * The gateway's HTTP interface, as the commands of the CLI use it.
 *
 * The idea: one small client: requests with a bound, answers checked by the shared schemas, and
 * a failure told by its code and sentence. It refuses to know what the answers are used for.
 */
import * as z from "zod";
import { runSchema } from "#kernel/contract/payloads.js";
import {
  axisResource,
  cellResource,
  deviceResource,
  problemSchema,
  runsResource,
  sagaResource,
  stopAxisResource,
  stopsResource,
} from "#kernel/contract/resources.js";
import { runHistorySchema } from "#kernel/contract/run-history.js";
import { codeOf, type ErrorCode, errors, ServocellError } from "#kernel/errors.js";

const requestLimitMs = 5_000;

const axesList = z.union([z.array(axisResource), z.object({ axes: z.array(axisResource) })]);
const devicesList = z.union([
  z.array(deviceResource),
  z.object({ devices: z.array(deviceResource) }),
]);
const sagasList = z.union([z.array(sagaResource), z.object({ sagas: z.array(sagaResource) })]);
const started = z.object({ run: z.string() });
const anything = z.unknown();
const delivery = z.object({
  delivered: z.boolean(),
  text: z.string(),
  axes: z.array(stopAxisResource),
});
export type StopDelivery = z.infer<typeof delivery>;

/** A start that is given again under the same id is the same start. */
export interface RunStart {
  readonly saga: string;
  readonly run?: string | undefined;
  readonly inputs?: { readonly [name: string]: number | boolean | string };
  /** Waits for devices that other runs have. */
  readonly wait?: boolean;
}
/** Words of the routes on one run. */
export type RunAct =
  | "cancel"
  | "makeSafe"
  | "abandon"
  | "retry"
  | "skip"
  | "resolve"
  | "answer"
  | "signal";
export type CellAct =
  | "reset"
  | "clear"
  | "hold"
  | "unhold"
  | "suspend"
  | "unsuspend"
  | "mode"
  | "exclude"
  | "include";

export interface StreamMessage {
  readonly event: string;
  readonly data: unknown;
}

export class Api {
  /** `base`: such as `http://127.0.0.1:8080/api/v1`. */
  readonly base: string;
  readonly #newId: () => string;

  constructor(base: string, newId: () => string) {
    this.base = base.replace(/\/+$/, "");
    this.#newId = newId;
  }

  cell() {
    return this.#get("/cell", cellResource);
  }
  async axes() {
    const list = await this.#get("/axes", axesList);
    return "axes" in list ? list.axes : list;
  }
  async devices() {
    const list = await this.#get("/devices", devicesList);
    return "devices" in list ? list.devices : list;
  }
  async sagas() {
    const list = await this.#get("/sagas", sagasList);
    return "sagas" in list ? list.sagas : list;
  }
  async runs() {
    return (await this.#get("/runs", runsResource)).runs;
  }
  run(id: string) {
    return this.#get(`/runs/${encodeURIComponent(id)}`, runSchema);
  }
  stops() {
    return this.#get("/stops", stopsResource);
  }
  /** One page of a run's journal, after the row `after`. */
  history(id: string, after: number) {
    return this.#get(`/runs/${encodeURIComponent(id)}/history?after=${after}`, runHistorySchema);
  }
  async startRun({ saga, run, inputs = {}, wait }: RunStart): Promise<string> {
    const body = {
      saga,
      run: run ?? this.#newId(),
      ...(Object.keys(inputs).length === 0 ? {} : { inputs }),
      ...(wait === true ? { wait } : {}),
    };
    return (await this.#post("/runs", body, started)).run;
  }
  async actOnRun(id: string, action: RunAct, body: object = {}): Promise<void> {
    await this.#post(`/runs/${encodeURIComponent(id)}/${action}`, body, anything);
  }
  async actOnCell(action: CellAct, body: object = {}): Promise<void> {
    await this.#post(`/${action}`, body, anything);
  }
  stop(order: { readonly kind: string; readonly id: string }): Promise<StopDelivery> {
    return this.#post("/stop", order, delivery);
  }
  reset(stops: readonly string[]): Promise<void> {
    return this.actOnCell("reset", { stops });
  }
  clear(): Promise<void> {
    return this.actOnCell("clear");
  }

  /**
   * Presses the jog button of an axis and hands on each line of the answer, until it ends. An
   * `onLine` that fails closes the answer, which lets go.
   */
  async press(
    press: { readonly axis: string; readonly hold: string; readonly body: object },
    onLine: (line: string) => Promise<void>,
  ): Promise<void> {
    const path = `${this.base}/axes/${encodeURIComponent(press.axis)}/jog`;
    const headers = { "content-type": "application/json", "idempotency-key": press.hold };
    const body = JSON.stringify(press.body);
    const response = await fetch(path, { method: "POST", headers, body }).catch((thrown) => {
      throw this.#unreachable(thrown);
    });
    if (!response.ok || response.body === null) {
      const said: unknown = await response.json().catch(() => undefined);
      throw problemOf(said, `jog: HTTP ${response.status}`);
    }
    let rest = "";
    for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) await onLine(line);
    }
  }

  /** Without a nonce the button is let go. */
  async echo(
    { axis, hold }: { readonly axis: string; readonly hold: string },
    nonce: string | undefined,
  ): Promise<void> {
    const path = `${this.base}/axes/${encodeURIComponent(axis)}/jog/${encodeURIComponent(hold)}`;
    const body = JSON.stringify(nonce === undefined ? {} : { nonce });
    const headers = { "content-type": "application/json" };
    // The driver's word on it comes with the lines; a hold that has just ended is no failure.
    const response = await fetch(path, { method: "POST", headers, body });
    await response.arrayBuffer();
  }

  #get<S extends z.ZodType>(path: string, schema: S): Promise<z.infer<S>> {
    return this.#request(path, {}, schema);
  }

  #post<S extends z.ZodType>(path: string, body: unknown, schema: S): Promise<z.infer<S>> {
    const headers = { "content-type": "application/json", "idempotency-key": this.#newId() };
    return this.#request(path, { method: "POST", headers, body: JSON.stringify(body) }, schema);
  }

  async #request<S extends z.ZodType>(
    path: string,
    init: RequestInit,
    schema: S,
  ): Promise<z.infer<S>> {
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), requestLimitMs);
    try {
      const response = await fetch(this.base + path, { ...init, signal: limit.signal });
      const body: unknown = await response.json().catch(() => undefined);
      if (!response.ok) throw problemOf(body, `${path}: HTTP ${response.status}`);
      const answer = schema.safeParse(body);
      if (answer.success) return answer.data;
      throw new ServocellError("INTERNAL", `The answer of the gateway to ${path} does not fit.`);
    } catch (thrown) {
      throw thrown instanceof ServocellError ? thrown : this.#unreachable(thrown);
    } finally {
      clearTimeout(timer);
    }
  }

  #unreachable(cause: unknown): ServocellError {
    const text = `The gateway at ${this.base} does not answer; is the cell up?`;
    return new ServocellError("OFFLINE", text, {}, cause);
  }

  /** Follows the stream until `signal` ends it or the gateway does; `onMessage` per event. */
  async stream(signal: AbortSignal, onMessage: (message: StreamMessage) => void): Promise<void> {
    const headers = { accept: "text/event-stream" };
    const response = await fetch(`${this.base}/stream`, { headers, signal });
    if (!response.ok || response.body === null) throw this.#unreachable(response.status);
    let rest = "";
    for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
      const blocks = (rest + text).split(/\r?\n\r?\n/);
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const message = messageOf(block);
        if (message !== undefined) onMessage(message);
      }
    }
  }
}

/** What ends a request before a connection stands. */
const neverLeft = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"];

/** False only where a request surely had no effect: it was refused, or it never left. */
export function mayHaveActed(thrown: unknown): boolean {
  const code = codeOf(thrown);
  if (code !== "OFFLINE") return code === "OUTCOME_UNKNOWN" || code === "INTERNAL";
  // Without a cause it is the gateway's own word, and it has sent nothing.
  const { cause } = thrown as ServocellError;
  const why: unknown = Reflect.get(Object(Reflect.get(Object(cause), "cause")), "code");
  return cause !== undefined && !neverLeft.includes(String(why));
}

function messageOf(block: string): StreamMessage | undefined {
  let event = "message";
  const data: string[] = [];
  for (const line of block.split(/\r?\n/)) {
    if (line.startsWith("event:")) event = line.slice(6).trim();
    if (line.startsWith("data:")) data.push(line.slice(5).trimStart());
  }
  if (data.length === 0) return undefined;
  try {
    return { event, data: JSON.parse(data.join("\n")) };
  } catch {
    return undefined;
  }
}

function problemOf(body: unknown, otherwise: string): ServocellError {
  const problem = problemSchema.safeParse(body);
  if (!problem.success) return new ServocellError("INTERNAL", otherwise);
  const { code, message } = problem.data;
  return new ServocellError(
    Object.hasOwn(errors, code) ? (code as ErrorCode) : "INTERNAL",
    message,
    problem.data.facts as never,
  );
}
