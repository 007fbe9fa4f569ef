/**
 * The parts of a driver, wired to each other.
 *
 * The idea: every part gets what it may ask and whom it must tell as functions, so that each can
 * be read alone; the few rules that need several parts stand here. It refuses to hold state of
 * its own beyond "what motion goes on" and "what is the cause of this stop".
 */
import type { DeviceModel } from "#drivers/device-model.js";
import { splitRead } from "#drivers/read-split.js";
import type { Ms } from "#drivers/reading.js";
import { eventConsumers } from "#kernel/config/cell-events.js";
import type { StopAck } from "#kernel/contract/payloads.js";
import { Aftermath } from "./aftermath.js";
import { AxisFrame, frameListeners } from "./axis-frame.js";
import { isUnbounded } from "./command-checks.js";
import { CommandRunner } from "./command-runner.js";
import { DeviceIo } from "./device-io.js";
import type { DriverConfig, DriverPorts } from "./driver-ports.js";
import { Duties } from "./duties.js";
import { Guarding } from "./guarding.js";
import { armMs } from "./hold.machine.js";
import { Holds } from "./holds.js";
import { Jogs } from "./jogs.js";
import { Journal } from "./journal.js";
import { LeaseRunner } from "./lease-runner.js";
import { MotionGuard } from "./motion-guard.js";
import { Outbox } from "./outbox.js";
import { Permits } from "./permits.js";
import { PollLoop } from "./poll-loop.js";
import { deviceStateOf, Publisher } from "./publisher.js";
import { quietPorts } from "./quiet-ports.js";
import { knownStill, Readings, stillAgeMs } from "./readings.js";
import { Requests } from "./requests.js";
import { Responder } from "./responder.js";
import { Session } from "./session.js";
import { StopRunner } from "./stop-runner.js";

/** How often what has changed is looked for, beside the polls. */
const publishMs = 100;
/** How often the end of a stop is looked for at an orderly end. */
const settleMs = 20;

