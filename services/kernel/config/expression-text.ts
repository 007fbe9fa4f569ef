/**
 * Expressions as people write them, `input.depth + 5 mm`, into trees over plain numbers.
 *
 * The idea: recursive descent over a handful of rules, each part with what it is (unit, truth
 * value, text), so every mistake of units is found where it stands and before anything runs. The
 * text is bounded in length, depth and parts. It refuses to run anything: it only reads.
 *
 *     or      = and { "or" and }
 *     and     = not { "and" not }
 *     not     = "not" not | compare
 *     compare = sum [ ( < <= > >= == != ) sum ]
 *     sum     = product { ( + - ) product }
 *     product = sign { ( * / ) sign }
 *     sign    = ( - + ) sign | part
 *     part    = number [ unit ] | true | false | 'text' | owner.name | function "(" or {, or} ")"
 *             | "(" or ")"
 *     owner   = input | var | event | a device of the cell
 */
import { suggestion as near } from "#drivers/yaml-schema.js";
import type { FieldLookup } from "./condition.js";
import type { BinaryOp, Expression, FunctionName, Written } from "./expression.js";
import { binaryKind, callKind, type Mismatch, misfit, type ValueKind } from "./expression-kinds.js";
import { type ExpressionProblem, type Token, tokensOf } from "./expression-tokens.js";

/** What the names of an expression are; a sentence says why there is no such name here. */
export interface ExpressionNames {
  /** @default there are no inputs here */
  readonly input?: (name: string) => ValueKind | string;
  /** @default there are no variables here */
  readonly variable?: (name: string) => ValueKind | string;
  /** @default there is no event here */
  readonly event?: (name: string) => ValueKind | string;
  /** @default no device can be read here */
  readonly reading?: FieldLookup;
}

export type ParsedExpression =
  | { readonly ok: true; readonly written: Written; readonly kind: ValueKind }
  | { readonly ok: false; readonly problems: readonly ExpressionProblem[] };

/** Parts within parts; also the greatest depth of the tree's reading. */
export const expressionDepthMax = 16;
export const expressionPartsMax = 100;

/**
 * Reads `text`. With `wanted`, what comes out must be of that kind. Never throws; all mistakes of
 * units and names at once, of the grammar the first.
 */
export function parseExpression(
  text: string,
  names: ExpressionNames,
  wanted?: ValueKind,
): ParsedExpression {
  const read = tokensOf(text);
  if (!read.ok) return { ok: false, problems: [read.problem] };
  const parser = new Parser(read.tokens, names);
  const { expression, kind } = parser.whole();
  const { problems } = parser;
  const odd = wanted === undefined || problems.length > 0 ? undefined : misfit(kind, wanted);
  if (odd !== undefined) return { ok: false, problems: [{ ...odd, at: 0 }] };
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, written: { text: text.trim(), expression }, kind };
}

/** All problems in one line, for places that hold one. */
export function problemsText(problems: readonly ExpressionProblem[]): string {
  return problems.map(({ message }) => message).join("; ");
}

interface Part {
  readonly expression: Expression;
  readonly kind: ValueKind;
}

/** Stands for what could not be read, so that the rest can be judged. */
const hole: Part = { expression: { kind: "literal", value: 0 }, kind: { kind: "unjudged" } };

const functions: readonly FunctionName[] = ["min", "max", "abs", "round"];
const comparisons = new Set(["<", "<=", ">", ">=", "==", "!="]);

class Parser {
  readonly problems: ExpressionProblem[] = [];
  readonly #tokens: readonly Token[];
  readonly #names: ExpressionNames;
  #next = 0;
  #depth = 0;
  #parts = 0;
  /** After a mistake of the grammar nothing more is read. */
  #lost = false;

  constructor(tokens: readonly Token[], names: ExpressionNames) {
    this.#tokens = tokens;
    this.#names = names;
  }

  whole(): Part {
    const part = this.#or();
    const token = this.#peek();
    if (token.kind === "end") return part;
    const chained = token.kind === "sign" && comparisons.has(token.sign);
    const more = chained ? { suggestion: "join two comparisons by and" } : {};
    return this.#lose(token, `${shown(token)} is not expected here`, more);
  }

