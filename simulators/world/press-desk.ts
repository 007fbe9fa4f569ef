/**
 * The part of a gateway at which buttons are held, as a node of a world.
 *
 * The idea: the gateway's own desks carry a press (its question to the coordinator, its open
 * response, its echoes); only HTTP is left out, and what a client would be sent goes through a
 * response that the world makes. It refuses everything else that a gateway does.
 */
import type { Json } from "#drivers/reading.js";
import type { Payload } from "#kernel/contract/topics.js";
import { codeOf } from "#kernel/errors.js";
import type { App, Boot, Log, MessageLink } from "#kernel/ports.js";
import { Presence } from "#kernel/presence.js";
import { CoordinatorRequests } from "../../services/gateway/coordinator-requests.js";
import { Holds } from "../../services/gateway/holds.js";
import type { OpenResponse } from "./open-response.js";

/** As the page and the command line name it. */
export const gatewayName = "gateway";

export interface PressDeskPorts {
  readonly main: MessageLink;
  readonly stop: MessageLink;
  readonly log: Log;
  readonly boot: Boot;
}

export interface PressWish {
  readonly hold: string;
  readonly axis: string;
  readonly velocity: number;
  readonly bypass: readonly string[];
}

export class PressDesk implements App {
  readonly #ports: PressDeskPorts;
  readonly #avail = new Map<string, Payload<"avail">>();
  readonly #requests: CoordinatorRequests;
  readonly #holds: Holds;
  readonly #presence: Presence;

  constructor(ports: PressDeskPorts) {
    this.#ports = ports;
    const { main, boot } = ports;
    this.#requests = new CoordinatorRequests(main, { avail: this.#avail });
    this.#holds = new Holds(ports);
    this.#presence = new Presence(main, boot);
    main.subscribe("avail", {}, ({ levels: { service }, payload }) => {
      this.#avail.set(service, payload);
    });
    main.subscribe("response", { client: gatewayName }, ({ payload }) => {
      this.#requests.answered(payload);
    });
  }

  async start(): Promise<void> {
    this.#presence.start();
  }

  async stop(): Promise<void> {
    this.#holds.close();
    await this.#presence.stop();
    await Promise.all([this.#ports.main.close(), this.#ports.stop.close()]);
  }

  /** The request of a press; its response stays open while the button is held. */
  async press({ hold, axis, velocity, bypass }: PressWish, response: OpenResponse): Promise<void> {
    const { service: holder, bootId: holderBootId } = this.#ports.boot;
    const args: { [name: string]: Json } = { device: axis, velocity, holder, holderBootId };
    if (bypass.length > 0) Object.assign(args, { bypass: [...bypass], text: "seen from here" });
    const by = { user: "operator", role: "operator" } as const;
    const wish = { topic: "cellCommand", verb: "jog", id: hold, by, args } as const;
    try {
      const { result } = await this.#requests.ask(wish);
      this.#holds.begin({ hold, axis, epoch: Number(result?.epoch) }, response.raw);
    } catch (thrown) {
      response.refuse(codeOf(thrown));
    }
  }

  /** The request of an echo; without a nonce it lets go. */
  echoed(hold: string, axis: string, nonce: string | undefined): void {
    this.#holds.echoed(hold, axis, nonce);
  }
}
