/**
 * Sagas as modules: the same structure as a file, put together by code and checked as it is typed.
 *
 * The idea: `defineSaga` gives back plain data, which is judged like a YAML file; what it adds are
 * types: the names of inputs and of steps are known to the editor and to the compiler. It refuses
 * to run anything in a run: code puts the steps together beforehand, and has no part in motion.
 */
import type { CellMode } from "./saga.js";

/** A number with its unit, or an expression behind `=`: `"120 mm"`, `"= input.depth + 5 mm"`. */
export type Amount = string | number;

export interface InputShape {
  /** @default "number" */
  readonly kind?: "number" | "boolean" | "text";
  readonly unit?: string;
  readonly min?: Amount;
  readonly max?: Amount;
  readonly choices?: readonly string[];
  /** Absent: it has to be given. */
  readonly default?: Amount | boolean;
  readonly text?: string;
}

export interface OperationShape {
  /** `device.operation`, such as `z.moveTo`. */
  readonly do: `${string}.${string}`;
  readonly with?: { readonly [argument: string]: Amount };
}

export type MakeSafeShape = "still" | { readonly none: string } | readonly OperationShape[];

interface Named {
  /** Unique in the saga: small letters, digits and -. */
  readonly name: string;
  /** Greatest age of readings acted on. @default "1 s" */
  readonly maxAge?: Amount;
}
interface Planned {
  /** Run instead where the step was refused before anything moved. */
  readonly orElse?: readonly SagaStepShape[];
}
interface Waiting {
  readonly timeout?: Amount;
  readonly makeSafe?: MakeSafeShape;
}

export type SagaStepShape =
  | (Named &
      Planned &
      OperationShape & {
        /** @default "30 s" */
        readonly timeout?: Amount;
        readonly retry?: {
          readonly attempts: number;
          readonly backoff?: Amount;
          readonly factor?: number;
        };
        readonly makeSafe: MakeSafeShape;
      })
  | (Named & { readonly dwell: Amount; readonly makeSafe?: MakeSafeShape })
  | (Named &
      Waiting & { readonly waitFor: string | { readonly event: string; readonly where?: string } })
  | (Named & Waiting & { readonly signal: string })
  | (Named &
      Waiting & {
        readonly ask: {
          readonly text: string;
          readonly choices: readonly string[];
          readonly as?: string;
        };
      })
  | (Named & { readonly set: { readonly [variable: string]: Amount | boolean } })
  | (Named & {
      readonly parallel: {
        readonly branches: { readonly [branch: string]: readonly SagaStepShape[] };
        /** @default "all" */
        readonly until?: "all" | "first";
      };
    })
  | (Named &
      Planned & {
        readonly choose: readonly {
          readonly when: string;
          readonly steps: readonly SagaStepShape[];
        }[];
        readonly otherwise?: readonly SagaStepShape[];
      })
  | (Named &
      Planned & {
        readonly repeat: {
          readonly times?: Amount;
          readonly while?: string;
          readonly max?: number;
          readonly steps: readonly SagaStepShape[];
        };
      })
  | (Named &
      Planned & {
        readonly call: {
          readonly saga: string;
          readonly with?: { readonly [input: string]: Amount | boolean };
        };
      });

export interface InputShapes {
  readonly [name: string]: InputShape;
}

/** What a module exports as `saga`: plain data, as in a file. */
export interface SagaShape {
  readonly saga: string;
  readonly title?: string;
  readonly inputs?: InputShapes;
  readonly uses?: readonly string[];
  readonly prepare?: string;
  readonly onRestart?: "makeSafe" | "resume";
  readonly mode?: CellMode;
  readonly priority?: number;
  readonly safeFirst?: readonly string[];
  readonly steps: readonly SagaStepShape[];
}

/** The inputs as expressions name them: `input.depth`. */
export type InputNames<I> = { readonly [N in keyof I & string]: `input.${N}` };

/** The names of all steps of a list, those inside others included. */
export type StepNames<S> = S extends readonly (infer Step)[] ? NamesOf<Step> : never;
/** A step whose own name is only known to be a text has no names to look for inside. */
type NamesOf<Step> = Step extends { readonly name: infer N extends string }
  ? string extends N
    ? string
    : N | InnerNames<Step>
  : never;
type InnerNames<Step> =
  | (Step extends { readonly orElse: infer Inner } ? StepNames<Inner> : never)
  | (Step extends { readonly otherwise: infer Inner } ? StepNames<Inner> : never)
  | (Step extends { readonly repeat: { readonly steps: infer Inner } } ? StepNames<Inner> : never)
  | (Step extends { readonly parallel: { readonly branches: infer Branches } }
      ? StepNames<Branches[keyof Branches]>
      : never)
  | (Step extends { readonly choose: readonly (infer Case)[] }
      ? Case extends { readonly steps: infer Inner }
        ? StepNames<Inner>
        : never
      : never);

type Typed<I, S> = Omit<SagaShape, "inputs" | "steps" | "safeFirst"> & {
  readonly inputs?: I;
  /** A list, or what makes it of the names of the inputs. */
  readonly steps: S | ((input: InputNames<I>) => S);
  readonly safeFirst?: readonly NoInfer<StepNames<S>>[];
};

/**
 * Puts a saga together: `export const saga = defineSaga({ … })`. A step named in `safeFirst`, and
 * an input taken from the names that `steps` is given, must exist, or it does not compile.
 */
export function defineSaga<const I extends InputShapes, const S extends readonly SagaStepShape[]>(
  typed: Typed<I, S>,
): SagaShape {
  const { steps, ...head } = typed;
  const names = Object.keys(typed.inputs ?? {}).map((name) => [name, `input.${name}`]);
  const input = Object.fromEntries(names) as InputNames<I>;
  return { ...head, steps: typeof steps === "function" ? steps(input) : steps };
}
