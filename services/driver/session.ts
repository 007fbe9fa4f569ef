/**
 * The session with one device: what is read next, and what a read or its failure means.
 *
 * The idea: after boot, loss or reboot the first frame is a status read; an axis that moves or
 * does not answer is stopped; only then comes the full read, and nothing but stop is written
 * before it [PROTOCOL 12]. A stop that is owed goes out at the first sign of life. It refuses to
 * call a device ready that has not been read in full since it was last lost.
 */
import type { DeviceModel, PointTable } from "#drivers/device-model.js";
import type { Ms } from "#drivers/reading.js";
import type { DeviceConfig } from "#kernel/config/cell.js";
import type { Breaker, FieldLink, Log } from "#kernel/ports.js";
import type { AxisFrame } from "./axis-frame.js";
import type { CommandRunner } from "./command-runner.js";
import { Continuity, type Loss, missedPollsMax } from "./continuity.js";
import type { ReadOutcome } from "./device-io.js";
import type { LeaseRunner } from "./lease-runner.js";
import type { Outbox } from "./outbox.js";
import type { Interruption } from "./pipeline.machine.js";
import type { PollPlan } from "./poll-loop.js";
import type { DeviceSnapshot } from "./publisher.js";
import { knownStill, type Readings, stillAgeMs, stillness } from "./readings.js";
import type { StopRunner } from "./stop-runner.js";

export interface SessionParts {
  readonly device: DeviceConfig;
  readonly model: DeviceModel;
  readonly field: FieldLink;
  readonly breaker: Breaker;
  readonly readings: Readings;
  readonly stops: StopRunner;
  readonly leases: LeaseRunner;
  readonly commands: CommandRunner;
  readonly outbox: Outbox;
  readonly frame: AxisFrame;
  readonly log: Log;
  readonly pollPeriodMs: () => Ms;
  /** A velocity goes on after its command has ended. */
  readonly motionGoesOn: () => boolean;
  /** Permits for other axes are read off this device: `check` reckons with its fast polls. */
  readonly permits: boolean;
  /** Does the work; what it interrupts is told this cause. */
  readonly because: (why: Interruption, work: () => void) => void;
}

export class Session {
  readonly #parts: SessionParts;
  readonly #continuity = new Continuity();
  /** False from boot or loss until a status was read. */
  #statusSeen = false;
  /** True once: no answer at boot makes a stop due; a later loss of a still axis does not. */
  #booting = true;
  #readInFull = false;
  #identity: "unknown" | "match" | "mismatch" = "unknown";
  #missed = 0;
  #slowAtMs = Number.NEGATIVE_INFINITY;
  #lastSeenWallMs: number | undefined;
  #lastError: string | undefined;
  #wasUp: boolean | undefined;

  constructor(parts: SessionParts) {
    this.#parts = parts;
  }

  get readInFull(): boolean {
    return this.#readInFull;
  }
  get statusSeen(): boolean {
    return this.#statusSeen;
  }
  /** Read in full, and what its profile says. */
  get recognised(): boolean {
    return this.#readInFull && this.#identity === "match";
  }
  get identity(): "unknown" | "match" | "mismatch" {
    return this.#identity;
  }

  /** Fast while anything may happen, idle otherwise; a device left alone is not hurried. */
  get periodMs(): Ms {
    const { device, breaker, leases, stops, commands, readings, permits } = this.#parts;
    if (breaker.state !== "closed") return device.pollIdleMs;
    // Others move by what is read here, leased or not [PROTOCOL 8].
    if (permits) return device.pollFastMs;
    const { enabled, moving } = readings.view;
    const leased = leases.state.at === "held" && enabled.ok && enabled.value;
    const active = leased || (moving.ok && moving.value);
    const busy = commands.running !== undefined || (stops.active && this.#missed === 0);
    return active || busy || this.#parts.motionGoesOn() ? device.pollFastMs : device.pollIdleMs;
  }

  plan(done: readonly PollPlan["name"][]): PollPlan | undefined {
    const { model, breaker, stops, device } = this.#parts;
    const first = model.pollFast[0];
    if (breaker.state !== "closed") {
      // One status read is the whole probe (CB-01).
      if (done.length > 0 || first === undefined) return undefined;
      return { name: "probe", requests: [first] };
    }
    if (done.length === 0) {
      if (this.#statusSeen && !this.#readInFull && !stops.active) {
        return { name: "full", requests: model.pollFull };
      }
      return { name: "status", requests: model.pollFast };
    }
    if (done.length > 1 || !this.#readInFull || model.pollSlow.length === 0) return undefined;
    if (performance.now() - this.#slowAtMs < device.pollSlowMs) return undefined;
    return { name: "slow", requests: model.pollSlow };
  }

  onOutcome(plan: PollPlan, outcome: ReadOutcome, before: PointTable): void {
    if (outcome.ok) this.#good(plan, before);
    else this.#bad(plan, outcome);
  }

  #good(plan: PollPlan, before: PointTable): void {
    const { stops, model, readings } = this.#parts;
    this.#lastSeenWallMs = Date.now();
    if (plan.name === "slow") {
      this.#slowAtMs = performance.now();
      return;
    }
    this.#missed = 0;
    this.#lastError = undefined;
    // Before anything else: what is owed is the first frame after a sign of life [PROTOCOL 14].
    stops.life();
    // A probe says that the device answers, and no more.
    if (plan.name === "probe") return;
    this.#link(true);
    if (this.#readInFull && model.rebooted(before, readings.points)) this.#rebooted();
    if (!this.#statusSeen) this.#firstStatus();
    if (plan.name === "full") this.#full();
    if (this.#readInFull) this.#watch();
  }

  /** An axis that moves before anybody has a lease is stopped; so is one that may go on. */
  #firstStatus(): void {
    const { stops, readings, commands } = this.#parts;
    this.#statusSeen = true;
    this.#booting = false;
    const still = stillness(readings.view);
    const stands = still.ok && still.value && !commands.motionInDoubt;
    const mayMove = stops.movable && !stands;
    if (mayMove && this.#parts.leases.held === undefined) stops.own("found moving");
  }

  #full(): void {
    const { model, readings, log, commands } = this.#parts;
    const { ok, text } = model.identityMatches(readings.points);
    this.#identity = ok ? "match" : "mismatch";
    if (!ok) log.warn({ profile: model.profileId, found: text }, "the device is not its profile");
    this.#readInFull = true;
    this.#slowAtMs = performance.now();
    this.#continuity.restart();
    const { position } = readings.shown;
    commands.settle(position.ok ? position.value : undefined);
  }

  #watch(): void {
    const { leases, readings, commands, stops, model } = this.#parts;
    if (leases.held === undefined) {
      this.#continuity.restart();
      return;
    }
    const loss = this.#continuity.look({
      view: readings.view,
      running: commands.running?.verb,
      motionExpected: this.#parts.motionGoesOn() || stops.active,
      tolerance: model.setup.axis?.tolerance,
    });
    if (loss !== undefined) this.#lose(loss);
  }

  #lose(loss: Loss): void {
    const { leases, log, because } = this.#parts;
    const { reason, fault } = loss;
    if (leases.state.at !== "none") {
      log.warn({ mark: "continuity.lost", reason }, "continuity lost");
    }
    because({ code: "SUPERSEDED", fault, text: reason }, () => {
      leases.apply({ kind: "continuityLost", reason });
    });
  }

