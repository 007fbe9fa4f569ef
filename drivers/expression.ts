/**
 * The arithmetic of a profile: numbers, names, + − * / and parentheses.
 *
 * The idea: a scale like `rpmPerUnit * 512 * countsPerRev / 1875` is data that a reader can check
 * against the manual, and is worked out exactly. No functions, no comparison, no text. It refuses
 * names that are not given, and says which.
 */
import type { Rational } from "./rational.js";
import { add, divide, fromNumber, multiply, rational, subtract } from "./rational.js";

export type Names = ReadonlyMap<string, Rational>;

export type Evaluated =
  | { readonly ok: true; readonly value: Rational }
  | { readonly ok: false; readonly why: string };

type Token = { readonly kind: "number" | "name" | "sign"; readonly text: string };

/** Longest expression, in characters. */
const lengthMax = 200;

class Refusal extends Error {}

function tokens(text: string): readonly Token[] {
  const found: Token[] = [];
  const pattern = /\s*(?:(\d+(?:\.\d+)?)|([A-Za-z][A-Za-z0-9]*)|([-+*/()]))/y;
  let at = 0;
  while (at < text.trimEnd().length) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match === null) throw new Refusal(`"${text.slice(at).trim()}" is not arithmetic`);
    const [, number, name, sign] = match;
    if (number !== undefined) found.push({ kind: "number", text: number });
    else if (name !== undefined) found.push({ kind: "name", text: name });
    else found.push({ kind: "sign", text: sign ?? "" });
    at = pattern.lastIndex;
  }
  return found;
}

class Reader {
  private at = 0;
  constructor(
    private readonly list: readonly Token[],
    private readonly names: Names,
  ) {}

  whole(): Rational {
    const value = this.sum();
    const rest = this.list[this.at];
    if (rest !== undefined) throw new Refusal(`unexpected "${rest.text}"`);
    return value;
  }

  private take(...signs: readonly string[]): string | undefined {
    const token = this.list[this.at];
    if (token?.kind !== "sign" || !signs.includes(token.text)) return undefined;
    this.at++;
    return token.text;
  }

  private sum(): Rational {
    let value = this.product();
    for (let sign = this.take("+", "-"); sign !== undefined; sign = this.take("+", "-")) {
      value = sign === "+" ? add(value, this.product()) : subtract(value, this.product());
    }
    return value;
  }

  private product(): Rational {
    let value = this.factor();
    for (let sign = this.take("*", "/"); sign !== undefined; sign = this.take("*", "/")) {
      const next = this.factor();
      if (sign === "/" && next.n === 0n) throw new Refusal("division by zero");
      value = sign === "*" ? multiply(value, next) : divide(value, next);
    }
    return value;
  }

  private factor(): Rational {
    if (this.take("-") !== undefined) return subtract(rational(0n), this.factor());
    if (this.take("(") !== undefined) {
      const value = this.sum();
      if (this.take(")") === undefined) throw new Refusal("a ) is missing");
      return value;
    }
    const token = this.list[this.at];
    if (token === undefined || token.kind === "sign") {
      throw new Refusal(`a number or name is missing${token ? ` before "${token.text}"` : ""}`);
    }
    this.at++;
    if (token.kind === "number") return fromNumber(Number(token.text));
    const value = this.names.get(token.text);
    if (value === undefined) throw new Refusal(`"${token.text}" is not given`);
    return value;
  }
}

/** Never throws. */
export function evaluate(expression: number | string, names: Names): Evaluated {
  try {
    if (typeof expression === "number") return { ok: true, value: fromNumber(expression) };
    if (expression.length > lengthMax) return { ok: false, why: "the expression is too long" };
    return { ok: true, value: new Reader(tokens(expression), names).whole() };
  } catch (refused) {
    if (refused instanceof Refusal || refused instanceof RangeError) {
      return { ok: false, why: refused.message };
    }
    throw refused;
  }
}

/** The names that an expression uses. Never throws; nothing of what cannot be read. */
export function namesIn(expression: number | string): readonly string[] {
  if (typeof expression === "number") return [];
  return expression.match(/[A-Za-z][A-Za-z0-9]*/g) ?? [];
}
