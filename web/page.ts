/**
 * The operator's page: header, banner, axes, run, devices and events of one cell.
 *
 * The idea: everything is drawn from the last known state with its age; commands are offered only
 * while the cell allows them and the connection stands, STOP always. It refuses to hide that
 * something is old.
 */
import type { CellResource, DeviceResource } from "#kernel/contract/resources.js";
import { AxisBars } from "./axis-bars.js";
import { age, byId, clock, keep, make, mark, say, sayWords, show, type Word } from "./dom.js";
import { JogControl } from "./jog-control.js";
import { Live, post } from "./live.js";
import { RunPanel } from "./run-panel.js";
import { StopControl } from "./stop-control.js";

const live = new Live(() => render());
const jog = new JogControl(live);
const bars = new AxisBars(byId("axes"), live, jog);
const run = new RunPanel(live, command);
const stop = new StopControl(live, () => render());

/** What the header offers when the cell allows it; start belongs to a saga, STOP is its own. */
const cellCommands = [
  { name: "reset", text: "Reset", path: "/reset", body: undefined },
  { name: "clear", text: "Clear", path: "/clear", body: undefined },
  { name: "quickStop", text: "Quick stop", path: "/stop", body: { kind: "quickStop" } },
  { name: "abort", text: "Abort", path: "/stop", body: { kind: "abort" } },
] as const;

/** Jogging is for Manual, sagas are for Production. */
function modeOffer(cell: CellResource) {
  const mode = cell.mode === "Production" ? "Manual" : "Production";
  return { name: "mode", text: `To ${mode}`, path: "/mode", body: { mode } } as const;
}

const stateLevels: { readonly [state: string]: "attention" | "alarm" } = {
  unknown: "attention",
  Stopping: "attention",
  Stopped: "attention",
  Aborting: "alarm",
  Aborted: "alarm",
};

async function command(path: string, body: object | undefined, what: string): Promise<boolean> {
  const answer = await post(path, body);
  const notice = byId("notice");
  if (!answer.ok) say(notice, `${what}: ${answer.text}`);
  show(notice, !answer.ok);
  return answer.ok;
}

function render(): void {
  const { snapshot } = live;
  mark(document.body, "lost", !live.connected || !live.broker);
  renderBanner();
  if (snapshot !== undefined) {
    renderHeader(snapshot.cell);
    renderLatched();
    renderDevices(snapshot.devices);
  }
  jog.render();
  bars.render();
  run.render();
  stop.render();
  renderEvents();
}

function renderBanner(): void {
  const viewer = live.snapshot !== undefined && live.snapshot.you.role !== "operator";
  const offline = live.snapshot?.cell.state === "unknown";
  let text = "";
  if (!live.connected)
    text = "Connection lost, commands disabled. Values are old. STOP still tries.";
  else if (!live.broker) {
    text = "Broker lost, commands disabled. Values are old. STOP goes over the local sockets.";
  } else if (offline) text = `Cell state unknown: ${live.snapshot?.cell.reason.text ?? ""}.`;
  else if (viewer)
    text = "Looking only: commands are given at the cell's own PC. STOP works here too.";
  say(byId("banner"), text);
}

function renderHeader(cell: CellResource): void {
  say(byId("cell-name"), cell.cell);
  document.title = `${cell.cell}: ${cell.state}`;
  const simulated = cell.simulated === true ? " · simulated devices" : "";
  say(byId("cell-path"), `${cell.prefix}${simulated}`);
  const level = stateLevels[cell.state];
  sayWords(byId("cell-state"), [{ text: cell.state, ...(level === undefined ? {} : { level }) }]);
  const since = cell.since === undefined ? "" : `since ${clock(cell.since)}`;
  say(byId("cell-why"), [since, cell.reason.text].filter((part) => part !== "").join(" · "));
  // With stops in force their own Reset names them; one button for it is enough.
  const held = (live.snapshot?.stops.latched.length ?? 0) > 0;
  const offered = [...cellCommands, modeOffer(cell)].filter((c) => {
    return cell.allowed.includes(c.name) && !(c.name === "reset" && held);
  });
  keep(byId("cell-commands"), offered, {
    key: (offer) => offer.text,
    make: (offer) => {
      const button = make("button", { type: "button", class: "command" }, [offer.text]);
      button.addEventListener("click", () => void command(offer.path, offer.body, offer.text));
      return button;
    },
    update: (button) => {
      button.disabled = !live.mayCommand;
    },
  });
}

function renderLatched(): void {
  const latched = live.snapshot?.stops.latched ?? [];
  show(byId("latched"), latched.length > 0);
  keep(byId("latched-list"), latched, {
    key: (held) => held.id,
    make: () => make("li"),
    update: (item, held) => {
      say(item, `${held.kind} by ${held.by.user} (${held.by.role}) at ${clock(held.ts)}`);
    },
  });
  const reset = byId("reset") as HTMLButtonElement;
  const allowed = live.snapshot?.cell.allowed.includes("reset") === true;
  reset.disabled = !live.mayCommand || !allowed;
  say(reset, latched.length > 1 ? `Reset ${latched.length} stops` : "Reset");
  reset.title = allowed ? "" : "Not allowed now: a run waits for a choice first.";
}

byId("reset").addEventListener("click", () => {
  const stops = (live.snapshot?.stops.latched ?? []).map((held) => held.id);
  void command("/reset", { stops }, "Reset");
});

const linkLevels: { readonly [link: string]: Word["level"] } = {
  down: "alarm",
  stale: "attention",
  unknown: "attention",
  open: "alarm",
  "half-open": "attention",
  mismatch: "alarm",
};

function renderDevices(devices: readonly DeviceResource[]): void {
  keep(byId("devices"), devices, {
    key: (device) => device.device,
    make: () =>
      make(
        "tr",
        {},
        Array.from({ length: 8 }, () => make("td")),
      ),
    update: (row, device) => {
      const seen = device.lastSeen === undefined ? "never" : `${age(live.now() - device.lastSeen)}`;
      const plain = (text: string): Word[] => [{ text }];
      const rated = (text: string): Word[] => {
        const level = linkLevels[text];
        return [{ text, ...(level === undefined ? {} : { level }) }];
      };
      const cells = [
        plain(device.device),
        plain(device.profile),
        plain(`${device.bus}, unit ${device.unit}`),
        rated(device.link),
        rated(device.breaker),
        device.identity === "unknown" ? plain("unknown") : rated(device.identity),
        plain(seen),
        plain(device.staleBecause ?? device.lastError ?? ""),
      ];
      for (const [i, cell] of [...row.children].entries()) {
        if (cell instanceof HTMLElement) sayWords(cell, cells[i] ?? []);
      }
      row.children[6]?.classList.add("number");
    },
  });
}

function renderEvents(): void {
  show(byId("no-events"), live.events.length === 0);
  keep(byId("events"), live.events.slice(0, 8), {
    key: (event) => event.id,
    make: () => make("li"),
    update: (item, event) => {
      const what = { text: event.type };
      sayWords(item, [{ text: clock(Date.parse(event.time)) }, { text: event.subject }, what]);
    },
  });
}

live.open();
// Ages and running times go on without news.
setInterval(render, 250);
render();