  #rebooted(): void {
    const { outbox, log } = this.#parts;
    log.warn({ mark: "device.rebooted" }, "the drive has rebooted");
    outbox.emit("device", "rebooted", {});
    this.#readInFull = false;
    this.#statusSeen = false;
    this.#parts.frame.gap();
    this.#lose({ reason: "the drive rebooted", fault: "STOPPED_SHORT" });
  }

  #bad(plan: PollPlan, outcome: ReadOutcome & { ok: false }): void {
    const { readings, stops, field } = this.#parts;
    const nowMs = performance.now();
    const points = plan.requests.flatMap((request) => request.points);
    readings.miss(points, outcome.reason, nowMs);
    this.#lastError = outcome.reason;
    if (plan.name === "slow") {
      // Tried again when it is due; it says nothing about the status.
      this.#slowAtMs = nowMs;
      return;
    }
    if (outcome.answered) {
      this.#lastSeenWallMs = Date.now();
      stops.life();
    }
    this.#missed += 1;
    if (this.#booting && field.connected && !outcome.answered) {
      // Nobody can say whether it moves [PROTOCOL 12].
      this.#booting = false;
      if (stops.movable) stops.owe("no answer at boot");
    }
    if (this.#missed < missedPollsMax) return;
    this.#lose({ reason: `${missedPollsMax} polls were missed`, fault: "STOPPED_SHORT" });
    if (!outcome.answered) this.lost();
  }

  /** The lanes are gone: nothing can be read or sent until they are back. */
  linkLost(): void {
    this.#parts.readings.missAll("link-down", performance.now());
    this.#missed = Math.max(this.#missed, 1);
    this.#lose({ reason: "the lanes of the bus are gone", fault: "STOPPED_SHORT" });
    this.lost();
  }

  /** Status, enable and place are unknown from here on; a full read comes first. */
  lost(): void {
    this.#statusSeen = false;
    this.#readInFull = false;
    this.#parts.frame.gap();
    this.#link(false);
  }

  #link(up: boolean): void {
    if (this.#wasUp === up) return;
    // At boot nobody has to be told that it is not up yet.
    const first = this.#wasUp === undefined;
    this.#wasUp = up;
    if (!first || up) this.#parts.outbox.emit("device", up ? "link.up" : "link.down", {});
  }

  /** The breaker has opened: on an axis that may move this is a loss of its control. */
  breakerOpened(): void {
    const { stops, commands, readings, leases } = this.#parts;
    const nowMs = performance.now();
    const still = knownStill(readings.view, nowMs, stillAgeMs(this.#parts.pollPeriodMs()));
    const mayMove = stops.movable && (commands.triggered || this.#parts.motionGoesOn() || !still);
    const wasLent = leases.state.at !== "none" || commands.running !== undefined;
    if (wasLent && mayMove) stops.own("breaker opened");
    leases.apply({ kind: "continuityLost", reason: "the breaker opened" });
    commands.lost("the device does not answer; its breaker is open");
    this.lost();
  }

  snapshot(): DeviceSnapshot {
    const { breaker, device } = this.#parts;
    const heard = this.#missed === 0 ? "up" : "stale";
    return {
      link: this.#statusSeen ? heard : "down",
      breaker: breaker.state,
      identity: this.#identity,
      pollPeriodMs: this.periodMs,
      ...(this.#lastSeenWallMs === undefined ? {} : { lastSeen: this.#lastSeenWallMs }),
      ...(this.#lastError === undefined ? {} : { lastError: `${device.id}: ${this.#lastError}` }),
    };
  }
}
