/**
 * Drivers that share a process and a connection.
 * The idea: apps and a link that note what is done to them. It refuses sockets.
 */
import { expect, test } from "vitest";
import type { MessageLink } from "#kernel/ports.js";
import { DriverGroup, sharedLink } from "../../../services/driver/group.js";

test("group: the end of one that fails does not spare the others theirs, and is told", async () => {
  const ended: string[] = [];
  const app = (name: string, fails: boolean) => ({
    start: async () => undefined,
    stop: async (reason: string) => {
      ended.push(`${name} ${reason}`);
      if (fails) throw new Error(`${name} failed`);
    },
  });
  const group = new DriverGroup([app("a", true), app("b", false)]);
  await group.start();
  await expect(group.stop("SIGTERM")).rejects.toThrow("a failed");
  expect(ended).toEqual(["a SIGTERM", "b SIGTERM"]);
});

test("group: the shared link closes with its last owner, not before", async () => {
  let closed = 0;
  const link: MessageLink = {
    connected: true,
    publish: async () => undefined,
    subscribe: () => undefined,
    onChange: () => undefined,
    close: async () => {
      closed += 1;
    },
  };
  const shared = sharedLink(link, 2);
  await shared.close();
  expect(closed).toBe(0);
  expect(shared.connected).toBe(true);
  await shared.close();
  expect(closed).toBe(1);
});

test.each([
  [true, true, true],
  [true, false, false],
  [false, false, false],
])("group: idle only when each of them is (a=%s, b=%s): %s", (a, b, both) => {
  const app = (idle: boolean) => ({
    start: async () => undefined,
    stop: async () => undefined,
    isIdle: () => idle,
  });
  expect(new DriverGroup([app(a), app(b)]).isIdle()).toBe(both);
});
