/**
 * How a service says that it is there.
 * The idea: time is faked; what is published is a list. It refuses a broker.
 */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { MessageLink } from "#kernel/ports.js";
import { Presence } from "#kernel/presence.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function fakeLink() {
  const said: string[] = [];
  const listeners: ((connected: boolean) => void)[] = [];
  const state = { connected: true };
  const link: MessageLink = {
    get connected() {
      return state.connected;
    },
    publish: async (key, levels, payload) => {
      const { status, text } = payload as { status: string; text?: string };
      const { service } = levels as { service: string };
      said.push([key, service, status, text].filter(Boolean).join(" "));
    },
    subscribe: () => undefined,
    onChange: (listener) => void listeners.push(listener),
    close: async () => undefined,
  };
  const connect = (connected: boolean) => {
    state.connected = connected;
    for (const listener of listeners) listener(connected);
  };
  return { link, said, connect };
}
const boot = { service: "bus", bootId: "b", version: "1" };

it("online is said at the start, every 2 s, and at every reconnect", async () => {
  const { link, said, connect } = fakeLink();
  new Presence(link, boot).start();
  expect(said).toEqual(["avail bus online"]);
  await vi.advanceTimersByTimeAsync(4000);
  expect(said.length).toBe(3);
  connect(false);
  await vi.advanceTimersByTimeAsync(4000);
  expect(said.length).toBe(3);
  connect(true);
  expect(said.length).toBe(4);
});

it("trouble is told at once with its text, and its end too", () => {
  const { link, said } = fakeLink();
  const presence = new Presence(link, boot);
  presence.start();
  presence.degraded("the disk is full");
  presence.degraded("the disk is full");
  presence.degraded(undefined);
  expect(said).toEqual([
    "avail bus online",
    "avail bus degraded the disk is full",
    "avail bus online",
  ]);
});

it("after the stop it says offline once, and nothing more, also at a reconnect", async () => {
  const { link, said, connect } = fakeLink();
  const presence = new Presence(link, boot);
  presence.start();
  await presence.stop();
  await vi.advanceTimersByTimeAsync(4000);
  connect(false);
  connect(true);
  expect(said).toEqual(["avail bus online", "avail bus offline"]);
});
