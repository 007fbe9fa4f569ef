/**
 * What is told of the cell's sagas in `meta/sagas`: for whom starts them and for whom shows them.
 *
 * The idea: a projection of the definition into the contract. Pure. It refuses to tell operations
 * and expressions: what a step does is the coordinator's.
 */
import type { SagaDefinition } from "#kernel/config/saga.js";
import type { Payload } from "#kernel/contract/topics.js";

export function sagaMetas(sagas: readonly SagaDefinition[]): Payload<"metaSagas">["sagas"] {
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
