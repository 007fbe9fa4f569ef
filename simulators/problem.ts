/**
 * What a person did wrong when they asked for a simulation.
 *
 * The idea: one class with a sentence, so that the process can print it and leave without a stack
 * trace. It refuses to stand for broken assumptions: those are thrown as they are.
 */
export class SimProblem extends Error {
  override readonly name = "SimProblem";
}
