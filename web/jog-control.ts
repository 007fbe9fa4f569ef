/**
 * Jogging on the page: which axes have their buttons now, and how fast they go.
 *
 * The idea: buttons are there in the mode Manual and for axes that can be jogged, and nowhere
 * else; the speed is a share of what the axis may do, slow unless somebody chooses otherwise. It
 * refuses to show a button that could not be pressed.
 */
import type { AxisResource } from "#kernel/contract/resources.js";
import { byId, make, say, show } from "./dom.js";
import { holdToRun } from "./jog-button.js";
import type { Live } from "./live.js";

export class JogControl {
  readonly #live: Live;
  readonly #letGo = new WeakMap<HTMLButtonElement, () => void>();
  readonly #speed = byId("jog-speed") as HTMLSelectElement;

  constructor(live: Live) {
    this.#live = live;
  }

  render(): void {
    show(byId("jog-bar"), this.#live.snapshot?.cell.mode === "Manual");
  }

  build(axis: AxisResource): HTMLElement {
    const says = make("span", { class: "attention", role: "status" });
    const button = (sign: 1 | -1) => {
      const text = sign > 0 ? "+" : "\u2212";
      const label = `Hold to move ${axis.axis} in the ${sign > 0 ? "plus" : "minus"} direction`;
      const made = make("button", { type: "button", class: "command jog", "aria-label": label }, [
        text,
      ]);
      const letGo = holdToRun(made, {
        axis: axis.axis,
        velocity: () => this.#velocity(axis.axis, sign),
        say: (words) => say(says, words ?? ""),
      });
      this.#letGo.set(made, letGo);
      return made;
    };
    return make("div", { class: "jogs", hidden: true }, [button(-1), button(1), says]);
  }

  update(row: HTMLElement, axis: AxisResource): void {
    const offered = axis.jog === true && this.#live.snapshot?.cell.mode === "Manual";
    show(row, offered);
    const able = offered && this.#live.mayCommand && axis.latched.length === 0;
    for (const one of row.querySelectorAll("button")) {
      if (one.disabled === able) one.disabled = !able;
      // Nobody can be seen to hold what cannot be pressed.
      if (!able) this.#letGo.get(one)?.();
    }
  }

  #velocity(id: string, sign: 1 | -1): number | undefined {
    const axis = this.#live.snapshot?.axes.find((one) => one.axis === id);
    if (axis?.velocityMax === undefined || !this.#live.mayCommand) return undefined;
    return (sign * axis.velocityMax * Number(this.#speed.value)) / 100;
  }
}
