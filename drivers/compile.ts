/**
 * Profile and setup → device model: the door that drivers, simulators and checks go through.
 *
 * The idea: everything is compiled once (reads, frames, programs, meanings), and afterwards only
 * asked. A run of an operation is plain data in the caller's hands. It refuses, by throwing, a
 * setup that `setupProblems` complains about.
 */
import { compileCondition } from "./condition.js";
import { decoderOf } from "./decode-reply.js";
import {
  judgeCommissioning,
  judgeWatchdog,
  refreshDuty,
  watchdogFacts,
  watchdogFeed,
  watchdogFrames,
} from "./device-duties.js";
import type {
  AlarmFacts,
  Begun,
  DeviceModel,
  DeviceSetup,
  OperationInput,
  OperationState,
  OperationStep,
  PointTable,
  StopClass,
  StopFacts,
  Verb,
} from "./device-model.js";
import { verbs as allVerbs, stopClasses } from "./device-model.js";
import { compileMeaning, type Meaning } from "./device-view.js";
import type { PointCodec } from "./frame.js";
import { codecOf } from "./frame.js";
import { starts } from "./no-stop.js";
import { continues, operationOf, verbsOf, whyNot } from "./offered-verbs.js";
import { nextOperation } from "./operation.machine.js";
import { prepare } from "./operation-begin.js";
import type { OperationSpec, PointType, Profile, StopSpec } from "./profile.js";
import type { Instruction, Program, Run } from "./program.js";
import type { CompileContext } from "./program-compile.js";
import { compileSteps, constantFrames, requestsFor } from "./program-compile.js";
import { divide, rational, toNumber } from "./rational.js";
import { planReads, pollGroup } from "./read-plan.js";
import type { Ms } from "./reading.js";
import { namesOf, scalingOf, setupProblems } from "./scaling.js";

export { setupProblems } from "./scaling.js";

/**
 * Compiled once for each setup that cannot change any more: drivers, the plan of their bus and
 * checks ask for the same one. @throws RangeError when the setup does not fit the profile; ask
 * `setupProblems` before.
 */
export function compileDevice(profile: Profile, setup: DeviceSetup): DeviceModel {
  const known = compiled.get(setup);
  if (known?.profile === profile) return known.model;
  const model = Object.freeze(compile(profile, setup));
  if (Object.isFrozen(profile) && Object.isFrozen(setup)) compiled.set(setup, { profile, model });
  return model;
}

const compiled = new WeakMap<
  DeviceSetup,
  { readonly profile: Profile; readonly model: DeviceModel }
>();

function compile(profile: Profile, setup: DeviceSetup): DeviceModel {
  const problems = setupProblems(profile, setup);
  if (problems.length > 0) throw new RangeError(`${setup.device}: ${problems.join("; ")}`);
  const context = contextOf(profile, setup);
  const meaning = compileMeaning(context);
  const programs = compilePrograms(context, setup);
  const watchdog = watchdogFacts(profile, setup);
  const verbs = verbsOf(profile, setup, watchdog);
  const codecs = codecsOf(context);
  const plan = (group: "fast" | "slow" | "full") => {
    return planReads(profile, pollGroup(profile, group), setup.wire);
  };
  return {
    profileId: profile.id,
    kind: profile.kind,
    setup,
    verbs,
    movers: moversOf(profile, verbs),
    ownJog: profile.operations.jog !== undefined && verbs.has("jog"),
    stops: stopFacts(context),
    watchdog,
    judgeWatchdog: (points) => judgeWatchdog(profile, watchdog, points),
    watchdogFrames: (points) => {
      const wanted = setup.watchdog;
      return wanted === undefined ? [] : watchdogFrames(context, wanted.setMs, points);
    },
    ...watchdogFeed(context),
    commissioned: (points) => judgeCommissioning(profile, points),
    refresh: (verb, args) => refreshDuty(context, verb, args),
    ...counterOf(context),
    whyNot: (verb) => {
      const known = allVerbs.find((one) => one === verb);
      return known === undefined ? undefined : whyNot(profile, setup, known);
    },
    alarm: (code) => alarmOf(profile, code),
    pollFast: plan("fast"),
    pollSlow: plan("slow"),
    pollFull: plan("full"),
    decode: decoderOf(profile, codecs),
    view: meaning.view,
    identityMatches: meaning.identityMatches,
    rebooted: meaning.rebooted,
    rebootPoints: meaning.rebootPoints,
    begin: (request) => {
      const operation = verbs.has(request.verb) ? operationOf(profile, request.verb) : undefined;
      if (operation === undefined) return unsupported(profile, setup, request.verb);
      const view = meaning.view(request.points);
      const prepared = prepare(operation, request, { ...context, setup, view });
      if (!prepared.ok) return prepared;
      return begin(programs, `operation.${request.verb}`, request.nowMs, prepared);
    },
    ...retargetOf(programs, { ...context, setup, meaning }),
    beginStop: (stopClass, nowMs, points) => {
      const known = points === undefined ? false : provesKnown(context, stopClass, points);
      const key = known ? `stop.${stopClass}.known` : `stop.${stopClass}`;
      if (!programs.has(key)) return undefined;
      const begun = begin(programs, key, nowMs, { args: {}, travelMs: 0 });
      return begun.ok ? begun.state : undefined;
    },
    next: (state, input) => next(programs, state, input),
  };
}

