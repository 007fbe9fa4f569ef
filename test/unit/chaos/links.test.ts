/**
 * The links of chaos: what a hole holds back, what comes out of it, and what a reset takes away.
 *
 * The idea: a harness that loses or invents bytes would blame the product, so its wires are tried
 * with a plain server behind them. It refuses time beyond a few milliseconds.
 */
import net from "node:net";
import { afterEach, expect, test } from "vitest";
import { Link, type LinkMode } from "../../chaos/links.js";
import { freePorts, until } from "../../fixtures/cell-process.js";

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** A server that keeps what it hears and answers in capitals; a client through a link. */
async function played() {
  const [target = 0, listen = 0] = await freePorts(2);
  const heard: string[] = [];
  const server = net.createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (data) => {
      heard.push(data.toString());
      socket.write(data.toString().toUpperCase());
    });
  });
  await new Promise<void>((resolve) => server.listen(target, "127.0.0.1", resolve));
  const link = new Link({ name: "l", listen, target });
  await link.listen();
  ends.push(() => {
    link.close();
    server.close();
  });
  const connect = async () => {
    const answers: string[] = [];
    const socket = net.connect(listen, "127.0.0.1");
    const state = { closed: false };
    socket.on("data", (data) => answers.push(data.toString()));
    socket.on("error", () => undefined);
    socket.on("close", () => {
      state.closed = true;
    });
    await new Promise<void>((resolve) => {
      socket.once("connect", resolve);
      // Turned away before it had noticed that it was connected.
      socket.once("close", () => resolve());
    });
    ends.push(() => socket.destroy());
    return { socket, answers, state };
  };
  const mode = (to: LinkMode, client?: string) =>
    link.obey({ link: "l", mode: to, ...(client === undefined ? {} : { client }) });
  return { heard, connect, mode };
}

const quiet = () => new Promise((resolve) => setTimeout(resolve, 60));

test("a hole holds both ways back, and what it held flows when it heals", async () => {
  const { heard, connect, mode } = await played();
  const { socket, answers } = await connect();
  socket.write("a");
  await until("the answer came", () => answers.join("") === "A");
  mode("hole");
  socket.write("b");
  await quiet();
  expect([heard.join(""), answers.join("")]).toEqual(["a", "A"]);
  mode("pass");
  await until("what was held flows", () => answers.join("") === "AB");
});

test("half a hole: the request arrives and its answer does not", async () => {
  const { heard, connect, mode } = await played();
  const { socket, answers } = await connect();
  mode("holeDown");
  socket.write("a");
  await until("it arrived", () => heard.join("") === "a");
  await quiet();
  expect(answers).toEqual([]);
  mode("pass");
  await until("the answer came", () => answers.join("") === "A");
});

test("a sender that resets takes what is held with it; one that closes does not", async () => {
  const { heard, connect, mode } = await played();
  const reset = await connect();
  const closed = await connect();
  reset.socket.write("x");
  closed.socket.write("y");
  await until("both are connected", () => heard.length === 2);
  mode("hole");
  reset.socket.write("gone");
  closed.socket.write("late");
  await quiet();
  reset.socket.resetAndDestroy();
  closed.socket.end();
  await quiet();
  mode("pass");
  await until("what was closed in order arrives", () => heard.includes("late"));
  expect(heard).not.toContain("gone");
});

test("only the connections of one MQTT client are harmed; refused ones are closed at once", async () => {
  const { connect, mode } = await played();
  const hello = (id: string) =>
    Buffer.from([0x10, 12 + id.length, 0, 4, 77, 81, 84, 84, 4, 2, 0, 60, 0, id.length]);
  const one = await connect();
  const two = await connect();
  one.socket.write(Buffer.concat([hello("bus"), Buffer.from("bus")]));
  two.socket.write(Buffer.concat([hello("gateway"), Buffer.from("gateway")]));
  await until("both are known", () => one.answers.length > 0 && two.answers.length > 0);
  mode("reset", "bus");
  await until("the one is closed", () => one.state.closed);
  expect(two.state.closed).toBe(false);
  mode("refuse");
  await until("the other is closed", () => two.state.closed);
  const third = await connect();
  await until("new ones are closed", () => third.state.closed);
});
