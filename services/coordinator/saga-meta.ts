/**
 * What is told of the cell and its sagas in `meta/…`: for whom starts them and for whom shows them.
 *
 * The idea: a projection of the definition into the contract. It refuses to tell operations
 * and expressions: what a step does is the coordinator's.
 */
import type { CellConfig } from "#kernel/config/cell.js";
import type { SagaDefinition } from "#kernel/config/saga.js";
import type { Payload } from "#kernel/contract/topics.js";
import type { MessageLink } from "#kernel/ports.js";

/** Says what the cell is and which sagas it has, for whom comes later, too. */
export function sayMeta(main: MessageLink, config: CellConfig, version: string): void {
  const { cell, hash, simulation, sagas } = config;
  const head = { v: 1 as const, ts: Date.now() };
  const info = { ...head, cell, version, configHash: hash, simulated: simulation === true };
  main.publish("metaInfo", {}, info).catch(() => undefined);
  main.publish("metaSagas", {}, { ...head, sagas: sagaMetas(sagas) }).catch(() => undefined);
}

function sagaMetas(sagas: readonly SagaDefinition[]): Payload<"metaSagas">["sagas"] {
  return sagas.map((saga) => {
    const { name, title, version, uses, prepare, mode, priority, inputs, steps } = saga;
    return {
      name,
      title,
      version,
      uses: [...uses],
      ...(prepare === undefined ? {} : { prepare }),
      ...(mode === undefined ? {} : { mode }),
      ...(priority === undefined ? {} : { priority }),
      ...(inputs === undefined ? {} : { inputs: inputMetas(inputs) }),
      steps: steps.map(({ name, text, parent }) => {
        return { name, text, ...(parent === undefined ? {} : { parent }) };
      }),
    };
  });
}

function inputMetas(inputs: NonNullable<SagaDefinition["inputs"]>) {
  const metas = Object.entries(inputs).map(([name, { choices, ...spec }]) => {
    return [
      name,
      { ...spec, ...(choices === undefined ? {} : { choices: [...choices] }) },
    ] as const;
  });
  return Object.fromEntries(metas);
}
