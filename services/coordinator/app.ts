/**
 * The coordinator: runs sagas over the drivers, keeps the cell's state and its latched stops.
 *
 * The idea: desks, each with one duty, wired together here; the two machines decide, the journal
 * remembers, beats go out from this loop whatever the disk does. At a start the stops of
 * unfinished runs leave before anything else is said or asked. It refuses to move an axis without
 * a lease, a journalled intent and a cell that allows it.
 */
import type { CellConfig } from "#kernel/config/cell.js";
import type { App, Boot, Log, MessageLink, NewId, StopFanOut, Store } from "#kernel/ports.js";
import { Presence } from "#kernel/presence.js";
import { namingStore } from "#kernel/stored-json.js";
import { Beats } from "./beats.js";
import { CellDesk } from "./cell-desk.js";
import { CellWatch, type WatchNews } from "./cell-watch.js";
import { CommandDoor } from "./command-door.js";
import { crashPoint } from "./crash-points.js";
import { DriverDesk } from "./driver-desk.js";
import { EventIntake } from "./event-intake.js";
import { EventOutbox } from "./event-outbox.js";
import { ExclusionDesk } from "./exclusion-desk.js";
import { HistoryDesk } from "./history-desk.js";
import { HoldDesk } from "./hold-desk.js";
import { Journal } from "./journal.js";
import { JournalArchive } from "./journal-archive.js";
import type { Entered } from "./latch-book.js";
import { LatchDesk } from "./latch-desk.js";
import { LeaseDoubts, leasesOfRuns } from "./lease-doubts.js";
import { LockDesk } from "./lock-desk.js";
import { RestartDesk } from "./restart-desk.js";
import { RuleDesk } from "./rule-desk.js";
import { RunDesk } from "./run-desk.js";
import { epochOf } from "./run-state.js";
import { sayMeta } from "./saga-meta.js";
import type { StopNews } from "./stop-desk.js";
import { StopDesk } from "./stop-desk.js";
import { StoreQueue } from "./store-queue.js";
import { SuspendDesk } from "./suspend-desk.js";
import { ZoneDesk } from "./zone-desk.js";

/** Retained states are listened to for this long before anything is said [PROTOCOL 2]. */
export const listenMs = 300;
/** Pause between looks for the broker. */
const connectLookMs = 20;
/** The axes' standstill is waited for this long at an orderly end. */
export const drainMsMax = 5000;

export interface CoordinatorPorts {
  readonly main: MessageLink;
  readonly stop: MessageLink;
  readonly store: Store;
  readonly fanOut: StopFanOut;
  readonly log: Log;
  readonly boot: Boot;
  /** Changes with every start of the PC. */
  readonly hostBootId: string;
  readonly newId: NewId;
}

class Coordinator implements App {
  readonly #ports: CoordinatorPorts;
  readonly #config: CellConfig;
  readonly #queue: StoreQueue;
  readonly #journal: Journal;
  readonly #archive: JournalArchive;
  readonly #outbox: EventOutbox;
  readonly #watch: CellWatch;
  readonly #drivers: DriverDesk;
  readonly #stops: StopDesk;
  readonly #latches: LatchDesk;
  readonly #runs: RunDesk;
  readonly #doubts: LeaseDoubts;
  readonly #cell: CellDesk;
  readonly #exclusions = new ExclusionDesk();
  readonly #locks: LockDesk;
  readonly #restart: RestartDesk;
  readonly #door: CommandDoor;
  readonly #holds: HoldDesk;
  readonly #intake: EventIntake;
  readonly #zones: ZoneDesk;
  readonly #suspends: SuspendDesk;
  readonly #beats: Beats;
  readonly #presence: Presence;
  #open = false;
  #closed = false;

