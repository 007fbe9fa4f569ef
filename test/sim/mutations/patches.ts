/**
 * Ways to break a running cell at its ports, and to mend it again.
 *
 * The idea: a mutation stands between an app and its port, or in place of one method of the
 * product; the sources stay as they are. Each patch gives back what undoes it. It refuses to
 * decide what is broken.
 */
import type { TopicKey } from "#kernel/contract/topics.js";
import type { Exchange, Lane, Statement } from "#kernel/ports.js";
import { frameKinds } from "#simulators/judges/frames.js";
import { MemoryField } from "#simulators/world/field-bus.js";
import { MemoryLink } from "#simulators/world/message-bus.js";
import { SeededStore } from "#simulators/world/seeded-store.js";
import { smallCell } from "./stories.js";

export type Undo = () => void;

type Method = (...args: never[]) => unknown;
type MethodsOf<T> = { [K in keyof T]: T[K] extends Method ? K : never }[keyof T];

/** Puts another method in the place of one; `make` gets the one that was there. */
export function replaceMethod<T extends object, K extends MethodsOf<T>>(
  target: T,
  name: K,
  make: (original: T[K]) => T[K],
): Undo {
  const original = target[name];
  target[name] = make(original);
  return () => {
    target[name] = original;
  };
}

export interface Sent {
  readonly field: MemoryField;
  readonly lane: Lane;
  readonly pdu: Uint8Array;
  /** As hex text. */
  readonly text: string;
  /** Sends this or another frame in earnest. */
  readonly go: (pdu?: Uint8Array) => Promise<Exchange>;
}

/** Between a driver and its device; undefined: as it was. */
export function onExchange(change: (sent: Sent) => Promise<Exchange> | undefined): Undo {
  return replaceMethod(MemoryField.prototype, "exchange", (original) => {
    return function exchange(this: MemoryField, lane: Lane, pdu: Uint8Array) {
      const go = (other = pdu) => original.call(this, lane, other);
      const text = Buffer.from(pdu).toString("hex");
      return change({ field: this, lane, pdu, text, go }) ?? go();
    };
  });
}

export interface Said {
  /** `driver-x#3` */
  readonly owner: string;
  readonly key: TopicKey;
  readonly levels: { readonly [name: string]: string };
  readonly payload: { readonly [name: string]: unknown };
  /** Says this or something else in earnest. */
  readonly go: (payload?: object) => Promise<void>;
}

/** Between a service and the broker; undefined: as it was. */
export function onPublish(change: (said: Said) => Promise<void> | undefined): Undo {
  return replaceMethod(MemoryLink.prototype, "publish", (original) => {
    const publish = original as (key: string, levels: object, payload: object) => Promise<void>;
    return function changed(this: MemoryLink, key: string, levels: object, payload: object) {
      const go = (other: object = payload) => publish.call(this, key, levels, other);
      const said = { owner: this.owner, key, levels, payload, go } as unknown as Said;
      return change(said) ?? go();
    } as unknown as typeof original;
  });
}

export interface Written {
  readonly statements: readonly Statement[];
  readonly go: (statements?: readonly Statement[]) => ReturnType<SeededStore["tx"]>;
}

/** Between a service and its disk; undefined: as it was. */
export function onCommit(
  change: (written: Written) => ReturnType<SeededStore["tx"]> | undefined,
): Undo {
  return replaceMethod(SeededStore.prototype, "tx", (original) => {
    return function tx(this: SeededStore, statements, how) {
      const go = (other = statements) => original.call(this, other, how);
      return change({ statements, go }) ?? go();
    };
  });
}

/** Virtual time: the timers of a world are the globals. */
export function rest(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const kinds = new Map<string, ReturnType<typeof frameKinds>>();

function kindsOf(id: string) {
  const known = kinds.get(id);
  if (known !== undefined) return known;
  const device = smallCell().devices.find((one) => one.id === id);
  if (device === undefined) throw new RangeError(`no device ${id}`);
  const made = frameKinds(device.profile, device.setup);
  kinds.set(id, made);
  return made;
}

export function isTrigger({ field, text }: Sent): boolean {
  return isTriggerOf(field.device, text);
}

export function isTriggerOf(device: string, text: string): boolean {
  return kindsOf(device).isTrigger(text);
}

export function isWrite({ pdu }: Sent): boolean {
  return (pdu[0] ?? 0) > 4;
}

/** What a device would answer to a write that it has taken. */
export function acknowledged({ pdu }: Sent): Promise<Exchange> {
  const length = pdu[0] === 0x10 || pdu[0] === 0x0f ? 5 : pdu.length;
  return Promise.resolve({
    kind: "reply",
    pdu: pdu.slice(0, length),
    sentAtMs: performance.now(),
  });
}
