/**
 * How deep JSON may be nested that comes from another process.
 *
 * The idea: a parser takes any depth, but whatever walks the value afterwards (schemas, canonical
 * texts) takes a stack frame for each level, and a few kilobytes of brackets would end the process.
 * So they are counted in the text, before anything walks. It refuses to parse.
 */

/** Levels; the deepest message of the product has eight. */
export const jsonDepthMax = 64;

const quote = 0x22;
const backslash = 0x5c;

/** Whether brackets stand inside each other more than `jsonDepthMax` times, strings left out. */
export function isTooDeep(text: string): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (inString) {
      if (code === backslash) at += 1;
      else if (code === quote) inString = false;
    } else if (code === quote) inString = true;
    // [ and {, ] and }: they differ in one bit only.
    else if ((code | 0x20) === 0x7b) {
      depth += 1;
      if (depth > jsonDepthMax) return true;
    } else if ((code | 0x20) === 0x7d) depth -= 1;
  }
  return false;
}