  constructor(ports: CoordinatorPorts, config: CellConfig) {
    this.#ports = ports;
    this.#config = config;
    const { main, stop, log, boot, newId } = ports;
    this.#queue = new StoreQueue(ports.store, log);
    this.#journal = new Journal(this.#queue, boot.version);
    this.#archive = new JournalArchive({ queue: this.#queue, log });
    this.#outbox = new EventOutbox({ ...ports, config }, this.#queue);
    this.#watch = new CellWatch(config);
    this.#drivers = new DriverDesk(ports);
    this.#stops = new StopDesk(ports);
    const shared = { config, main, stop, boot, newId, log, outbox: this.#outbox };
    const desks = { queue: this.#queue, journal: this.#journal, watch: this.#watch };
    this.#latches = new LatchDesk({
      ...shared,
      ...desks,
      drivers: this.#drivers,
      onEntered: (entered, fresh) => this.#onEntered(entered, fresh),
    });
    this.#runs = new RunDesk({
      ...shared,
      journal: this.#journal,
      drivers: this.#drivers,
      stops: this.#stops,
      lookup: (device, field) => this.#watch.lookup(device, field),
      unlatch: ({ stops, devices, user }) =>
        this.#latches.reset(stops, devices, { user, role: "operator" }),
      onChange: (run, before) => {
        this.#cell.onRun(run, before);
        this.#locks.look();
      },
      onWithdrawn: () => {
        // It stood in the way of others meanwhile.
        this.#cell.settle();
        this.#locks.look();
      },
    });
    this.#doubts = new LeaseDoubts((device) => this.#leases(device));
    const runs = () => this.#runs;
    this.#locks = new LockDesk(runs);
    const exclusions = this.#exclusions;
    this.#drivers.mayLease = (device) => exclusions.refused(device);
    this.#drivers.absent = (device) => this.#watch.absent(device);
    const excluded = () => exclusions.devices;
    const waits = this.#locks.why.bind(this.#locks);
    const asked = { stops: this.#stops, watch: this.#watch, runs, excluded, waits };
    this.#cell = new CellDesk({ ...shared, ...asked });
    const { hostBootId } = ports;
    const { book } = this.#latches;
    this.#restart = new RestartDesk({ ...desks, book, runs, hostBootId });
    this.#holds = new HoldDesk({
      ...shared,
      ...{ cell: this.#cell, runs: this.#runs, latches: this.#latches },
      ...{ exclusions, drivers: this.#drivers, queue: this.#queue },
    });
    this.#door = new CommandDoor({
      ...shared,
      ...desks,
      runs: this.#runs,
      cell: this.#cell,
      latches: this.#latches,
      locks: this.#locks,
      exclusions,
      holds: this.#holds,
      isOpen: () => this.#open,
    });
    const rules = new RuleDesk({ ...shared, door: this.#door.starts });
    this.#intake = new EventIntake({ ...shared, ...desks, rules });
    this.#zones = new ZoneDesk({ ...shared, stops: this.#stops, runs });
    const lookup = this.#watch.lookup.bind(this.#watch);
    this.#suspends = new SuspendDesk({ config, lookup, cell: () => this.#cell });
    this.#cell.onState = (state) => this.#suspends.cellIs(state);
    new HistoryDesk({ ...shared, ...desks, runs: this.#runs, isOpen: () => this.#open });
    const leaseMs = Math.min(...config.devices.map((device) => device.leaseMs));
    const onSilenced = () => this.#onSilenced(leaseMs);
    this.#beats = new Beats({ stop, boot, beatMs: config.beatMs, leaseMs, onSilenced });
    this.#presence = new Presence(main, boot);
    this.#listen();
  }

  /** Everybody here who counts on a lease of the device. */
  #leases(device: string) {
    const ofRuns = leasesOfRuns(this.#runs, this.#ports.boot.service, device);
    return [...ofRuns, ...this.#holds.leases(device)];
  }

  #listen(): void {
    const { main, stop, log } = this.#ports;
    this.#journal.onEnded = () => this.#archive.nudge();
    this.#outbox.onTrouble = (text) => this.#presence.degraded(text, "outbox");
    this.#drivers.recordsAreWhole = () => !this.#restart.isAnotherHost;
    this.#stops.listen(this.#stopNews());
    this.#watch.listen({ main, stop }, this.#watchNews());
    const feed = (id: string, news: Parameters<RunDesk["feed"]>[1]) => {
      const run = this.#runs.owner(id);
      if (run !== undefined) this.#runs.feed(run, news);
    };
    this.#drivers.listen({
      onAccepted: (id) => feed(id, { kind: "accepted", id }),
      onRunning: (id) => {
        // `running` says `accepted` as well, where that one was lost.
        feed(id, { kind: "accepted", id });
        this.#runs.started(id);
      },
      onVerdict: (id, verdict) => feed(id, { kind: "verdict", id, verdict }),
    });
    main.subscribe("event", {}, ({ payload }) => {
      this.#runs.happened(payload);
      this.#intake.heard(payload);
    });
    main.onChange((connected) => {
      if (!connected) return;
      this.#runs.feedAll(this.#runs.active, { kind: "reconnected" });
      this.#sayMeta();
    });
    this.#queue.onTrouble = (code) => {
      this.#presence.degraded(code === undefined ? undefined : `the journal: ${code}`);
      if (code === undefined) return;
      log.error({ mark: "runs.stopped-by-store", code }, "Running motion is stopped.");
      const text = "the journal cannot be written; running motion is stopped";
      this.#runs.feedAll(this.#runs.active, { kind: "failed", code, text });
    };
  }

  #stopNews(): StopNews {
    return {
      onStill: (order, device) => {
        const run = this.#runs.owner(order);
        if (run !== undefined) this.#runs.feed(run, { kind: "still", order, device });
      },
      onNotStill: (order, device, text) => {
        const run = this.#runs.owner(order);
        if (run !== undefined) this.#runs.feed(run, { kind: "notStill", order, device, text });
      },
      onLatched: (axis, id, said) => this.#latches.learn(axis, id, said, true),
      onOperatorStopSettled: () => this.#cell.settle(),
    };
  }

  #watchNews(): WatchNews {
    return {
      onAxis: (device) => {
        const { latched, said } = this.#watch.latched(device);
        for (const id of latched) this.#latches.learn(device, id, said, false);
        this.#runs.seen(device);
        const fault = this.#watch.lookup(device, "fault");
        if (fault?.ok === true) this.#zones.seen(device, fault.value === true);
        this.#suspends.seen(device);
      },
      onLease: (device, lease) => this.#doubts.said(device, lease),
      onDriverGone: (device, still) => {
        this.#holds.driverGone(device);
        const text = "its driver is gone";
        const runs = this.#runs.active.filter(({ saga }) => saga.uses.includes(device));
        // Not seen still: the guardian has stopped it, and a person has to look [PROTOCOL 15].
        const guarded = runs.filter((run) => !still && epochOf(run, device) !== undefined);
        const others = runs.filter((run) => !guarded.includes(run));
        this.#runs.feedAll(guarded, {
          kind: "tripped",
          device,
          code: "LEASE_LOST",
          text: `${text}; the guardian stops the axis`,
        });
        this.#runs.feedAll(others, { kind: "leaseLost", device, text });
        if (!still) this.#zones.failed(device, text);
      },
      onLeaseEnded: (device, epoch, reason) => this.#onLeaseEnded(device, epoch, reason),
      onRebooted: (device) => this.#restart.rebooted(device),
    };
  }

  #onLeaseEnded(device: string, epoch: number | undefined, reason: string): void {
    this.#holds.leaseEnded(device, epoch, reason);
    const runs = this.#runs.active.filter((run) => {
      const counted = epochOf(run, device);
      return counted !== undefined && (epoch === undefined || epoch === counted);
    });
    const text = `its lease ended: ${reason}`;
    if (/interlock|permit/i.test(reason)) {
      this.#runs.feedAll(runs, { kind: "tripped", device, code: "INTERLOCKED", text });
    } else if (reason === "stop" || reason === "quickStop" || reason === "abort") {
      // A person's stop, heard of here first: the order and its latch follow [PROTOCOL 1].
      const how = reason === "stop" ? "stop" : "quickStop";
      this.#runs.feedAll(runs, { kind: "operatorStop", how, text: `${device}: ${text}` });
    } else {
      this.#runs.feedAll(runs, { kind: "leaseLost", device, text });
      if (runs.length > 0) this.#zones.leaseEnded(device, reason);
    }
  }

  /** No beat has left for as long as a lease lasts: every driver has stopped its axis. */
  #onSilenced(leaseMs: number): void {
    const text = `no beat could leave for ${leaseMs} ms`;
    this.#runs.feedAll(this.#runs.active, { kind: "failed", code: "LEASE_LOST", text });
  }

  /** A person's stop, on whichever road it was heard of. */
  #onEntered({ latch, axes }: Entered, fresh: boolean): void {
    const { id, kind, by } = latch;
    const text = `${kind} by ${by.user} (${id})`;
    const how = kind === "stop" ? "stop" : "quickStop";
    const hit = this.#runs.open.filter(
      (run) => axes === undefined || run.saga.uses.some((device) => axes.includes(device)),
    );
    const active = this.#runs.active.filter((run) => hit.includes(run));
    this.#runs.feedAll(hit, { kind: "operatorStop", stop: id, how, text });
    if (!this.#open) return;
    const whole = axes === undefined || active.length === 0 || kind === "abort";
    const reason = { code: "LATCHED", text };
    if (fresh) this.#follow(id, axes);
    if (whole) this.#cell.feed({ kind: "operatorStop", abort: kind === "abort" }, reason);
    this.#cell.settle();
  }

  #follow(id: string, axes: readonly string[] | undefined): void {
    const { reachable } = this.#watch;
    this.#stops.follow(
      id,
      axes === undefined ? reachable : reachable.filter((axis) => axes.includes(axis)),
    );
  }

  async start(): Promise<void> {
    const { log, boot } = this.#ports;
    this.#beats.start();
    const loaded = await this.#journal.load(boot.bootId);
    crashPoint("restart.loaded");
    this.#outbox.restore(loaded.numbered);
    for (const { run } of loaded.runs) this.#runs.adopt(run);
    const untrusted = new Set(loaded.runs.filter((r) => !r.trusted).map((r) => r.run.run));
    const unfinished = this.#restart.stopUnfinished(untrusted);
    crashPoint("restart.stopped");
    for (const run of await this.#journal.loadEnded()) this.#runs.adopt(run);
    this.#archive.nudge();
    for (const run of untrusted) {
      log.error({ mark: "journal.untrusted", run }, "A run's journal does not agree with itself.");
    }
    this.#latches.load(loaded.rows.latches);
    this.#restart.load(loaded.rows.facts);
    this.#cell.load(loaded.rows.facts);
    this.#exclusions.load(loaded.rows.facts);
    this.#door.load(loaded.rows.requests);
    this.#intake.load(loaded.rows.heard);
    const backTs = await this.#listened();
    if (this.#closed) return;
    this.#latches.open();
    this.#outbox.open();
    this.#restart.startSigns();
    this.#open = true;
    this.#intake.open();
    this.#cell.boot(this.#latches.book.latches.length);
    void this.#restart.rule(unfinished, backTs).then(() => this.#locks.open());
    this.#presence.start();
    this.#sayMeta();
  }

  /**
   * The broker is waited for as long as it is away: without it there is nothing to be done, and
   * nobody attends the cell. Says when it was there.
   */
  async #listened(): Promise<number> {
    while (!this.#watch.hears && !this.#closed) await pause(connectLookMs);
    const backTs = Date.now();
    await pause(listenMs);
    return backTs;
  }

  #sayMeta(): void {
    const { main, boot } = this.#ports;
    if (this.#open && main.connected) sayMeta(main, this.#config, boot.version);
  }

  /** Open runs stay in the journal: the next start stops first and rules on them. */
  async stop(reason: string): Promise<void> {
    const { main, stop, fanOut } = this.#ports;
    this.#open = false;
    this.#closed = true;
    // While the axes come to a standstill nothing may begin that moves one.
    this.#intake.close();
    this.#locks.close();
    this.#restart.end();
    this.#runs.ending = true;
    const text = `the coordinator is ending: ${reason}`;
    this.#runs.feedAll(this.#runs.active, { kind: "restarted", text });
    const untilMs = performance.now() + drainMsMax;
    while (this.#isStopping() && performance.now() < untilMs) await pause(connectLookMs);
    this.#outbox.close();
    this.#suspends.close();
    this.#archive.close();
    this.#restart.close();
    this.#doubts.close();
    this.#cell.close();
    this.#runs.close();
    await this.#presence.stop();
    this.#beats.end();
    await this.#queue.close();
    await Promise.all([main.close(), stop.close(), fanOut.close()]);
  }

  #isStopping(): boolean {
    return this.#runs.active.some(({ phase }) => phase.at === "stopping" && phase.left.length > 0);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export function buildCoordinator(ports: CoordinatorPorts, config: CellConfig): App {
  return namingStore(new Coordinator(ports, config), ports.store);
}
