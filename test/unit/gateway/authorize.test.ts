/**
 * Who may do what, as a full table, and which requests count as coming from this cell's page.
 *
 * The idea: every role against every action, and every shape of Host and Origin that a browser or
 * an attacker can send. It refuses HTTP.
 */
import { expect, test } from "vitest";
import {
  actions,
  actorOf,
  authorize,
  hostAllowed,
  isLoopback,
  originAllowed,
} from "../../../services/gateway/authorize.js";

const table = {
  viewer: {
    read: true,
    stop: true,
    run: false,
    reset: false,
    hold: false,
    mode: false,
    exclude: false,
    jog: false,
  },
  operator: {
    read: true,
    stop: true,
    run: true,
    reset: true,
    hold: true,
    mode: true,
    exclude: true,
    jog: true,
  },
} as const;

test("authorize: the whole table, every role against every action", () => {
  let cells = 0;
  for (const role of ["viewer", "operator"] as const) {
    for (const action of actions) {
      const permission = authorize(action, "/x", { user: "u", role });
      expect([role, action, permission.ok]).toEqual([role, action, table[role][action]]);
      cells += 1;
    }
  }
  expect(cells).toBe(2 * actions.length);
});

test.each(["viewer", "operator"] as const)(
  "authorize: %s may nothing that is not named",
  (role) => {
    for (const action of [undefined, "", "write", "constructor", "length"]) {
      expect(authorize(action, "/x", { user: "u", role }).ok).toBe(false);
    }
  },
);

test("actor: loopback is the operator, everyone else looks on", () => {
  for (const peer of ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]) {
    expect(isLoopback(peer)).toBe(true);
    expect(actorOf(peer, [])).toEqual({ user: "local", role: "operator" });
  }
  for (const peer of ["10.0.0.1", "::ffff:10.0.0.1", "fe80::1", "128.0.0.1", "", undefined]) {
    expect(actorOf(peer, []).role).toBe("viewer");
  }
  expect(actorOf("::ffff:172.30.77.1", ["172.30.77.1"]).role).toBe("operator");
  expect(actorOf("172.30.77.12", ["172.30.77.1"]).role).toBe("viewer");
});

const own = { bound: "cell-pc.plant", arrivedAt: "::ffff:192.168.10.5" };
test.each([
  ["localhost", true],
  ["localhost:8080", true],
  ["127.0.0.1:1", true],
  ["[::1]:8080", true],
  ["CELL-PC.plant:8080", true],
  ["192.168.10.5:8080", true],
  ["192.168.10.6:8080", false],
  ["evil.example", false],
  ["localhost.evil.example", false],
  ["127.0.0.1.evil.example", false],
  ["evil.example@localhost", false],
  ["localhost:8080:9", false],
  ["local host", false],
  ["", false],
  [undefined, false],
])("host: %s is ours: %s", (host, allowed) => {
  expect(hostAllowed(host, own)).toBe(allowed);
});

test.each([
  [undefined, "localhost:8080", true],
  ["http://localhost:8080", "localhost:8080", true],
  ["https://LOCALHOST:8080", "localhost:8080", true],
  ["http://localhost:9090", "localhost:8080", false],
  ["http://evil.example", "localhost:8080", false],
  ["null", "localhost:8080", false],
  ["", "localhost:8080", false],
  ["http://localhost:8080/x", "localhost:8080", false],
  ["http://localhost:8080", undefined, false],
])("origin: %s at host %s may command: %s", (origin, host, allowed) => {
  expect(originAllowed(origin, host)).toBe(allowed);
});
