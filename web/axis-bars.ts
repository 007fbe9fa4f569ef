/**
 * One bar per axis: where it is within its travel, where it is sent, and what is wrong with it.
 *
 * The idea: an analogue bar is read faster than a number, so position, target and limits stand on
 * one scale; words say the flags, and colour is left to what is abnormal. It refuses to draw a
 * position that is not known.
 */
import type { AxisResource } from "#kernel/contract/resources.js";
import { age, keep, make, mark, number, say, sayWords, show, type Word } from "./dom.js";
import type { JogControl } from "./jog-control.js";
import type { Live } from "./live.js";

interface Scale {
  readonly min: number;
  readonly max: number;
  readonly value: number | undefined;
  readonly unit: string;
  readonly digits: number;
}

/** Position within the travel; an axis without travel shows its velocity instead. */
function scaleOf(axis: AxisResource): Scale | undefined {
  if (axis.travel !== undefined) {
    const { min, max } = axis.travel;
    return { min, max, value: axis.position, unit: axis.unit, digits: 1 };
  }
  if (axis.velocityMax === undefined) return undefined;
  const max = axis.velocityMax;
  return { min: -max, max, value: axis.velocity, unit: axis.velocityUnit, digits: 0 };
}

function wordsOf(axis: AxisResource): Word[] {
  const words: Word[] = [];
  if (axis.fault === true) {
    const code = axis.faultCode === undefined ? "" : ` 0x${axis.faultCode.toString(16)}`;
    words.push({ text: `fault${code}`, level: "alarm" });
  }
  if (axis.state === "faulted" && axis.fault !== true) {
    words.push({ text: "faulted", level: "alarm" });
  }
  if (axis.state === "unconfigured") words.push({ text: "no communication", level: "alarm" });
  if (axis.stop?.status === "owed") words.push({ text: "stop not confirmed", level: "alarm" });
  if (axis.stop?.status === "stopping") words.push({ text: "stopping", level: "attention" });
  if (axis.latched.length > 0) words.push({ text: "held by a stop", level: "attention" });
  if (axis.homed === false) words.push({ text: "not homed", level: "attention" });
  if (axis.enabled !== undefined) words.push({ text: axis.enabled ? "enabled" : "not enabled" });
  if (axis.homed === true) words.push({ text: "homed" });
  if (axis.gripped !== undefined) words.push({ text: axis.gripped ? "part held" : "no part" });
  if (axis.moving !== undefined) words.push({ text: axis.moving ? "moving" : "standing still" });
  for (const [what, why] of Object.entries(axis.reasons)) {
    words.push({ text: `${what}: ${why}`, level: "attention" });
  }
  return words;
}

export class AxisBars {
  readonly #list: HTMLElement;
  readonly #live: Live;
  readonly #jog: JogControl;

  constructor(list: HTMLElement, live: Live, jog: JogControl) {
    this.#list = list;
    this.#live = live;
    this.#jog = jog;
  }

  render(): void {
    keep(this.#list, this.#live.snapshot?.axes ?? [], {
      key: (axis) => axis.axis,
      make: (axis) => build(axis, this.#jog),
      update: (row, axis) => this.#update(row, axis),
    });
  }

  #update(row: AxisRow, axis: AxisResource): void {
    const { parts } = row;
    const scale = scaleOf(axis);
    const good = axis.q === "good" && this.#live.connected;
    mark(row, "aged", !good);
    const value = scale === undefined ? axis.position : scale.value;
    const unit = scale?.unit ?? axis.unit;
    const digits = scale?.digits ?? 1;
    say(parts.value, value === undefined ? "–" : number(value, digits));
    say(parts.unit, unit === "percent" ? "%" : unit);
    sayWords(parts.words, [...ageOf(axis, this.#live), ...wordsOf(axis)]);
    drawScale(row, scale, axis.target);
    this.#jog.update(parts.jog, axis);
  }
}

function ageOf(axis: AxisResource, live: Live): Word[] {
  if (axis.ts === undefined) {
    return [{ text: axis.staleBecause ?? "nothing known yet", level: "attention" }];
  }
  if (axis.q === "good" && live.connected && live.broker) return [];
  const old = `${age(live.now() - axis.ts)} old`;
  const because = live.connected ? axis.staleBecause : "connection lost";
  const text = because === undefined ? old : `${old}: ${because}`;
  return [{ text, level: "attention" }];
}

interface Parts {
  readonly track: HTMLElement;
  readonly fill: HTMLElement;
  readonly at: HTMLElement;
  readonly target: HTMLElement;
  readonly min: HTMLElement;
  readonly max: HTMLElement;
  readonly aim: HTMLElement;
  readonly value: HTMLElement;
  readonly unit: HTMLElement;
  readonly words: HTMLElement;
  readonly jog: HTMLElement;
}
type AxisRow = HTMLElement & { parts: Parts };

function build(axis: AxisResource, jog: JogControl): AxisRow {
  const part = (name: string) => make("span", { class: name });
  const fill = part("fill");
  const at = part("at");
  const target = part("target");
  const track = make("div", { class: "track", role: "img" }, [fill, at, target]);
  const parts: Parts = {
    track,
    fill,
    at,
    target,
    min: part("min"),
    max: part("max"),
    aim: part("aim"),
    value: part("value"),
    unit: part("unit"),
    words: make("p", { class: "words" }),
    jog: jog.build(axis),
  };
  const ends = make("div", { class: "ends", "aria-hidden": "true" }, [
    parts.min,
    parts.aim,
    parts.max,
  ]);
  const row = make("div", { class: "axis" }, [
    make("h3", {}, [axis.axis]),
    make("div", { class: "scale" }, [track, ends]),
    make("p", { class: "reading" }, [parts.value, " ", parts.unit]),
    parts.words,
    parts.jog,
  ]);
  return Object.assign(row, { parts });
}

function drawScale({ parts }: AxisRow, scale: Scale | undefined, target: number | undefined): void {
  const scaleRow = parts.track.parentElement;
  if (scaleRow !== null) mark(scaleRow, "empty", scale === undefined);
  if (scale === undefined) return;
  const share = (value: number) => {
    return Math.min(1, Math.max(0, (value - scale.min) / (scale.max - scale.min)));
  };
  say(parts.min, number(scale.min, 0));
  say(parts.max, number(scale.max, 0));
  const known = scale.value !== undefined;
  mark(parts.track, "blind", !known);
  show(parts.at, known);
  show(parts.fill, known);
  if (scale.value !== undefined) {
    const from = scale.min < 0 ? share(0) : 0;
    const to = share(scale.value);
    parts.at.style.left = `${(to * 100).toFixed(2)}%`;
    parts.fill.style.left = `${(Math.min(from, to) * 100).toFixed(2)}%`;
    parts.fill.style.width = `${(Math.abs(to - from) * 100).toFixed(2)}%`;
  }
  show(parts.target, target !== undefined);
  if (target !== undefined) parts.target.style.left = `${(share(target) * 100).toFixed(2)}%`;
  say(parts.aim, target === undefined ? "" : `to ${number(target, scale.digits)}`);
  const now = scale.value === undefined ? "not known" : number(scale.value, scale.digits);
  const aim = target === undefined ? "" : `, to ${number(target, scale.digits)}`;
  const label = `${now} of ${scale.min} to ${scale.max} ${scale.unit}${aim}`;
  if (parts.track.getAttribute("aria-label") !== label) {
    parts.track.setAttribute("aria-label", label);
  }
}