/** Only beside the move that it continues, and where that may be asked for. */
function retargetOf(
  programs: ReadonlyMap<string, Program>,
  context: CompileContext & { readonly setup: DeviceSetup; readonly meaning: Meaning },
): Pick<DeviceModel, "beginRetarget"> {
  const { profile, setup, meaning } = context;
  const { retarget } = profile;
  if (retarget === undefined || !continues(profile, setup)) return {};
  return {
    beginRetarget: ({ position, nowMs, points }) => {
      const request = { verb: "jog", args: { position }, nowMs, points } as const;
      const prepared = prepare(retarget, request, { ...context, view: meaning.view(points) });
      return prepared.ok ? begin(programs, "retarget", nowMs, prepared) : prepared;
    },
  };
}

function contextOf(profile: Profile, setup: DeviceSetup): CompileContext {
  const names = namesOf(profile, setup);
  const line = setup.wire === undefined ? {} : { wire: setup.wire };
  const bare = { profile, names, always: [], ...line };
  const { fault } = profile.status.flags;
  const told = fault === undefined ? [] : compileCondition(fault.when, bare).points;
  return { ...bare, always: [profile.status.state.point, ...told] };
}

function moversOf(profile: Profile, verbs: ReadonlySet<Verb>): ReadonlySet<Verb> {
  return new Set(
    [...verbs].filter((verb) => {
      const operation = operationOf(profile, verb);
      return operation !== undefined && starts(operation);
    }),
  );
}

function unsupported(profile: Profile, setup: DeviceSetup, verb: Verb): Begun {
  const text = `${setup.device}: ${verb} is not supported: ${whyNot(profile, setup, verb)}`;
  return { ok: false, verdict: { verdict: "refused", code: "NOT_SUPPORTED", text } };
}

/** Bits of the registers that count and wrap. */
const counterBits: { readonly [T in PointType]?: number } = { u16: 16, i16: 16, u32: 32, i32: 32 };

function counterOf({ profile, names }: CompileContext): Pick<DeviceModel, "counter"> {
  const { position, counter } = profile.status;
  const point = position === undefined ? undefined : profile.points[position];
  const bits =
    point === undefined || point.mask !== undefined ? undefined : counterBits[point.type];
  const scaling = point === undefined ? undefined : scalingOf(point, names);
  if (bits === undefined || scaling === undefined) return {};
  const turns = divide(rational(1n << BigInt(bits)), scaling.scale);
  const span = Math.abs(toNumber(turns));
  return { counter: { span, targetsWrap: counter?.targetsWrap ?? false } };
}

function alarmOf({ alarms }: Profile, code: number): AlarmFacts | undefined {
  const alarm = Object.hasOwn(alarms, code) ? alarms[String(code)] : undefined;
  if (alarm === undefined) return undefined;
  return { title: alarm.title, positionLost: alarm.positionLost ?? false };
}

function blindOf(stop: StopSpec, context: CompileContext): readonly Uint8Array[] {
  return stop.blind.flatMap((one) => constantFrames(one, context));
}

function stopFacts(context: CompileContext): DeviceModel["stops"] {
  const facts: { [C in StopClass]?: StopFacts } = {};
  for (const stopClass of stopClasses) {
    const stop = context.profile.stops[stopClass];
    if (stop === undefined) continue;
    const { remainder, keepsTorque } = stop;
    facts[stopClass] = { remainder, keepsTorque, blind: blindOf(stop, context) };
  }
  return facts;
}

/** Whether the readings prove the state in which the class has a better first frame. */
function provesKnown(context: CompileContext, stopClass: StopClass, points: PointTable): boolean {
  const when = context.profile.stops[stopClass]?.whenKnown?.when;
  if (when === undefined) return false;
  const look = (name: string) => {
    const reading = points.get(name);
    return reading?.ok === true ? reading.value : undefined;
  };
  return compileCondition(when, context).ask(look, { args: {}, captures: {} }) === true;
}

