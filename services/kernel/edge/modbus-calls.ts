/**
 * From a request PDU to the call of modbus-serial that sends it.
 *
 * The idea: the library has one method per function code; this is the table between them. It
 * refuses (calls nothing) when the PDU is not the whole and only form of its function, so what
 * leaves is always what was asked for.
 */

/** The library's answer to one call, with the raw frames of its debug mode. */
type Done = (
  error: { readonly modbusResponses?: readonly Uint8Array[] } | null,
  result?: { readonly responses?: readonly Uint8Array[] },
) => void;

/** The calls of modbus-serial that are used, by function code. */
export interface FrameCalls {
  writeFC1(unit: number, address: number, count: number, done: Done): void;
  writeFC2(unit: number, address: number, count: number, done: Done): void;
  writeFC3(unit: number, address: number, count: number, done: Done): void;
  writeFC4(unit: number, address: number, count: number, done: Done): void;
  writeFC5(unit: number, address: number, state: boolean, done: Done): void;
  writeFC6(unit: number, address: number, value: number, done: Done): void;
  writeFC15(unit: number, address: number, states: boolean[], done: Done): void;
  writeFC16(unit: number, address: number, values: Buffer, done: Done): void;
  writeFC22(unit: number, address: number, and: number, or: number, done: Done): void;
  writeFC23(
    unit: number,
    readAddress: number,
    readCount: number,
    writeAddress: number,
    writeCount: number,
    values: Buffer,
    done: Done,
  ): void;
}

interface Call {
  readonly library: FrameCalls;
  readonly unit: number;
  readonly pdu: Uint8Array;
  /** Two bytes of the PDU as a number. */
  readonly word: (at: number) => number;
  readonly done: Done;
}

const coilsMax = 1968;

const callOf: { readonly [fc: number]: (call: Call) => void } = {
  1: ({ library, unit, word, done }) => library.writeFC1(unit, word(1), word(3), done),
  2: ({ library, unit, word, done }) => library.writeFC2(unit, word(1), word(3), done),
  3: ({ library, unit, word, done }) => library.writeFC3(unit, word(1), word(3), done),
  4: ({ library, unit, word, done }) => library.writeFC4(unit, word(1), word(3), done),
  5: ({ library, unit, word, done }) => library.writeFC5(unit, word(1), word(3) === 0xff00, done),
  6: ({ library, unit, word, done }) => library.writeFC6(unit, word(1), word(3), done),
  15: ({ library, unit, pdu, word, done }) => {
    const bit = (i: number) => (((pdu[6 + (i >> 3)] ?? 0) >> (i & 7)) & 1) === 1;
    const states = Array.from({ length: Math.min(word(3), coilsMax) }, (_, i) => bit(i));
    library.writeFC15(unit, word(1), states, done);
  },
  16: ({ library, unit, pdu, word, done }) =>
    library.writeFC16(unit, word(1), evenBytes(pdu, 6), done),
  22: ({ library, unit, word, done }) => library.writeFC22(unit, word(1), word(3), word(5), done),
  23: ({ library, unit, pdu, word, done }) =>
    library.writeFC23(unit, word(1), word(3), word(5), word(7), evenBytes(pdu, 10), done),
};

/** Calls the library; `done` gets the last raw RTU frame of the reply, once, if one comes. */
export function sendByFunction(
  library: FrameCalls,
  unit: number,
  pdu: Uint8Array,
  done: (raw: Uint8Array | undefined) => void,
): void {
  callOf[pdu[0] ?? 0]?.({
    library,
    unit,
    pdu,
    word: (at) => ((pdu[at] ?? 0) << 8) | (pdu[at + 1] ?? 0),
    done: (error, result) => done((error?.modbusResponses ?? result?.responses)?.at(-1)),
  });
}

/** The register bytes from `at` on; an odd one out is left off and caught by the port. */
function evenBytes(pdu: Uint8Array, at: number): Buffer {
  const end = at + 2 * Math.floor(Math.max(0, pdu.length - at) / 2);
  return Buffer.from(pdu.subarray(at, end));
}
