/**
 * `servocell tap`: what happens on a bus, live, or what has happened, from its recorder.
 *
 * The idea: the records of the bus service as they come, decoded by the profiles of the units; a
 * copy in the recorder's own lines goes to a file, from which `servocell sim --from` makes a
 * device. It only listens: it refuses to send anything to a bus.
 */
import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import { connect, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { finished } from "node:stream/promises";
import type { Profile } from "#drivers/profile.js";
import { loadProfile } from "#drivers/profile-loader.js";
import type { CellConfig } from "#kernel/config/cell.js";
import {
  type BusRecord,
  busRecordSchema,
  type FrameRecord,
  type RecordHead,
} from "#kernel/contract/frame-record.js";
import { LineSplitter } from "#kernel/edge/json-lines.js";
import { ServocellError, textOf } from "#kernel/errors.js";
import { busTapPath } from "#kernel/run-dir.js";
import { type FrameDevice, frameText } from "./frame-text.js";

export interface TapFlags {
  readonly cell?: string;
  /** Where the records go as they are, besides. */
  readonly file?: string;
  /** A file of records instead of a living bus. */
  readonly from?: string;
  readonly unit?: string;
  readonly device?: string;
}

export interface TapPorts {
  readonly say: (line: string) => void;
  readonly hint: (line: string) => void;
  /** Calls back when the person has had enough. */
  readonly onEnd: (stop: () => void) => void;
}

/** @throws NOT_FOUND for a bus that the cell has not, or that does not run. */
export async function tapBus(
  bus: string,
  config: CellConfig,
  flags: TapFlags,
  ports: TapPorts,
): Promise<number> {
  if (!config.buses.some(({ id }) => id === bus)) {
    const known = config.buses.map(({ id }) => id).join(", ");
    throw new ServocellError("NOT_FOUND", `${config.file} has no bus ${bus}; it has ${known}.`);
  }
  const socket = await open(busTapPath(config.runDir, bus), bus);
  try {
    const copy = await openCopy(flags.file);
    const printer = new TapPrinter(flags, ports.say, config, copy);
    ports.hint(`listening to ${bus}; end with Ctrl-C`);
    ports.onEnd(() => socket.destroy());
    copy?.onFailure(() => socket.destroy());
    await follow(socket, (line) => printer.line(line));
    await copy?.close();
    ports.hint(printer.summary());
    return 0;
  } finally {
    socket.destroy();
  }
}

/** Prints a file of records; `config` gives the mechanics, without it numbers are raw. */
export async function tapFile(
  file: string,
  config: CellConfig | undefined,
  flags: TapFlags,
  ports: TapPorts,
): Promise<number> {
  const copy = await openCopy(flags.file);
  const printer = new TapPrinter({ ...flags, from: file }, ports.say, config, copy);
  const splitter = new LineSplitter((line) => printer.line(line));
  try {
    for await (const chunk of createReadStream(file)) splitter.push(chunk as Uint8Array);
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? "it failed";
    throw new ServocellError("NOT_FOUND", `${file} cannot be read: ${why}.`);
  }
  splitter.end();
  await copy?.close();
  ports.hint(printer.summary());
  return printer.frames > 0 ? 0 : 1;
}

/** A file that gets every record as it is, besides. */
interface Copy {
  write(line: string): void;
  onFailure(listener: () => void): void;
  /** All is in the file. @throws STORE_FULL, STORE_FAILED, also for what failed before. */
  close(): Promise<void>;
}

/** @throws STORE_FULL, STORE_FAILED, with the reason and the file. */
async function openCopy(file: string | undefined): Promise<Copy | undefined> {
  if (file === undefined) return undefined;
  const stream = createWriteStream(file);
  const failed = (thrown: unknown) => {
    const why = (thrown as NodeJS.ErrnoException).code ?? textOf(thrown);
    const code = why === "ENOSPC" ? "STORE_FULL" : "STORE_FAILED";
    return new ServocellError(code, `${file} cannot be written: ${why}.`, {}, thrown);
  };
  const whole = finished(stream);
  // Whoever closes hears of it.
  whole.catch(() => {});
  try {
    await once(stream, "open");
  } catch (thrown) {
    throw failed(thrown);
  }
  return {
    write: (line) => void stream.write(`${line}\n`),
    onFailure: (listener) => void stream.once("error", listener),
    close: async () => {
      stream.end();
      await whole.catch((thrown: unknown) => {
        throw failed(thrown);
      });
    },
  };
}

function open(path: string, bus: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once("connect", () => resolve(socket));
    socket.once("error", () => {
      const text = `the bus ${bus} does not run here: nobody listens at ${path}.`;
      reject(new ServocellError("NOT_FOUND", text));
    });
  });
}

