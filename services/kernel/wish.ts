/**
 * The text of a wish, by which two of them are compared.
 *
 * The idea: the same id may come again, from another client or over another road, and then it is
 * the same wish or a mistake; so names stand in order at every depth, and another order of fields
 * is no other wish. Pure. It refuses to say what a wish means.
 */

/** Equal for equal content. `undefined` fields count as absent, as JSON has it. */
export function wishText(value: unknown): string {
  return JSON.stringify(inOrder(value));
}

function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, inner]) => [name, inOrder(inner)]));
}
