/**
 * A dead unit behind a gateway: what the others lose, and what becomes of 120 writes.
 *
 * The idea: placeholder until written below.
 */
export async function benchGateway(_how: object): Promise<object> {
  return {};
}