function follow(socket: Socket, onLine: (line: string) => void): Promise<void> {
  const splitter = new LineSplitter(onLine);
  socket.on("data", (chunk: Uint8Array) => splitter.push(chunk));
  socket.on("error", () => undefined);
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

/** Reads lines, keeps what is asked for, and says it. */
export class TapPrinter {
  readonly #flags: TapFlags;
  readonly #say: (line: string) => void;
  readonly #config: CellConfig | undefined;
  readonly #copy: Pick<Copy, "write"> | undefined;
  readonly #profiles = new Map<string, Profile | undefined>();
  #head: RecordHead | undefined;
  frames = 0;
  strange = 0;

  constructor(
    flags: TapFlags,
    say: (line: string) => void,
    config: CellConfig | undefined,
    copy: Pick<Copy, "write"> | undefined,
  ) {
    this.#flags = flags;
    this.#say = say;
    this.#config = config;
    this.#copy = copy;
  }

  line(text: string): void {
    const record = recordOf(text);
    if (record === undefined) {
      this.strange += 1;
      return;
    }
    if (record.kind !== "head" && !this.#wanted(record.unit)) return;
    this.#copy?.write(text);
    switch (record.kind) {
      case "head":
        this.#head = record;
        this.#say(`${record.bus}: ${record.link}, since ${record.epoch}`);
        return;
      case "frame":
        this.frames += 1;
        this.#say(this.#frame(record));
        return;
      case "decision": {
        const who = record.unit === undefined ? "" : this.#device(record.unit).device;
        const more = record.text === undefined ? "" : ` ${record.text}`;
        this.#say(`${time(record.tMs)} ${who.padEnd(10)} ---- ${record.what}${more}`);
        return;
      }
      default:
        record satisfies never;
    }
  }

  summary(): string {
    const strange = this.strange === 0 ? "" : `, ${this.strange} lines that are no records`;
    return `${this.frames} frames${strange}`;
  }

  #frame(frame: FrameRecord): string {
    const device = this.#device(frame.unit);
    const took = `${frame.tookMs.toFixed(1)} ms`.padStart(9);
    const text = frameText(frame, device);
    return `${time(frame.tMs)} ${device.device.padEnd(10)} ${frame.lane.padEnd(7)}${took} ${text}`;
  }

  #wanted(unit: number | undefined): boolean {
    const { unit: only, device } = this.#flags;
    if (only !== undefined && String(unit) !== only) return false;
    if (device === undefined) return true;
    return unit !== undefined && this.#device(unit).device === device;
  }

  /** The cell file knows more than the head, but the head knows what was there then. */
  #device(unit: number): FrameDevice {
    const told = this.#head?.units[String(unit)];
    const bus = this.#head?.bus;
    const own = this.#config?.devices.find(
      (one) => one.bus === bus && one.setup.unit === unit && one.profile.id === told?.profile,
    );
    if (own !== undefined) return { device: own.id, profile: own.profile, setup: own.setup };
    if (told === undefined) return { device: `unit ${unit}` };
    return { device: told.device, profile: this.#profile(told.profile) };
  }

  #profile(id: string): Profile | undefined {
    if (!this.#profiles.has(id)) {
      const file = this.#config?.file;
      const folders = file === undefined ? [] : [join(dirname(file), "profiles")];
      const loaded = loadProfile(id, folders);
      this.#profiles.set(id, loaded.ok ? loaded.value : undefined);
    }
    return this.#profiles.get(id);
  }
}

function recordOf(line: string): BusRecord | undefined {
  try {
    const parsed = busRecordSchema.safeParse(JSON.parse(line));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

function time(ms: number): string {
  return `${(ms / 1000).toFixed(4)}`.padStart(12);
}
