/**
 * The check sum of Modbus over a serial line.
 *
 * The idea: bit by bit as the specification draws it, since only golden frames pass through here.
 * It refuses nothing; every byte sequence has a check sum.
 */

/** [MODBUS over serial line 6.2.2] Low byte goes first on the wire. */
export function crc16(bytes: Uint8Array): number {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0xa001 : crc >> 1;
  }
  return crc;
}
