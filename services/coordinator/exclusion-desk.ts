/**
 * Devices that a person has taken out of use, kept over restarts.
 *
 * The idea: an excluded device is leased to no run, so a saga that needs it is refused by name and
 * one that has a backup plan for it goes without. It refuses to forget who took it out.
 */
import type { ErrorCode } from "#kernel/errors.js";
import type { Row, Statement } from "#kernel/ports.js";
import { storedJson } from "#kernel/stored-json.js";

const factName = "excluded";

export interface Exclusion {
  readonly user: string;
  readonly ts: number;
  readonly text?: string;
}

export class ExclusionDesk {
  #excluded: ReadonlyMap<string, Exclusion> = new Map();

  load(facts: readonly Row[]): void {
    const row = facts.find(({ name }) => name === factName);
    if (row === undefined) return;
    this.#excluded = new Map(Object.entries(storedJson(row.value, "the devices out of use")));
  }

  /** Sorted. */
  get devices(): readonly string[] {
    return [...this.#excluded.keys()].sort();
  }

  isExcluded(device: string): boolean {
    return this.#excluded.has(device);
  }

  exclude(device: string, by: Exclusion): void {
    this.#excluded = new Map([...this.#excluded, [device, by]]);
  }

  include(device: string): void {
    this.#excluded = new Map([...this.#excluded].filter(([known]) => known !== device));
  }

  /** Who has taken it out, and why. */
  describe(device: string): string {
    const by = this.#excluded.get(device);
    if (by === undefined) return "in use";
    return `by ${by.user}${by.text === undefined ? "" : `: ${by.text}`}`;
  }

  /** What a request for its lease is answered with; undefined: it may be leased. */
  refused(device: string): { ok: false; code: ErrorCode; text: string } | undefined {
    if (!this.isExcluded(device)) return undefined;
    return { ok: false, code: "EXCLUDED", text: `out of use, ${this.describe(device)}` };
  }

  /** All of it, as it stands now. */
  statement(): Statement {
    const value = JSON.stringify(Object.fromEntries(this.#excluded));
    const sql = "INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)";
    return { sql, params: [factName, value] };
  }
}
