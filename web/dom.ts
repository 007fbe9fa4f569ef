/**
 * The little that the page needs to build and change elements.
 *
 * The idea: elements are made once and changed only where something differs, so focus stays where
 * it is and screen readers hear only news. It refuses markup from data.
 */

export type Attributes = { readonly [name: string]: string | boolean };

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  children: readonly (Node | string)[] = [],
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "boolean") element.toggleAttribute(name, value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** The element of that id; its absence is a broken page. */
export function byId(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`The page has no element ${id}.`);
  return element;
}

export function say(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function mark(element: HTMLElement, name: string, on: boolean): void {
  if (element.classList.contains(name) !== on) element.classList.toggle(name, on);
}

export function show(element: HTMLElement, on: boolean): void {
  if (element.hidden === on) element.hidden = !on;
}

/**
 * Keeps the children of a list in step with its items: one element per key, made once, moved
 * only when the order changed, removed with its item. What goes, goes first: an element that is
 * moved loses the focus.
 */
export function keep<T, E extends HTMLElement>(
  list: HTMLElement,
  items: readonly T[],
  how: {
    readonly key: (item: T) => string;
    readonly make: (item: T) => E;
    readonly update: (element: E, item: T) => void;
  },
): void {
  const wanted = new Set(items.map(how.key));
  const known = new Map<string, E>();
  for (const child of [...list.children]) {
    if (!(child instanceof HTMLElement) || child.dataset.key === undefined) continue;
    if (wanted.has(child.dataset.key)) known.set(child.dataset.key, child as E);
    else child.remove();
  }
  for (const [place, item] of items.entries()) {
    const key = how.key(item);
    const element = known.get(key) ?? how.make(item);
    element.dataset.key = key;
    how.update(element, item);
    if (list.children[place] !== element) list.insertBefore(element, list.children[place] ?? null);
  }
}

/** One line of words, the abnormal ones set apart by shape and colour. */
export interface Word {
  readonly text: string;
  readonly level?: "attention" | "alarm";
}

const shapes = { attention: "◆", alarm: "▲" } as const;

export function sayWords(element: HTMLElement, words: readonly Word[]): void {
  const wanted = words.map((word) => `${word.level ?? ""}:${word.text}`).join("|");
  if (element.dataset.words === wanted) return;
  element.dataset.words = wanted;
  element.replaceChildren(
    ...words.map((word) => {
      if (word.level === undefined) return make("span", {}, [word.text]);
      const shape = make("span", { "aria-hidden": "true" }, [shapes[word.level]]);
      return make("span", { class: word.level }, [shape, ` ${word.text}`]);
    }),
  );
}

export function number(value: number, digits: number): string {
  // A value that rounds to zero is shown without a sign.
  return (Math.round(value * 10 ** digits) / 10 ** digits + 0).toFixed(digits);
}

export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ${Math.round((ms / 1000) % 60)} s`;
  return `${Math.floor(ms / 3_600_000)} h ${Math.round((ms / 60_000) % 60)} min`;
}

/** How old something is, coarse enough not to flicker. */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h`;
}

export function clock(ts: number): string {
  return new Date(ts).toLocaleTimeString(undefined, { hour12: false });
}
