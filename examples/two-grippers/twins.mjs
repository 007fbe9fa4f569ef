/**
 * The sagas that exist twice, made by one function each.
 * The idea: a gripper and its twin, a press and its twin, differ in a name and a place; so what
 * they do is written once. It refuses to hold anything that only one of the two does.
 */

/** Takes a part from the belt and lays it into a press, at `to`; `offset`: where the gripper hangs. */
export function take(gripper, offset) {
  const x = (name, place) => ({
    name,
    do: "x.moveTo",
    with: { position: offset === undefined ? place : `${place} - ${offset}`, velocity: "500 mm/s" },
    timeout: "8 s",
    makeSafe: "still",
  });
  const release = { do: `${gripper}.release`, with: { velocity: "100 %" } };
  return {
    saga: `take-${gripper}`,
    title: `Take a part with the ${gripper} gripper`,
    inputs: { to: { unit: "mm", min: "200 mm", max: "600 mm", text: "Where the part goes" } },
    steps: [
      {
        name: "open",
        ...release,
        timeout: "8 s",
        makeSafe: { none: "an open gripper holds nothing" },
      },
      x("to-belt", "= 100 mm"),
      {
        name: "grip",
        do: `${gripper}.grip`,
        with: { velocity: "100 %", force: "40 %" },
        timeout: "8 s",
        makeSafe: [release],
      },
      x("to-press", "= input.to"),
      {
        name: "let-go",
        ...release,
        timeout: "8 s",
        makeSafe: { none: "an open gripper holds nothing" },
      },
      x("clear", "= 100 mm"),
    ],
  };
}

/** Has a part laid into the press and forms it. The press comes first: it decides on the twin. */
export function formAt(press, place) {
  const open = { position: "100 mm", velocity: "100 mm/s" };
  const up = { do: `${press}.moveTo`, with: open };
  return {
    saga: `form-at-${press.at(-1)}`,
    title: `Form a part in ${press}`,
    inputs: {
      depth: { unit: "mm", min: "20 mm", max: "60 mm" },
      hold: { min: "100 ms", max: "2 s" },
    },
    steps: [
      { name: "open", ...up, timeout: "5 s", makeSafe: "still" },
      {
        name: "take",
        call: { saga: "take-left", with: { to: place } },
        orElse: [{ name: "take-instead", call: { saga: "take-right", with: { to: place } } }],
      },
      {
        name: "down",
        do: `${press}.moveTo`,
        with: { position: "= 100 mm - input.depth", velocity: "60 mm/s" },
        timeout: "5 s",
        makeSafe: [up],
      },
      { name: "hold", dwell: "= input.hold" },
      { name: "up", ...up, timeout: "5 s", makeSafe: [up] },
    ],
  };
}
