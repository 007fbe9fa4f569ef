/**
 * The local stop sockets of the world: doors of drivers and a fan-out to all of them.
 *
 * The idea: the second road of a stop, with a socket's delay and nothing else. It refuses to
 * reach a driver that is dead, as a socket would.
 */
import type { StopAck, StopOrder } from "#kernel/contract/payloads.js";
import type { StopDoor, StopFanOut } from "#kernel/ports.js";
import type { SeededRandom } from "./seeded-random.js";
import type { VirtualClock } from "./virtual-clock.js";

type Kind = "stop" | "quickStop" | "abort";
type OrderHandler = (kind: Kind, order: StopOrder, answer: (ack: StopAck) => void) => void;

export class MemoryStopSockets {
  readonly #doors = new Map<string, { owner: string; handler: OrderHandler }>();
  /** Every stop that a driver was given, for judges. */
  onDelivered: (device: string, kind: Kind, order: StopOrder) => void = () => {};

  constructor(
    readonly clock: VirtualClock,
    readonly random: SeededRandom,
  ) {}

  door(owner: string, device: string): StopDoor {
    return {
      onOrder: (handler) => {
        this.#doors.set(device, { owner, handler });
      },
      close: async () => {
        if (this.#doors.get(device)?.owner === owner) this.#doors.delete(device);
      },
    };
  }

  cut(owner: string): void {
    for (const [device, door] of this.#doors) {
      if (door.owner === owner) this.#doors.delete(device);
    }
  }

  fanOut(owner: string): StopFanOut {
    const listeners: ((ack: StopAck) => void)[] = [];
    return {
      send: (kind, order) => {
        for (const [device, door] of this.#doors) {
          if (order.axes !== undefined && !order.axes.includes(device)) continue;
          const answer = (ack: StopAck) => {
            const tell = () => {
              for (const listener of listeners) listener(ack);
            };
            this.clock.schedule(this.random.between(0.02, 0.3), tell, owner);
          };
          const hand = () => {
            if (this.#doors.get(device) !== door) return;
            this.onDelivered(device, kind, order);
            door.handler(kind, structuredClone(order), answer);
          };
          this.clock.schedule(this.random.between(0.02, 0.3), hand, door.owner);
        }
      },
      onAck: (listener) => {
        listeners.push(listener);
      },
      close: async () => {},
    };
  }
}
