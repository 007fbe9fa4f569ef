/**
 * Takes a part with the right gripper, which hangs 40 mm beside the left one.
 * The idea: one of two, see twins.mjs. It refuses to differ in more than its name and place.
 */
import { take } from "./twins.mjs";

export const saga = take("right", "40 mm");
