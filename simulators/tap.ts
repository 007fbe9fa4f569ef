/**
 * The tap: what reached the simulated devices and how their plants moved, one JSON object a line.
 *
 * The idea: each line is written by one system call before the reply leaves, so a killed process
 * loses nothing; `tMs` is the machine's monotonic clock, the same in every process. It refuses to
 * buffer and to judge.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import type { MotionEvent } from "./device.js";
import { SimProblem } from "./problem.js";

/** One request as received. `reply` is absent when none was given. */
export interface TapFrame {
  readonly tMs: number;
  /** ISO time, for people. */
  readonly wall: string;
  readonly bus: string;
  readonly unit: number;
  /** Absent: no device has this unit. */
  readonly device?: string;
  readonly pdu: string;
  readonly reply?: string;
  readonly note?: string;
}

export interface TapMotion extends MotionEvent {
  readonly kind: "motion";
}

/** Where a plant is while it moves; the device's own raw unit. */
export interface TapTruth extends MotionEvent {
  readonly kind: "truth";
  readonly velocity: number;
}

export interface TapLine extends TapEvent {
  readonly kind: "line";
}

/** What happened to a bus: noise, a silence that was too short, a fault given or taken. */
export interface TapEvent {
  readonly tMs: number;
  readonly bus: string;
  readonly what: "noise" | "violation" | "fault" | "clear";
  readonly text: string;
}

/** CLOCK_MONOTONIC in ms; its zero is the machine's boot. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

export interface Tap {
  frame(frame: Omit<TapFrame, "wall">): void;
  motion(event: MotionEvent): void;
  /** Every 50 ms while it moves. */
  truth(event: MotionEvent & { readonly velocity: number }): void;
  line(event: TapEvent): void;
  close(): void;
}

/** Appends to a file. @throws SimProblem */
export function fileTap(path: string): Tap {
  const file = openTap(path);
  const write = (line: TapFrame | TapMotion | TapTruth | TapLine) =>
    writeSync(file, `${JSON.stringify(line)}\n`);
  return {
    frame: (frame) => write({ ...frame, wall: new Date().toISOString() }),
    motion: (event) => write({ ...event, kind: "motion" }),
    truth: (event) => write({ ...event, kind: "truth" }),
    line: (event) => write({ ...event, kind: "line" }),
    close: () => closeSync(file),
  };
}

function openTap(path: string): number {
  try {
    return openSync(path, "a");
  } catch (cause) {
    const why = Reflect.get(Object(cause), "code") ?? cause;
    throw new SimProblem(`The tap ${path} cannot be written: ${why}.`, { cause });
  }
}

export const noTap: Tap = { frame() {}, motion() {}, truth() {}, line() {}, close() {} };
