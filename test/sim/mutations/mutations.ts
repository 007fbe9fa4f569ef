/**
 * All mutations: what is broken on purpose, and which judge must see it.
 *
 * The idea: the list beside the judges, so that a judge without anything that it has ever caught
 * is seen. It refuses to play; mutations.sim.ts does.
 */
import { driverMutations } from "./driver-mutations.js";
import { jogMutations } from "./jog-mutations.js";
import { messageMutations } from "./message-mutations.js";
import type { Mutation } from "./mutation.js";

export const mutations: readonly Mutation[] = [
  ...driverMutations,
  ...jogMutations,
  ...messageMutations,
];
