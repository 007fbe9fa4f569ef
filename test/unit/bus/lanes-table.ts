/**
 * What the lane scheduler does in every situation with every input.
 * The idea: one line a cell, written as in lanes-situations.ts: what is answered (0a: never on
 * the wire, 0b: no valid reply), what is sent, when the connection is renewed. Refuses prose.
 */
import { boundsTable } from "./lanes-bounds-table.js";
import { endpointTable } from "./lanes-endpoint-table.js";
import { lineTable } from "./lanes-line-table.js";

export interface LanesTable {
  readonly [situation: string]: { readonly [input: string]: string };
}

export const table: LanesTable = { ...endpointTable, ...boundsTable, ...lineTable };
