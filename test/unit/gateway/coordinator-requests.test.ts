/**
 * What the gateway asks of the coordinator: which answer belongs to whom.
 *
 * The idea: a link that only writes down what left; answers are given by hand. It refuses clocks.
 */
import { expect, test } from "vitest";
import type { Response } from "#kernel/contract/payloads.js";
import type { MessageLink } from "#kernel/ports.js";
import {
  CoordinatorRequests,
  type Request,
  wishesMax,
} from "../../../services/gateway/coordinator-requests.js";
import type { Mirror } from "../../../services/gateway/mirror.js";

function desk() {
  const sent: string[] = [];
  const link = {
    connected: true,
    publish: (_key: string, { verb }: { verb: string }) => {
      sent.push(verb);
      return Promise.resolve();
    },
  } as unknown as MessageLink;
  const avail = new Map([["coordinator", { status: "online" }]]);
  const requests = new CoordinatorRequests(link, { avail } as unknown as Mirror);
  const answer = (id: string) => {
    const head = { v: 1, id, ts: 1, bootId: "b", source: "coordinator" } as const;
    requests.answered({ ...head, status: "succeeded", result: {} } as Response);
  };
  return { sent, requests, answer };
}

const by = { user: "ann", role: "operator" } as const;
const start = (id: string, args: Request["args"]): Request => ({
  topic: "runCommand",
  verb: "start",
  id,
  by,
  args,
});

test("MQ-01: other inputs under an id in use are refused, whatever answer of the first is under way", async () => {
  const { sent, requests, answer } = desk();
  const first = requests.ask(start("R1", { saga: "lift", inputs: { to: 70, side: "left" } }));
  const again = requests.ask(start("R1", { inputs: { side: "left", to: 70 }, saga: "lift" }));
  const other = requests.ask(start("R1", { saga: "lift", inputs: { to: 90, side: "left" } }));
  answer("R1");
  await expect(other).rejects.toMatchObject({ code: "DUPLICATE_ID" });
  await expect(first).resolves.toMatchObject({ status: "succeeded" });
  await expect(again).resolves.toMatchObject({ status: "succeeded" });
  // The second repeat's own answer comes while somebody asks for something else under this id.
  const late = requests.ask(start("R1", { saga: "lift", inputs: { to: 90, side: "left" } }));
  answer("R1");
  await expect(late).rejects.toMatchObject({ code: "DUPLICATE_ID" });
  expect(sent).toEqual(["start", "start"]);
});

test(`more than ${wishesMax} ids: the oldest are forgotten, none of the newest is`, async () => {
  const { requests, answer } = desk();
  for (let i = 0; i <= wishesMax; i += 1) {
    const asked = requests.ask(start(`R${i}`, { saga: "a" }));
    answer(`R${i}`);
    await asked;
  }
  const newest = requests.ask(start(`R${wishesMax}`, { saga: "b" }));
  await expect(newest).rejects.toMatchObject({ code: "DUPLICATE_ID" });
  const oldest = requests.ask(start("R0", { saga: "b" }));
  answer("R0");
  await expect(oldest).resolves.toMatchObject({ id: "R0" });
});