export class DriverParts {
  readonly aftermath = new Aftermath();
  readonly frame: AxisFrame;
  readonly io: DeviceIo;
  readonly readings: Readings;
  readonly journal: Journal;
  readonly outbox: Outbox;
  readonly responder: Responder;
  readonly stops: StopRunner;
  readonly leases: LeaseRunner;
  readonly commands: CommandRunner;
  readonly requests: Requests;
  readonly permits: Permits;
  readonly holds: Holds;
  readonly guard: MotionGuard;
  readonly guarding: Guarding;
  readonly session: Session;
  readonly poll: PollLoop;
  readonly publisher: Publisher;
  readonly duties: Duties;
  readonly #ports: DriverPorts;
  readonly #model: DeviceModel;
  readonly #publishAck: (ack: StopAck) => void;
  #motion = "none";
  #publishAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    ports: DriverPorts,
    config: DriverConfig,
    model: DeviceModel,
    publishAck: (ack: StopAck) => void,
  ) {
    this.#ports = quietPorts(ports, this.aftermath);
    this.#model = model;
    this.#publishAck = publishAck;
    const { log, newId, boot, main: link } = this.#ports;
    const { cell, device } = config;
    this.journal = new Journal(this.#ports.store);
    const { journal } = this;
    const sender = { source: boot.service, device: device.id, consumers: eventConsumers(cell) };
    this.outbox = new Outbox({ link, store: this.#ports.store, log, newId, ...sender });
    this.frame = new AxisFrame(model, frameListeners({ model, journal, outbox: this.outbox, log }));
    this.readings = new Readings(model, performance.now(), this.frame);
    this.io = new DeviceIo(ports.field, model, {
      onValues: (values, sentAtMs) => {
        this.readings.take(values, sentAtMs);
        this.stops.onReadings();
      },
      onOvertaken: () => this.stops.overtaken(),
      quiet: () => this.aftermath.over(),
      split: (request) => splitRead(device.profile, request),
    });
    this.responder = new Responder(link, log, boot);
    this.guarding = new Guarding(ports.field, model, log);
    this.stops = this.#makeStops();
    this.leases = this.#makeLeases(device.leaseMs);
    this.commands = this.#makeCommands();
    const { responder, stops, leases, commands } = this;
    this.holds = this.#makeHolds(device.id);
    const { holds } = this;
    this.requests = new Requests({ responder, stops, leases, commands, holds });
    this.permits = new Permits({
      ...{ cell, boot, device: device.id, link: ports.stop },
      view: () => this.readings.shown,
      pollMs: device.pollFastMs,
      beforeSeen: () => this.guard.watchPermits(performance.now()),
    });
    this.guard = this.#makeGuard();
    this.session = this.#makeSession(config);
    this.duties = this.#makeDuties();
    this.poll = this.#makePoll();
    this.publisher = this.#makePublisher(config);
    this.#watchPorts();
  }

  /** What the store remembers; before the first poll. */
  async restore(): Promise<void> {
    const { epoch, latches, resets, inbox, numbered, frame } = await this.journal.load();
    this.frame.restore(frame);
    this.leases.restore(epoch);
    this.stops.restore(latches, resets);
    this.outbox.restore(numbered);
    this.commands.restore(inbox);
  }

  /** Something runs whose deadlines are short. */
  get busy(): boolean {
    return (
      this.leases.state.at !== "none" || this.stops.active || this.commands.running !== undefined
    );
  }

  /**
   * False only when a fresh reading says that it stands still, nothing of ours runs, and nothing is
   * left in the device that could go on when what held it lets go.
   */
  get mayMove(): boolean {
    if (!this.stops.movable) return false;
    const ours = this.commands.triggered || this.#goesOn || this.#motion === "unfinished";
    return ours || !this.#still(performance.now());
  }

  readonly #deviceState = () => deviceStateOf(this.readings.view, this.session.statusSeen);

  get #goesOn(): boolean {
    return isUnbounded(this.#motion);
  }

  #still(nowMs: Ms): boolean {
    if (!this.stops.movable) return true;
    return knownStill(this.readings.view, nowMs, stillAgeMs(this.poll.periodMs));
  }

  /** For the guardian. A stop is over when it is confirmed: until then the guardian finishes it. */
  #stands(nowMs: Ms): boolean {
    return this.#still(nowMs) && !this.mayMove && !this.stops.active;
  }

  /** Every deadline, compared with the clock. */
  tick(nowMs: Ms): void {
    this.holds.tick();
    this.leases.apply({ kind: "tick" });
    this.stops.tick();
    this.guard.watchPermits(nowMs);
    this.permits.say(nowMs);
    this.duties.tick(nowMs);
    const still = this.#stands(nowMs);
    this.guarding.tick(nowMs, { still, connectedDevice: this.session.statusSeen });
    if (nowMs - this.#publishAtMs < publishMs) return;
    this.#publishAtMs = nowMs;
    if (still) this.frame.keep();
    this.publisher.soon();
  }

  /** state/stop was read: what it names and was not reset here is latched here, too. */
  adopt(ids: readonly string[]): void {
    this.stops.adopt(ids, this.session.statusSeen && this.mayMove);
  }

  /** Orderly end: nothing new, the axis stopped and seen standing, or the time is up. */
  async standStill(untilMs: Ms): Promise<void> {
    this.commands.refuseAll("the driver is shutting down");
    this.leases.apply({ kind: "shutdown" });
    if (this.session.statusSeen && this.mayMove) this.stops.own("shutdown");
    while (this.stops.active && !this.stops.owed && performance.now() < untilMs) {
      await new Promise((resolve) => setTimeout(resolve, settleMs));
    }
    const still = this.#stands(performance.now());
    this.guarding.last({ still, connectedDevice: this.session.statusSeen });
  }

  #makeStops(): StopRunner {
    const { log, newId, boot } = this.#ports;
    const { io, readings, journal, outbox, aftermath } = this;
    return new StopRunner({
      ...{ io, readings, journal, outbox, aftermath, log, newId },
      model: this.#model,
      bootId: boot.bootId,
      pollPeriodMs: () => this.poll.periodMs,
      // Whatever an earlier start has triggered may begin late.
      mayMove: () => this.mayMove || this.commands.motionInDoubt,
      stands: () => this.#still(performance.now()),
      begun: () => this.commands.running !== undefined,
      publishAck: this.#publishAck,
      onOrder: (reason) => {
        this.frame.unsettled("stop");
        this.guard.interrupt(reason);
        this.aftermath.later(() => this.poll.poke());
      },
      endLease: (reason) => this.leases.apply({ kind: "stop", reason }),
      onStandstill: (position) => {
        this.#motion = "none";
        this.commands.standstill(position);
      },
      onLost: (text) => this.commands.lost(text),
      onAnswered: () => this.poll.urge(),
      onChange: () => this.publisher.soon(),
    });
  }

  #makeLeases(leaseMs: Ms): LeaseRunner {
    const { journal, outbox } = this;
    return new LeaseRunner({
      ...{ journal, outbox, leaseMs, log: this.#ports.log },
      facts: (nowMs, leaseMs) => ({
        nowMs,
        leaseMs,
        armMs,
        latched: this.stops.latched,
        stopping: this.stops.active,
        ready: this.session.readInFull && this.guarding.guarded,
        mayMove: this.mayMove,
      }),
      answer: (answer) => this.requests.answer(answer),
      stopAxis: (reason) => this.stops.own(reason),
      onNotReady: () => this.poll.urge(),
      onGranted: () => {
        this.poll.poke();
        this.publisher.soon();
      },
      onEnded: (reason, epoch) => {
        this.guard.interrupt(`the end of the lease (${reason})`);
        // Where nothing can move no standstill would end the wait; a stop has its own word first.
        if (!this.stops.movable) queueMicrotask(() => this.commands.lost("it was not read back"));
        this.holds.leaseEnded(epoch, reason);
        this.publisher.soon();
      },
    });
  }

  #makeCommands(): CommandRunner {
    const { io, readings, journal, outbox, responder, frame } = this;
    const { breaker, log } = this.#ports;
    const model = this.#model;
    const watchdog = () => this.duties.watchdog;
    return new CommandRunner({
      ...{ io, readings, journal, outbox, responder, breaker, log, frame, model },
      jogs: new Jogs({ model, readings, frame, watchdog }),
      surroundings: () => ({
        lease: this.leases.state,
        latched: this.stops.latched,
        stopping: this.stops.active,
        device: this.#deviceState(),
        readInFull: this.session.readInFull,
        identity: this.session.identity,
        interlock: this.guard.interlock(performance.now()),
        breaker: breaker.state,
        ...this.duties.facts,
        statusAtMs: this.readings.statusAtMs,
        pollPeriodMs: this.poll.periodMs,
      }),
      interlock: (bypass) => this.permits.forbids(performance.now(), bypass),
      generation: () => this.stops.generation,
      forbidden: (verb, holder, epoch) => this.guard.forbidden(verb, holder, epoch),
      fresh: () => this.poll.fresh(this.readings),
      onMotion: (verb, started) => {
        this.#motion = verb;
        this.duties.motion(verb, started);
        this.poll.poke();
      },
      onChange: () => this.publisher.soon(),
      onJogOver: (command, why) => this.holds.motionOver(command, why),
    });
  }

  #makeHolds(device: string): Holds {
    const { stop, boot, newId, log } = this.#ports;
    return new Holds({
      ...{ device, stop, boot, newId, log, leases: this.leases },
      submit: (command) => this.commands.submit("jog", command),
      because: (why, work) => this.guard.because(why, work),
    });
  }

  #makeGuard(): MotionGuard {
    const { stops, leases, commands, readings, permits } = this;
    return new MotionGuard({
      ...{ stops, leases, commands, readings, permits, log: this.#ports.log },
      model: this.#model,
      pollPeriodMs: () => this.poll.periodMs,
      goesOn: () => this.#goesOn,
      unfinished: () => this.#motion === "unfinished",
      bypass: () => this.holds.bypass,
    });
  }

  #makeDuties(): Duties {
    return new Duties({
      ...{ io: this.io, readings: this.readings, log: this.#ports.log, model: this.#model },
      mayWrite: () => this.session.recognised && !this.stops.active,
      stopAxis: (reason) => this.stops.own(reason),
      onChange: () => this.publisher.soon(),
    });
  }

  #makeSession({ cell, device }: DriverConfig): Session {
    const { field, breaker, log } = this.#ports;
    const { readings, stops, leases, commands, outbox, frame } = this;
    return new Session({
      ...{ device, field, breaker, log, readings, stops, leases, commands, outbox, frame },
      model: this.#model,
      pollPeriodMs: () => this.poll.periodMs,
      motionGoesOn: () => this.#goesOn,
      permits: cell.interlocks.some(({ evaluator }) => evaluator === device.id),
      because: (why, work) => this.guard.because(why, work),
    });
  }

  #makePoll(): PollLoop {
    const { io, readings, session } = this;
    return new PollLoop({
      ...{ io, readings, breaker: this.#ports.breaker },
      periodMs: () => session.periodMs,
      insist: () => this.stops.owed,
      plan: (done) => session.plan(done),
      onOutcome: (plan, outcome, before) => {
        session.onOutcome(plan, outcome, before);
        if (plan.name === "full" && outcome.ok) this.duties.onFullRead();
        this.guard.watchTravel();
        this.permits.say(performance.now());
        this.publisher.soon();
      },
    });
  }

  #makePublisher({ cell, device }: DriverConfig): Publisher {
    const { main: link, boot } = this.#ports;
    return new Publisher({
      ...{ link, boot, cell, device, aftermath: this.aftermath },
      model: this.#model,
      axis: () => ({
        view: this.readings.shown,
        quality: this.readings.quality,
        state: this.#deviceState(),
        command: this.commands.running,
        lease: this.leases.held,
        latched: this.stops.latches,
        stop: this.stops.last,
        watchdog: this.duties.watchdog.state,
      }),
      deviceState: () => this.session.snapshot(),
    });
  }

  #watchPorts(): void {
    const { field, breaker } = this.#ports;
    field.onChange((connected) => {
      this.guarding.linkChanged();
      const nothingSeen = { still: false, connectedDevice: false };
      if (connected) this.guarding.tick(performance.now(), nothingSeen);
      else this.session.linkLost();
      this.poll.poke();
      this.publisher.soon();
    });
    breaker.onChange((state) => {
      if (state === "open") this.session.breakerOpened();
      this.outbox.emit("device", `breaker.${state === "open" ? "opened" : state}`, {});
      this.poll.poke();
      this.publisher.soon();
    });
  }
}
