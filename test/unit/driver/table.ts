/**
 * Full tables for machines: every named state with every named input, counted.
 *
 * The idea: a table lists what comes out of each cell; a missing or surplus cell fails by name.
 * It refuses to check anything but what the cells say.
 */
import { expect, it } from "vitest";

/** `cells[state][input]` is what the machine must do; "-" is undefined (nothing changes). */
export interface Table<S, I> {
  readonly states: { readonly [name: string]: S };
  readonly inputs: { readonly [name: string]: I };
  readonly cells: { readonly [state: string]: { readonly [input: string]: string } };
  /** The step in one line, or undefined. */
  readonly run: (state: S, input: I) => string | undefined;
}

export function checkTable<S, I>(title: string, table: Table<S, I>): void {
  const states = Object.keys(table.states);
  const inputs = Object.keys(table.inputs);
  it(`${title}: the table has all ${states.length} × ${inputs.length} cells`, () => {
    expect(Object.keys(table.cells)).toEqual(states);
    for (const state of states) {
      expect(Object.keys(table.cells[state] ?? {}), state).toEqual(inputs);
    }
  });
  for (const [stateName, state] of Object.entries(table.states)) {
    for (const [inputName, input] of Object.entries(table.inputs)) {
      it(`${title}: ${stateName} × ${inputName}`, () => {
        const before = JSON.stringify(state);
        expect(table.run(state, input) ?? "-").toBe(table.cells[stateName]?.[inputName]);
        expect(JSON.stringify(state), "states are never changed in place").toBe(before);
      });
    }
  }
}
