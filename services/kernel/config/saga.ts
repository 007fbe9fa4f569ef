/**
 * The shape of a validated saga: a tree of steps, laid out flat, in plain data.
 *
 * The idea: every step of the tree, containers as well, stands once in `steps` in the order of the
 * file; a container names its children by their index. So a record, a journal row and a line on
 * the page all mean the same step by the same number. Durations in ms, other numbers in the
 * user unit of their place. It refuses behaviour: the coordinator's machine runs it.
 */
import type { Ms } from "#drivers/reading.js";
import type { Value, Written } from "./expression.js";

/** Modes of a cell [PackML]. */
export const cellModes = ["Production", "Maintenance", "Manual"] as const;
export type CellMode = (typeof cellModes)[number];

/** An argument: a number that is known, or one that is worked out when the step begins. */
export type Argument = number | Written;

/** One request of a saga for an operation. Args in the device's user units. */
export interface SagaOperation {
  readonly device: string;
  readonly verb: string;
  readonly args: { readonly [name: string]: number };
  /** Arguments that are worked out when the step begins; their limits are checked then. */
  readonly worked?: { readonly [name: string]: WorkedArgument };
}
export interface WorkedArgument {
  readonly value: Written;
  readonly min?: number;
  readonly max?: number;
}

/**
 * How a step is made safe: operations towards a named safe state, or `still` (the axis was
 * stopped and is seen standing still; nothing else is commanded), or `none` (nothing of it can
 * be held or moving). Arguments of makeSafe are always plain numbers.
 */
export type MakeSafe =
  | { readonly kind: "operations"; readonly operations: readonly SagaOperation[] }
  | { readonly kind: "still" }
  | { readonly kind: "none" };

/** Indices into `SagaDefinition.steps`, in the order in which they are run. */
export type Block = readonly number[];

export type SagaAction =
  | { readonly kind: "operation"; readonly operation: SagaOperation }
  | { readonly kind: "dwell"; readonly forMs: Ms | Written }
  | { readonly kind: "waitFor"; readonly condition: Written }
  /** Waits for an event of the cell; `where` reads its fields as `event.name`. */
  | { readonly kind: "waitForEvent"; readonly event: EventFilter }
  /** Waits until someone sends this signal to the run. */
  | { readonly kind: "signal"; readonly signal: string }
  /** Asks a person; the answer is kept in the variable `as`, where one is named. */
  | {
      readonly kind: "ask";
      readonly text: string;
      readonly choices: readonly string[];
      readonly as?: string;
    }
  | { readonly kind: "set"; readonly variables: readonly SetVariable[] }
  /**
   * `first`: when one branch has ended, the others are stopped (their axes are stopped and seen
   * still, and their steps end as `skipped`); they count for makeSafe like any other step.
   */
  | {
      readonly kind: "parallel";
      readonly until: "all" | "first";
      readonly branches: readonly Block[];
    }
  | {
      readonly kind: "choose";
      readonly cases: readonly { readonly when: Written; readonly block: Block }[];
      readonly otherwise: Block;
    }
  /** Runs the block while `whilst` holds and at most `times` times; never more than `turnsMax`. */
  | {
      readonly kind: "repeat";
      readonly times?: number | Written;
      readonly whilst?: Written;
      readonly turnsMax: number;
      readonly block: Block;
    }
  /** Another saga, its steps laid out here; inputs and variables are its own. */
  | {
      readonly kind: "call";
      readonly saga: string;
      readonly inputs: { readonly [name: string]: Value | Written };
      readonly block: Block;
    };
export type SagaActionKind = SagaAction["kind"];

export interface SetVariable {
  readonly name: string;
  readonly value: Written;
}

/** Events of the cell that are meant, by topic and by fields of their data. */
export interface EventFilter {
  /** axis, device, run, cell. */
  readonly kind: string;
  /** Absent: of anything of this kind. */
  readonly id?: string;
  readonly type: string;
  readonly where?: Written;
}