  #peek(): Token {
    const last = this.#tokens.at(-1) ?? { kind: "end", at: 0 };
    return this.#lost ? last : (this.#tokens[this.#next] ?? last);
  }

  #lose(token: Token, message: string, more: { readonly suggestion?: string } = {}): Part {
    if (!this.#lost) this.problems.push({ message, ...more, at: token.at });
    this.#lost = true;
    return hole;
  }

  #takeSign(signs: readonly string[]): string | undefined {
    const token = this.#peek();
    if (token.kind !== "sign" || !signs.includes(token.sign)) return undefined;
    this.#next += 1;
    return token.sign;
  }

  #takeWord(word: string): boolean {
    const token = this.#peek();
    if (token.kind !== "word" || token.word !== word) return false;
    this.#next += 1;
    return true;
  }

  /** One level deeper; beyond the bound the text is given up. */
  #deeper(read: () => Part): Part {
    if (this.#depth >= expressionDepthMax) {
      const said = `more than ${expressionDepthMax} parts within parts`;
      return this.#lose(this.#peek(), said, { suggestion: "keep a part in a variable" });
    }
    this.#depth += 1;
    const part = read();
    this.#depth -= 1;
    return part;
  }

  /** Counts the parts of the tree. */
  #counted(part: Part): Part {
    this.#parts += 1;
    if (this.#parts <= expressionPartsMax) return part;
    const said = `more than ${expressionPartsMax} parts`;
    return this.#lose(this.#peek(), said, { suggestion: "keep a part in a variable" });
  }

  #or(): Part {
    return this.#deeper(() => {
      let left = this.#and();
      for (let at = this.#peek().at; this.#takeWord("or"); at = this.#peek().at) {
        left = this.#binary("or", left, this.#and(), at);
      }
      return left;
    });
  }

  #and(): Part {
    let left = this.#not();
    for (let at = this.#peek().at; this.#takeWord("and"); at = this.#peek().at) {
      left = this.#binary("and", left, this.#not(), at);
    }
    return left;
  }

  #not(): Part {
    const { at } = this.#peek();
    if (!this.#takeWord("not")) return this.#compare();
    const of = this.#deeper(() => this.#not());
    const truth: ValueKind = { kind: "boolean" };
    this.#judge(misfit(of.kind, truth), at);
    return this.#counted({ expression: { kind: "not", of: of.expression }, kind: truth });
  }

  #compare(): Part {
    const left = this.#sum();
    const { at } = this.#peek();
    const op = this.#takeSign([...comparisons]);
    return op === undefined ? left : this.#binary(op as BinaryOp, left, this.#sum(), at);
  }

  #sum(): Part {
    let left = this.#product();
    for (;;) {
      const { at } = this.#peek();
      const op = this.#takeSign(["+", "-"]);
      if (op === undefined) return left;
      left = this.#binary(op as BinaryOp, left, this.#product(), at);
    }
  }

  #product(): Part {
    let left = this.#sign();
    for (;;) {
      const { at } = this.#peek();
      const op = this.#takeSign(["*", "/"]);
      if (op === undefined) return left;
      left = this.#binary(op as BinaryOp, left, this.#sign(), at);
    }
  }

  #sign(): Part {
    const { at } = this.#peek();
    const sign = this.#takeSign(["-", "+"]);
    if (sign === undefined) return this.#part();
    const of = this.#deeper(() => this.#sign());
    if (of.kind.kind !== "number" && of.kind.kind !== "unjudged") {
      this.#judge({ message: `${sign} takes a number` }, at);
    }
    if (sign === "+") return of;
    const { expression } = of;
    if (expression.kind === "literal" && typeof expression.value === "number") {
      return { expression: { kind: "literal", value: 0 - expression.value }, kind: of.kind };
    }
    return this.#counted({ expression: { kind: "negate", of: expression }, kind: of.kind });
  }

  #part(): Part {
    const token = this.#peek();
    if (token.kind === "end") return this.#lose(token, "the expression ends too early");
    this.#next += 1;
    switch (token.kind) {
      case "number":
        return this.#literal(token.value, { kind: "number", unit: token.unit });
      case "text":
        return this.#literal(token.value, { kind: "text", choices: [token.value] });
      case "name":
        return this.#counted(this.#named(token));
      case "word":
        return this.#word(token);
      case "sign":
        if (token.sign !== "(") return this.#lose(token, `${shown(token)} is not expected here`);
        return this.#closed(this.#or());
      default:
        return token satisfies never;
    }
  }

  #literal(value: number | boolean | string, kind: ValueKind): Part {
    return this.#counted({ expression: { kind: "literal", value }, kind });
  }

  #closed(part: Part): Part {
    if (this.#takeSign([")"]) !== undefined) return part;
    return this.#lose(this.#peek(), "a ) is missing here");
  }

  #word(token: Token & { readonly kind: "word" }): Part {
    const { word } = token;
    if (word === "true" || word === "false") return this.#literal(word === "true", truthKind);
    const name = functions.find((one) => one === word);
    if (name !== undefined) return this.#call(name, token);
    const hint = near(word, ["true", "false", ...functions]);
    const more = `a text is written '${word}', a variable var.${word}`;
    const said = `"${word}" has no meaning here`;
    const close = hint?.startsWith("did you mean") === true;
    return this.#lose(token, said, { suggestion: close && hint !== undefined ? hint : more });
  }

  #call(name: FunctionName, token: Token): Part {
    if (this.#takeSign(["("]) === undefined) {
      return this.#lose(this.#peek(), `${name} needs its numbers in ( )`);
    }
    const of: Part[] = [this.#or()];
    while (this.#takeSign([","]) !== undefined) of.push(this.#or());
    const kind = callKind(
      name,
      of.map((part) => part.kind),
    );
    const known = this.#judge(kind, token.at);
    const parts = of.map((part) => part.expression);
    return this.#counted(
      this.#closed({ expression: { kind: "call", name, of: parts }, kind: known }),
    );
  }

  #binary(op: BinaryOp, left: Part, right: Part, at: number): Part {
    const kind = this.#judge(binaryKind(op, left.kind, right.kind), at);
    if (op === "==" || op === "!=") this.#judge(strangerText(left, right), at);
    const sides = { left: left.expression, right: right.expression };
    return this.#counted({ expression: { kind: "binary", op, ...sides }, kind });
  }

  /** Notes a mismatch; the part then goes with anything. Nothing is noted behind a mistake. */
  #judge(kind: ValueKind | Mismatch | undefined, at: number): ValueKind {
    if (kind === undefined) return hole.kind;
    if ("kind" in kind) return kind;
    if (!this.#lost) this.problems.push({ ...kind, at });
    return hole.kind;
  }

  #named({ owner, field, at }: Token & { readonly kind: "name" }): Part {
    const own = this.#ownName(owner, field);
    if (own !== undefined && typeof own.kind !== "string") return { ...own, kind: own.kind };
    const read = this.#names.reading?.(owner, field);
    if (read !== undefined && typeof read !== "string") {
      return { expression: { kind: "reading", device: owner, field }, kind: read };
    }
    const why = own?.kind ?? read ?? "no device can be read here";
    const message = typeof why === "string" ? why : "this name has no value here";
    const dashed = owner.includes("-") && own === undefined;
    const more = dashed ? { suggestion: "put spaces around a minus sign" } : {};
    this.problems.push({ message, ...more, at });
    return hole;
  }

  /** `input.a`, `var.a`, `event.a`; a cell may have a device of that name all the same. */
  #ownName(
    owner: string,
    name: string,
  ): { readonly expression: Expression; readonly kind: ValueKind | string } | undefined {
    switch (owner) {
      case "input":
        return {
          expression: { kind: "input", name },
          kind: this.#names.input?.(name) ?? "there are no inputs here",
        };
      case "var":
        return {
          expression: { kind: "variable", name },
          kind: this.#names.variable?.(name) ?? "there are no variables here",
        };
      case "event":
        return {
          expression: { kind: "event", name },
          kind: this.#names.event?.(name) ?? "there is no event here",
        };
      default:
        return undefined;
    }
  }
}

const truthKind: ValueKind = { kind: "boolean" };

/** A text that is compared with one that it can never be: almost always misspelt. */
function strangerText(left: Part, right: Part): Mismatch | undefined {
  if (left.kind.kind !== "text" || right.kind.kind !== "text") return undefined;
  const [a, b] = [left.kind.choices, right.kind.choices];
  if (a === undefined || b === undefined || a.some((one) => b.includes(one))) return undefined;
  const [word, known] = right.expression.kind === "literal" ? [b[0], a] : [a[0], b];
  if (word === undefined) return undefined;
  const hint = near(word, known);
  const message = `it is never '${word}'`;
  return hint === undefined ? { message } : { message, suggestion: hint };
}

function shown(token: Token): string {
  switch (token.kind) {
    case "end":
      return "the end";
    case "number":
      return `the number ${token.value}${token.unit === undefined ? "" : ` ${token.unit}`}`;
    case "text":
      return `'${token.value}'`;
    case "name":
      return `${token.owner}.${token.field}`;
    case "word":
      return `"${token.word}"`;
    case "sign":
      return `"${token.sign}"`;
    default:
      return token satisfies never;
  }
}
