/**
 * The registry of error codes: what happened, whether to try again, what the operator does.
 *
 * The idea: the string code is the contract; the text is for the person who reads it. Every code
 * of the product stands here once, `docs/ERRORS.md` is proved against it, and retired codes are
 * never used again. It refuses codes that are not registered.
 */
import type { Detail } from "#drivers/reading.js";

export interface ErrorSpec {
  /** HTTP status where it reaches a caller. */
  readonly http: number;
  readonly retry: "yes" | "no" | "never-automatic";
  /** What it means, one sentence. */
  readonly meaning: string;
  /** What the operator does. */
  readonly action: string;
}

function e(http: number, retry: ErrorSpec["retry"], meaning: string, action: string): ErrorSpec {
  return { http, retry, meaning, action };
}

export const errors = {
  VALIDATION_FAILED: e(
    400,
    "no",
    "The request or file does not fit its schema.",
    "Correct the value that the message names.",
  ),
  NOT_FOUND: e(404, "no", "There is no such thing.", "Check the name in the message."),
  FORBIDDEN: e(403, "no", "The caller may not do this.", "Ask someone with the right role."),
  STATE_CONFLICT: e(
    409,
    "no",
    "The command is not allowed in the present state.",
    "Look at the allowed commands of the cell or the state of the axis.",
  ),
  DUPLICATE_ID: e(
    409,
    "no",
    "The id was used before with another body.",
    "Send the request with a new id.",
  ),
  EXPIRED: e(
    409,
    "no",
    "The command came too late or names an ended epoch; it was not executed.",
    "Give the command again if it is still wanted.",
  ),
  CANCELLED: e(409, "no", "The command was cancelled before it ended.", "Nothing."),
  SUPERSEDED: e(
    409,
    "no",
    "A stop or another command won; nothing was sent.",
    "See which stop or command it was, then decide.",
  ),
  LEASE_REQUIRED: e(
    403,
    "no",
    "A motion command needs a live lease of the axis.",
    "Start it as a run; the coordinator holds the leases.",
  ),
  LEASE_HELD: e(
    423,
    "yes",
    "Another holder has the lease of the axis.",
    "Wait until its run has ended.",
  ),
  LEASE_LOST: e(
    409,
    "no",
    "The lease ended while the command ran; the axis was stopped.",
    "See the reason in the event lease.ended.",
  ),
  LATCHED: e(
    409,
    "no",
    "A stop is latched; nothing moves until a reset names it.",
    "Find out why it was stopped, then reset.",
  ),
  INTERLOCKED: e(
    409,
    "no",
    "An interlock forbids the move: its condition is false or its permit is too old.",
    "Bring about the condition that the message names.",
  ),
  BUSY: e(409, "yes", "The axis is executing another command.", "Wait for its end."),
  NOT_SUPPORTED: e(
    422,
    "no",
    "The profile of the device does not have this operation.",
    "Use an operation that the device lists, or another profile.",
  ),
  NOT_READY: e(
    409,
    "yes",
    "The driver has not read the device in full since it started or lost it.",
    "Wait; if it stays, look at the device's link and breaker.",
  ),
  NOT_HOMED: e(409, "no", "The axis has no position reference.", "Home the axis first."),
  NOT_ENABLED: e(409, "no", "The drive is not enabled.", "Enable the axis first."),
  DEVICE_LOCAL: e(
    409,
    "no",
    "The drive is under local control and ignores the fieldbus.",
    "Switch the drive to remote control at its panel.",
  ),
  LIMIT_EXCEEDED: e(
    422,
    "no",
    "The target, velocity or force lies outside the limits of the axis.",
    "Choose a value inside the limits that the message gives.",
  ),
  IDENTITY_MISMATCH: e(
    409,
    "no",
    "The device does not answer as its profile says it must; motion is refused.",
    "Check wiring, unit id and the profile of the device.",
  ),
  NOT_COMMISSIONED: e(
    409,
    "no",
    "A parameter of the drive is not as its profile needs it; motion is refused.",
    "Set the parameter that the message names, or correct the profile.",
  ),
  NO_WATCHDOG: e(
    422,
    "no",
    "Velocity and jog need a verified drive watchdog (jog: or a leash), or an accepted reason.",
    "Set the watchdog, or give acceptNoWatchdog with a reason in the cell file.",
  ),
  DEVICE_EXCEPTION: e(
    502,
    "no",
    "The device refused a request with a Modbus exception.",
    "Look the exception up in the manual of the device; the message has its number.",
  ),
  DRIVE_FAULT: e(
    502,
    "no",
    "The drive reports a fault.",
    "Remove its cause, then reset the fault.",
  ),
  BREAKER_OPEN: e(
    503,
    "yes",
    "The device failed repeatedly and is being left alone; nothing was sent.",
    "Look at the device: power, cable, address. It is probed by itself.",
  ),
  EXCLUDED: e(
    409,
    "no",
    "The device has been taken out of use by a person.",
    "Include it again once it is fit for use.",
  ),
  DEVICE_UNREACHABLE: e(
    504,
    "yes",
    "No reply, and the request was not on the wire.",
    "Check the bus and the device's link.",
  ),
  OUTCOME_UNKNOWN: e(
    504,
    "never-automatic",
    "The request left and its reply was lost: it may have taken effect.",
    "Look at the axis itself before anything else.",
  ),
  NOT_ACCEPTED: e(
    502,
    "never-automatic",
    "The drive did not accept the trigger in time.",
    "Look at the drive's state and fault code.",
  ),
  NOT_DONE_IN_TIME: e(
    502,
    "never-automatic",
    "The operation did not end in its time.",
    "Look for what holds the axis; see its following error.",
  ),
  STOPPED_SHORT: e(
    409,
    "no",
    "The move was stopped before its target; both positions are given.",
    "Decide where the axis has to go now.",
  ),
  NO_PART: e(409, "no", "The gripper closed on nothing.", "Check whether a part is there."),
  OBSTRUCTED: e(
    409,
    "no",
    "The gripper met something on a free move.",
    "Remove what is in the way.",
  ),
  READ_BACK_DIFFERS: e(
    502,
    "no",
    "A value read back from the device differs from what was written.",
    "Check limits and parameters of the drive.",
  ),
  OFFLINE: e(503, "yes", "There is no connection to the broker.", "Check the broker."),
  SERVICE_OFFLINE: e(
    503,
    "yes",
    "A service that the request needs is not running; nothing was sent.",
    "Wait for its restart; if it stays away, see its log.",
  ),
  NOT_DELIVERED: e(
    504,
    "never-automatic",
    "A stop was not confirmed by a driver: not delivered, use the hardware stop.",
    "Use the hardware stop of the machine.",
  ),
  STORE_FULL: e(507, "yes", "The disk is full; nothing new is started.", "Free disk space."),
  STORE_FAILED: e(
    500,
    "no",
    "The database of the service failed.",
    "Look at the disk and at the log of the service, which ends and starts anew where it has to.",
  ),
  STORE_DAMAGED: e(
    500,
    "no",
    "The database of the service holds what cannot be read: the disk or somebody has spoiled it.",
    "Put the file back from a backup, or move it and its -wal away: what it knew is lost then.",
  ),
  STORE_FENCED: e(
    409,
    "no",
    "Another start of the service has taken over its database.",
    "See which instance runs; this one has written nothing and ends.",
  ),
  STORE_LOCKED: e(
    409,
    "yes",
    "Another instance of this service is running.",
    "End the other instance, whose process the message names.",
  ),
  PORT_IN_USE: e(
    409,
    "no",
    "The address is used by another program.",
    "End that program or choose another port.",
  ),
  INTERNAL: e(500, "no", "A broken assumption in Servocell.", "Report it with the log."),
} as const satisfies { readonly [code: string]: ErrorSpec };

export type ErrorCode = keyof typeof errors;

/** An expected failure: a registered code, a sentence, and facts. Recognise it by `code`. */
export class ServocellError extends Error {
  readonly code: ErrorCode;
  readonly detail: Detail;
  constructor(code: ErrorCode, message: string, detail: Detail = {}, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.name = "ServocellError";
    this.code = code;
    this.detail = detail;
  }
}

/** The code of any thrown thing; INTERNAL when it is not ours. */
export function codeOf(thrown: unknown): ErrorCode {
  return thrown instanceof ServocellError ? thrown.code : "INTERNAL";
}

/** The sentence of any thrown thing, never a stack. */
export function textOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
