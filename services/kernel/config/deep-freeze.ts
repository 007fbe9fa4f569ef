/**
 * Freezes a value with all that it holds.
 *
 * The idea: configuration is read once and then cannot be changed by mistake. It refuses nothing;
 * what is frozen already is taken as done.
 */

export function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const part of Object.values(value)) deepFreeze(part);
  return value;
}
