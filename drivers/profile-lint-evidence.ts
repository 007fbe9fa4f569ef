/**
 * Lint of provenance: documents that exist, frames whose check sum is right, reasons for quirks.
 *
 * The idea: what is only from memory is a warning at its line, so that whoever loads the profile
 * is told. It refuses a golden frame that its own check sum contradicts, unless it is marked.
 */
import { crc16 } from "./crc.js";
import { type Say, unknownName } from "./lint-report.js";
import type { Profile } from "./profile.js";
import type { Evidence } from "./profile-facts.js";
import type { YamlPath } from "./yaml-schema.js";

export function lintEvidence(profile: Profile, say: Say): void {
  const { documents, goldenFrames } = profile.evidence;
  for (const { path, value } of evidenceIn(profile, [])) {
    if (value.by !== undefined && documents[value.by] === undefined) {
      unknownName(say, [...path, "by"], "document", { name: value.by, known: documents });
    }
    if (value.confidence === "M" || value.confidence === "X") {
      const why = value.confidence === "M" ? "only from memory" : "contradicted by another source";
      const note = value.note === undefined ? "" : `: ${value.note}`;
      say([...path, "confidence"], `${why}${note}`, { severity: "warning" });
    } else if (value.by === undefined) {
      say(path, `confidence ${value.confidence} needs the document that it comes from`, {
        at: "key",
      });
    }
  }
  goldenFrames.forEach((golden, i) => {
    const path = ["evidence", "goldenFrames", i];
    if (documents[golden.by] === undefined) {
      unknownName(say, [...path, "by"], "document", { name: golden.by, known: documents });
    }
    const bytes = frameBytes(golden.frame);
    if (bytes === undefined || bytes.length < 4) {
      say([...path, "frame"], "a frame is bytes in hexadecimal, with its check sum");
      return;
    }
    const right = crc16(bytes.subarray(0, -2));
    const there = (bytes.at(-2) ?? 0) | ((bytes.at(-1) ?? 0) << 8);
    if ((right === there) === (golden.wrongOnPurpose === true)) {
      const sum = [right & 0xff, right >> 8].map((b) => b.toString(16).padStart(2, "0")).join(" ");
      say([...path, "frame"], `the check sum does not fit; it would be ${sum.toUpperCase()}`);
    }
  });
}

/** Bytes of `01 03 32 00`, or undefined when the text is something else. */
export function frameBytes(text: string): Uint8Array | undefined {
  if (!/^([0-9A-Fa-f]{2})( [0-9A-Fa-f]{2})*$/.test(text)) return undefined;
  return Uint8Array.from(text.split(" "), (byte) => Number.parseInt(byte, 16));
}

function isEvidence(value: object): value is Evidence {
  return "confidence" in value;
}

/** Every evidence of the profile, wherever it stands. */
function evidenceIn(value: unknown, path: YamlPath): { path: YamlPath; value: Evidence }[] {
  if (typeof value !== "object" || value === null) return [];
  if (isEvidence(value)) return [{ path, value }];
  return Object.entries(value).flatMap(([key, inner]) => {
    return evidenceIn(inner, [...path, Array.isArray(value) ? Number(key) : key]);
  });
}
