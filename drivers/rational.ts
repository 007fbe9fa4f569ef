/**
 * Exact fractions for gears, pitches and scales.
 *
 * The idea: 7:3, 131072 counts and 5 mm multiply without loss, and a target is rounded once, half
 * away from zero, at the end; so small moves there and back end where they began. It refuses
 * division by zero and numbers that are not finite.
 */
export interface Rational {
  readonly n: bigint;
  /** Above 0, without common factors. */
  readonly d: bigint;
}

function gcd(a: bigint, b: bigint): bigint {
  let [x, y] = [a < 0n ? -a : a, b < 0n ? -b : b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x === 0n ? 1n : x;
}

/** @throws RangeError for a denominator of 0. */
export function rational(n: bigint, d = 1n): Rational {
  if (d === 0n) throw new RangeError("division by zero");
  const g = gcd(n, d) * (d < 0n ? -1n : 1n);
  return { n: n / g, d: d / g };
}

/** The decimal that the number prints as, exactly. @throws RangeError if it is not finite. */
export function fromNumber(value: number): Rational {
  if (!Number.isFinite(value)) throw new RangeError(`${value} is not a finite number`);
  const [mantissa = "0", exponent = "0"] = String(value).split("e");
  const [whole = "0", decimals = ""] = mantissa.split(".");
  const power = Number(exponent) - decimals.length;
  const digits = BigInt(whole + decimals);
  return power >= 0
    ? rational(digits * 10n ** BigInt(power))
    : rational(digits, 10n ** BigInt(-power));
}

/** The nearest number; exact where a number can be. */
export function toNumber(value: Rational): number {
  const { n, d } = value;
  if (n <= 2n ** 53n && n >= -(2n ** 53n) && d <= 2n ** 53n) return Number(n) / Number(d);
  const whole = n / d;
  // The remainder keeps 60 bits, which is more than a number holds.
  return Number(whole) + Number(((n - whole * d) << 60n) / d) / 2 ** 60;
}

export function add(a: Rational, b: Rational): Rational {
  return rational(a.n * b.d + b.n * a.d, a.d * b.d);
}

export function subtract(a: Rational, b: Rational): Rational {
  return rational(a.n * b.d - b.n * a.d, a.d * b.d);
}

export function multiply(a: Rational, b: Rational): Rational {
  return rational(a.n * b.n, a.d * b.d);
}

/** @throws RangeError when b is 0. */
export function divide(a: Rational, b: Rational): Rational {
  return rational(a.n * b.d, a.d * b.n);
}

/** The nearest whole number, half away from zero. */
export function round(value: Rational): bigint {
  const { n, d } = value;
  const half = (n < 0n ? -n : n) * 2n + d;
  const magnitude = half / (2n * d);
  return n < 0n ? -magnitude : magnitude;
}
