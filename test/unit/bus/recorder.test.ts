/**
 * The flight recorder: what is kept of an endpoint, in which files, and who may listen.
 * The idea: the endpoint's own walk over hand-made frames; small segments on a real disk. It
 * refuses devices.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { afterEach, expect, test, vi } from "vitest";
import { type BusRecord, busRecordSchema } from "#kernel/contract/frame-record.js";
import { RecordFiles, segmentFiles, waitingBytesMax } from "#kernel/edge/record-files.js";
import { RecordTap } from "#kernel/edge/record-tap.js";
import { EndpointRecorder } from "../../../services/bus/recorder.js";
import { keptLog } from "../../fixtures/kept-log.js";

const dirs: string[] = [];
afterEach(() => {
  vi.useRealTimers();
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
});
function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "servocell-recorder-"));
  dirs.push(dir);
  return dir;
}

const head = {
  kind: "head",
  version: 1,
  bus: "rail",
  bootId: "boot",
  epoch: "2026-01-01T00:00:00.000Z",
  link: "serial /dev/tty7 19200 8E1",
  units: { "1": { device: "x", profile: "kinco/fd5p" } },
} as const;

function linesOf(file: string): readonly BusRecord[] {
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  return lines.map((line) => busRecordSchema.parse(JSON.parse(line)));
}

function kept() {
  const records: BusRecord[] = [];
  const sink = { take: (record: BusRecord) => void records.push(record), close: async () => {} };
  return { records, sink };
}

const pdu = Uint8Array.of(3, 0x60, 0x41, 0, 1);
const reply = Uint8Array.of(3, 2, 2, 0x37);

test.each([
  [{ kind: "reply", pdu: reply }, "reply", "03020237"],
  [{ kind: "noReply", why: "timeout" }, "timeout", undefined],
  [{ kind: "noReply", why: "malformed" }, "malformed", undefined],
  [{ kind: "noReply", why: "link-down" }, "link-down", undefined],
  [{ kind: "notSent", why: "link-down" }, "not-sent", undefined],
] as const)("recorder: an exchange that ends in %j is one line", (result, outcome, hex) => {
  const { records, sink } = kept();
  const recorder = new EndpointRecorder({ sink });
  recorder.requested(1, "poll", 7);
  recorder.sent({ key: 1, lane: "poll", unit: 7, pdu })(result);
  recorder.ended(1);
  expect(records).toHaveLength(1);
  expect(busRecordSchema.parse(records[0])).toMatchObject({
    kind: "frame",
    unit: 7,
    lane: "poll",
    request: "0360410001",
    outcome,
    ...(hex === undefined ? {} : { reply: hex }),
  });
});

test("recorder: a stop that empties its unit's queue shows what began, was purged, and ended", () => {
  const { records, sink } = kept();
  const recorder = new EndpointRecorder({ sink });
  recorder.requested(1, "command", 7);
  recorder.requested(2, "stop", 7);
  recorder.ended(1);
  recorder.sent({ key: 2, lane: "stop", unit: 7, pdu })({ kind: "reply", pdu: reply });
  recorder.ended(2);
  const words = records.map((one) => (one.kind === "decision" ? one.what : one.kind));
  expect(words).toEqual(["stop-began", "purged", "stop-ended", "frame"]);
});

test("recorder: a stop that waits longer than its bound is told once, with both figures", () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  const late: object[] = [];
  const recorder = new EndpointRecorder({ boundMs: 5, onLateStop: (one) => void late.push(one) });
  recorder.requested(1, "stop", 7);
  recorder.sent({ key: 1, lane: "stop", unit: 7, pdu })({ kind: "reply", pdu: reply });
  expect(late).toEqual([]);
  recorder.requested(2, "stop", 7);
  vi.advanceTimersByTime(20);
  recorder.sent({ key: 2, lane: "stop", unit: 7, pdu })({ kind: "reply", pdu: reply });
  expect(late).toMatchObject([{ unit: 7, boundMs: 5 }]);
  expect(recorder.stopWaitMsMax).toBe(20);
});

test("recorder files: segments are bounded, the oldest goes, each begins with the head", async () => {
  const dataDir = tempDir();
  const options = {
    dataDir,
    bus: "rail",
    head,
    log: keptLog(),
    segmentBytes: 2000,
    segments: 3,
  };
  for (let round = 0; round < 2; round += 1) {
    const files = new RecordFiles(options);
    for (let i = 0; i < 40; i += 1) {
      files.take({ kind: "decision", tMs: i, what: "probe", text: "x".repeat(200) });
      if (i % 5 === 4) await rest(110);
    }
    await files.close();
  }
  const files = segmentFiles(join(dataDir, "recorder"), "rail");
  expect(files).toHaveLength(3);
  for (const file of files) expect(linesOf(file)[0]).toEqual(head);
  expect(linesOf(files.at(-1) ?? "").at(-1)).toMatchObject({ tMs: 39 });
});

test("recorder files: the segments of bus a are not those of bus a-b", () => {
  const dir = tempDir();
  for (const name of ["a-000001.jsonl", "a-b-000001.jsonl", "a-000010.jsonl", "a-9.jsonl"]) {
    writeFileSync(join(dir, name), "");
  }
  const names = segmentFiles(dir, "a").map((file) => file.slice(dir.length + 1));
  expect(names).toEqual(["a-000001.jsonl", "a-000010.jsonl"]);
});

test("recorder files: a disk that takes nothing loses records, counts them, and goes on later", async () => {
  const dataDir = tempDir();
  const log = keptLog();
  const blocked = join(dataDir, "recorder");
  // A file where the folder should be: every open fails, also for root.
  writeFileSync(blocked, "");
  const files = new RecordFiles({ dataDir, bus: "rail", head, log });
  files.take({ kind: "decision", tMs: 1, what: "probe" });
  await rest(250);
  expect(files.dropped).toBe(1);
  rmSync(blocked);
  files.take({ kind: "decision", tMs: 2, what: "probe" });
  await files.close();
  const [file] = segmentFiles(join(dataDir, "recorder"), "rail");
  expect(linesOf(file ?? "").map((one) => (one.kind === "decision" ? one.what : one.kind))).toEqual(
    ["head", "dropped", "probe"],
  );
});

test("recorder files: what a slow disk cannot take is dropped, not kept in memory", async () => {
  const files = new RecordFiles({ dataDir: tempDir(), bus: "rail", head, log: keptLog() });
  const text = "x".repeat(10_000);
  for (let i = 0; i < 500; i += 1) files.take({ kind: "decision", tMs: i, what: "probe", text });
  expect(files.dropped).toBeGreaterThan(500 - waitingBytesMax / 10_000 - 1);
  await files.close();
});

test("live tap: each reader gets the head and what follows; one that does not read is cut", async () => {
  const dir = tempDir();
  const path = join(dir, "tap.sock");
  const tap = new RecordTap(head);
  await tap.open(path);
  const lazy = connect(path).on("error", () => undefined);
  const reader = connect(path);
  let text = "";
  reader.on("data", (chunk) => {
    text += chunk.toString();
  });
  await new Promise((resolve) => reader.once("data", resolve));
  await rest(50);
  lazy.pause();
  const long = "x".repeat(50_000);
  for (let i = 0; i < 200 && tap.cut === 0; i += 1) {
    tap.take({ kind: "decision", tMs: i, what: "probe", text: long });
    await rest(1);
  }
  await rest(100);
  expect(tap.cut).toBe(1);
  const lines = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { kind: string });
  expect(lines[0]).toEqual(head);
  expect(lines.length).toBeGreaterThan(10);
  for (const socket of [lazy, reader]) socket.destroy();
  await tap.close();
});
