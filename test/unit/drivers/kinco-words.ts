/**
 * Status words and registers of a Kinco drive, as the manual's tables have them.
 * The idea: one place in the tests that knows the bits, apart from the profile. Refuses nothing.
 */
import { low, type Words } from "./operation-walk.js";

/** CiA 402: enabled is 0x27; b15 reference found. */
export const enabled = 0x8027;
export const reached = enabled | 0x0400;
export const acked = 0x1000;
export const drive = (status: number, position = 0, velocity = 0, more: Words = {}): Words => ({
  12800: status,
  13568: 1,
  ...low(0x3700, position),
  ...low(0x3b00, velocity),
  ...more,
});
/** 10 mm per revolution of 10000 counts: 1000 counts a millimetre. */
export const counts = (mm: number) => mm * 1000;
