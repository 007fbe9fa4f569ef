/**
 * The bytes under the wires of a world: what stands behind each bus, and its way there.
 *
 * The idea: the far ends (endpoints, lines with their units) belong to the world and outlive the
 * bus service; a wire of the product is given the near end. It refuses to frame for the product.
 */
import type { BusConfig } from "#kernel/config/cell.js";
import type { ByteFaults } from "./byte-faults.js";
import type { FieldFaults, WireDevice } from "./field-bus.js";
import { MemoryNetwork } from "./memory-socket.js";
import { RtuLine } from "./rtu-line.js";
import type { SeededRandom } from "./seeded-random.js";
import { TcpEndpoint } from "./tcp-endpoint.js";
import type { VirtualClock } from "./virtual-clock.js";

/** The near end of a bus. */
export type BytePipe = TcpEndpoint | RtuLine;

export interface BytePipesParts {
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  readonly fieldFaults: FieldFaults;
  readonly faults: ByteFaults;
}

/** That a write of a wire or an endpoint comes in pieces. */
const cut = 0.2;
/** Longest time of a piece on the network of the cell. */
const pieceMsMax = 0.5;

export class BytePipes {
  readonly network: MemoryNetwork;
  readonly #parts: BytePipesParts;
  readonly #pipes = new Map<string, BytePipe>();

  constructor(parts: BytePipesParts) {
    this.#parts = parts;
    this.network = new MemoryNetwork(parts.clock, parts.random, { delayMaxMs: pieceMsMax, cut });
  }

  /** The pipe of a bus, made at its first use. */
  of({ id, link }: BusConfig, devices: ReadonlyMap<number, WireDevice>): BytePipe {
    const known = this.#pipes.get(id);
    if (known !== undefined) return known;
    const { network } = this;
    const framing = link.kind === "rtuOverTcp" ? "rtu" : "mbap";
    const pipe =
      link.kind === "serial"
        ? new RtuLine({ ...this.#parts, ...link, devices })
        : new TcpEndpoint({ ...this.#parts, address: id, framing, network, devices });
    this.#pipes.set(id, pipe);
    return pipe;
  }

  get all(): readonly BytePipe[] {
    return [...this.#pipes.values()];
  }

  /** The bus service is gone: its connections are closed and its ports are free. */
  cut(owner: string): void {
    this.network.cut(owner);
    for (const pipe of this.all) if (pipe.kind === "serial") pipe.release(owner);
  }
}