function compilePrograms(
  context: CompileContext,
  setup: DeviceSetup,
): ReadonlyMap<string, Program> {
  const { profile } = context;
  const programs = new Map<string, Program>();
  const compiled = (key: string, verb: Verb, operation: OperationSpec | undefined) => {
    if (operation === undefined) return;
    const instructions = withResult(
      compileSteps(operation.steps, context),
      operation.result,
      context,
    );
    programs.set(key, {
      ...programFor(context, setup, instructions),
      verb,
      timeoutMs: operation.timeoutMs,
      toleratesFault: operation.toleratesFault ?? false,
      result: operation.result.map((point) => [resultName(profile, point), point] as const),
    });
  };
  for (const [verb, operation] of Object.entries(profile.operations)) {
    compiled(`operation.${verb}`, verb as Verb, operation);
  }
  compiled("retarget", "jog", profile.retarget);
  for (const stopClass of stopClasses) {
    const stop = profile.stops[stopClass];
    if (stop === undefined) continue;
    const firsts = [
      [`stop.${stopClass}`, blindOf(stop, context)],
      ...(stop.whenKnown === undefined
        ? []
        : [[`stop.${stopClass}.known`, constantFrames(stop.whenKnown, context)] as const]),
    ] as const;
    for (const [key, frames] of firsts) {
      const first = frames.map((pdu): Instruction => {
        return { op: "write", role: "level", frame: () => ({ ok: true, value: pdu }), text: key };
      });
      const { position, velocity } = profile.status;
      const shown = [position, velocity].filter((one) => one !== undefined);
      programs.set(key, {
        ...programFor(
          context,
          setup,
          withResult(compileSteps(stop.steps, context, first), shown, context),
        ),
        verb: stopClass,
        timeoutMs: stop.timeoutMs,
        toleratesFault: true,
        result: shown.map((point) => [resultName(profile, point), point] as const),
      });
    }
  }
  return programs;
}

/** The reads that may end the run bring its result too, so that the result is fresh. */
function withResult(
  instructions: readonly Instruction[],
  result: readonly string[],
  { profile, wire }: CompileContext,
): readonly Instruction[] {
  const last = instructions.findLastIndex((one) => one.op === "wait" || one.op === "reach");
  return instructions.map((one, i) => {
    const ends = one.op === "endIf" || i === last;
    if (!ends || !("requests" in one)) return one;
    const points = one.requests.flatMap((request) => request.points);
    return { ...one, requests: planReads(profile, [...points, ...result], wire) };
  });
}

/** What does not differ between operations and stops. */
function programFor(
  context: CompileContext,
  { device }: DeviceSetup,
  instructions: readonly Instruction[],
): Omit<Program, "verb" | "timeoutMs" | "toleratesFault" | "result"> {
  const { flags, faultCode } = context.profile.status;
  const test = (name: string) => {
    const flag = flags[name];
    return flag === undefined ? undefined : compileCondition(flag.when, context);
  };
  const gripped = test("gripped");
  const factors = instructions.map((one) => (one.op === "wait" ? one.travelFactor : 0));
  return {
    device,
    instructions,
    exceptions: context.profile.transport.exceptions.meanings,
    travelFactor: Math.max(0, ...factors),
    fault: test("fault"),
    faultCode:
      faultCode === undefined
        ? undefined
        : { point: faultCode, requests: requestsFor(context, [faultCode]) },
    resultFlags: gripped === undefined ? [] : [["gripped", gripped]],
  };
}

/** Position and velocity go by their meaning, the rest by their point. */
function resultName({ status }: Profile, point: string): string {
  if (point === status.position) return "position";
  return point === status.velocity ? "velocity" : point;
}

function begin(
  programs: ReadonlyMap<string, Program>,
  key: string,
  nowMs: Ms,
  { args, travelMs }: { args: Run["args"]; travelMs: Ms },
): Begun {
  const program = programs.get(key);
  if (program === undefined) throw new TypeError(`${key} was not compiled`);
  const run: Run = {
    program: key,
    phase: { at: "ready" },
    pc: 0,
    args,
    captures: {},
    deadlineMs: nowMs + program.timeoutMs + program.travelFactor * travelMs,
    travelMs,
    sent: false,
    moved: false,
    wroteAtMs: null,
    accepted: false,
    unsettled: false,
    watch: null,
    values: {},
  };
  return { ok: true, state: { verb: program.verb, triggered: false, inner: run } };
}

function next(
  programs: ReadonlyMap<string, Program>,
  state: OperationState,
  input: OperationInput,
): OperationStep | undefined {
  // Only `begin` makes states, so what is inside is a run.
  const run = state.inner as Run;
  const program = programs.get(run.program);
  if (program === undefined) throw new TypeError(`${run.program} is of another device`);
  const advance = nextOperation(program, run, input);
  if (advance === undefined) return undefined;
  const { phase, moved } = advance.run;
  const triggered = moved || (phase.at === "writing" && phase.role === "trigger");
  return {
    state: { verb: state.verb, triggered, inner: advance.run },
    effects: advance.effects,
  };
}

function codecsOf({ profile, names }: CompileContext): ReadonlyMap<string, PointCodec> {
  const all = Object.keys(profile.points);
  return new Map(all.map((name) => [name, codecOf(profile, names, name)]));
}