export interface Retry {
  /** Attempts in all, the first one included: 2 to 10. */
  readonly attempts: number;
  readonly backoffMs: Ms;
  /** The pause grows by this factor, 1 to 10. */
  readonly factor: number;
}

export interface SagaStepDefinition {
  /** Unique in the saga; steps of a called saga carry its call's name and a `/` in front. */
  readonly name: string;
  /** For people. */
  readonly text: string;
  readonly timeoutMs: Ms;
  readonly action: SagaAction;
  readonly makeSafe: MakeSafe;
  /** Only where the profile's repeat rule lets the operation be given again. */
  readonly retry?: Retry;
  /** Run instead when this step was refused before anything moved; never after an unknown. */
  readonly orElse?: Block;
  /** Greatest age of the readings that the step acts on. @default readingsAgeMsMax */
  readonly readingsAgeMsMax?: Ms;
  /** The container that it stands in; absent: the saga itself. */
  readonly parent?: number;
}

/** Readings older than this are not acted on, unless the step says otherwise. */
export const readingsAgeMsMax: Ms = 1000;

export interface InputSpec {
  readonly kind: "number" | "boolean" | "text";
  /** Of a number: its base unit; absent: a plain number. */
  readonly unit?: string;
  readonly min?: number;
  readonly max?: number;
  /** Of a text: what it may be. */
  readonly choices?: readonly string[];
  /** Absent: it has to be given. */
  readonly default?: Value;
  readonly text?: string;
}

export interface SagaDefinition {
  readonly name: string;
  readonly title: string;
  /** Hash of its content: another text is another version. */
  readonly version: string;
  readonly file: string;
  /** Devices leased, all or none, sorted. */
  readonly uses: readonly string[];
  /**
   * Those of `uses` that the saga can do without, because every step that commands them has a
   * backup plan or is one: their lease may be missing.
   */
  readonly spare?: readonly string[];
  /** A saga to run first when an axis of `uses` is not homed or not enabled. */
  readonly prepare?: string;
  readonly onRestart: "makeSafe" | "resume";
  /** The mode of the cell in which it may be started. @default "Production" */
  readonly mode?: CellMode;
  /** Higher goes first among runs that wait for devices; 0 to 9. @default 5 */
  readonly priority?: number;
  readonly inputs?: { readonly [name: string]: InputSpec };
  /** The steps that are run in turn; absent: all of `steps`. */
  readonly body?: Block;
  /**
   * Names of steps whose makeSafe is run first, in this order, before the others follow in reverse
   * order of their intents: hold the load before releasing a brake.
   */
  readonly safeFirst?: readonly string[];
  readonly steps: readonly SagaStepDefinition[];
}

/** What starts a saga by itself, from an event: at most once per event id. */
export interface RuleConfig {
  readonly name: string;
  readonly on: EventFilter;
  readonly saga: string;
  /** Inputs of the saga: values, or expressions over `event.…`. */
  readonly inputs: { readonly [name: string]: Value | Written };
  /** Events closer together than this count as one. */
  readonly debounceMs?: Ms;
  /** At most so many starts within the time. */
  readonly rate?: { readonly starts: number; readonly withinMs: Ms };
  /** True: the run waits for devices that are taken. @default false */
  readonly wait: boolean;
}

/** Axes that share a place: when one of them fails, all are stopped at once. */
export interface ZoneConfig {
  readonly name: string;
  readonly devices: readonly string[];
}

/** Suspends production while it holds (starved, blocked), and goes on when it holds no more. */
export interface SuspendConfig {
  readonly name: string;
  readonly reason: "starved" | "blocked";
  readonly when: Written;
  /** Goes on only when this holds: a way between full and empty. @default when `when` does not */
  readonly until?: Written;
  /** Has to hold, or not to hold, for this long. @default 300 */
  readonly afterMs?: Ms;
}
