/**
 * The bounds of a run: how often, how long, how many.
 *
 * The idea: every wait, repeat and list of the run machine has its limit here, in one place, with
 * what happens beyond it. It refuses to be configured: a cell file sets what its machine needs
 * (timeouts, retries, turns) within these.
 */
import type { Ms } from "#drivers/reading.js";

/** No `accepted` within this: the same id again [PROTOCOL 11]. */
export const acceptMsMax: Ms = 500;
/** The first time and two repeats [PROTOCOL 11]. */
export const sendsMax = 3;
/** From the stop order to the last word on standstill; then it counts as not stopped. */
export const stoppingMsMax: Ms = 10_000;
/**
 * A run that will wait for a person anyway waits this long for the verdict of its last command,
 * which may come on the other connection a moment after the standstill.
 */
export const lastWordMsMax: Ms = 500;
/** All leases of a run's start, or of what a run has stopped by itself and goes on with. */
export const leasingMsMax: Ms = 5000;
/** Giving leases back; without an answer they end with the next stop or lapse. */
export const releasingMsMax: Ms = 1000;
/** Resetting the latches that a person named by choosing makeSafe. */
export const unlatchingMsMax: Ms = 4000;
/** Pause before a refused lease is asked for again: once soon, then at the probe's pace. */
export const leaseAgainSoonMs: Ms = 20;
export const leaseAgainMs: Ms = 250;
/** A device that a saga can do without is asked this often before the run begins without it. */
export const spareTriesMax = 2;
/** A makeSafe that was refused before anything was sent is tried once more. */
export const safeAttemptsMax = 2;
/** One operation of a makeSafe ends within this, however long its step may wait. */
export const safeMsMax: Ms = 600_000;
/** Readings of an expression; the desk answers at once, so only a fault takes longer. */
export const readingsMsMax: Ms = 1000;
/** A pause before a retry is never longer, whatever its factor makes of it. */
export const backoffMsMax: Ms = 600_000;
/** A worked-out dwell is never longer; more is refused. */
export const dwellMsMax: Ms = 86_400_000;

/** Branches that go on at the same time; a further one fails the run. */
export const threadsMax = 32;
/** Containers inside each other, through all branches; a deeper one fails the run. */
export const framesMax = 64;
/** Steps begun by one run, retries included; a further one fails the run. */
export const stepsEnteredMax = 100_000;
/** Steps taken in one turn of the machine, a few ms; the rest follows with the next tick. */
export const turnStepsMax = 250;
/** Steps that do nothing outside the run are told of so often; their count goes on. */
export const toldTimesMax = 100;
/** Ids of met events that a run remembers, so that a repeat of one is not met again. */
export const metEventsMax = 64;
/** Fields of a met event that expressions may read. */
export const eventFieldsMax = 32;
/** The text of a cause is cut here, however often somebody chooses something. */
export const causeTextMax = 1000;
/** What a source may say again of a time before a wait has begun; the rest is between clocks. */
export const eventSlackMs: Ms = 1000;
