/**
 * Simulated I/O modules.
 *
 * The idea: which points are outputs stands here a second time; inputs are set by `simulate`, as
 * register.input1: 1. It refuses nothing of its own.
 */
import { type RemoteIoFacts, remoteIo } from "../behaviours/remote-io.js";
import { modbusDevice } from "../modbus-device.js";
import type { Family } from "./family.js";

function outputs(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `output${i + 1}`);
}

const plain = { togglesCoils: false, settings: {}, watchdog: false } as const;

const modules: Readonly<Record<string, RemoteIoFacts>> = {
  "beckhoff/bk-coupler": {
    functions: [1, 2, 3, 4, 5, 6, 15, 16, 23],
    outputs: outputs(8),
    togglesCoils: false,
    watchdog: true,
    settings: { digitalOutputs: 8, digitalInputs: 8, watchdogTime: 1000, watchdogType: 1 },
  },
  "generic/io": { ...plain, functions: [1, 2, 5, 15], outputs: outputs(8) },
  "moxa/e1214": {
    ...plain,
    functions: [1, 3, 4, 5, 6, 15],
    outputs: outputs(6),
    word: "relayWord",
  },
  "waveshare/relay": {
    ...plain,
    functions: [1, 3, 5, 6, 15],
    outputs: outputs(8),
    togglesCoils: true,
    settings: { version: 200 },
  },
};

export const ioModules: Family = {
  profiles: Object.keys(modules),
  make: (common, _axis, _wishes) => {
    const facts = modules[common.profile.id];
    if (facts === undefined) throw new TypeError(`${common.profile.id} is no I/O module`);
    return modbusDevice({ ...common, behaviour: remoteIo(facts) });
  },
};
