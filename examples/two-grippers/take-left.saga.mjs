/**
 * Takes a part with the left gripper.
 * The idea: one of two, see twins.mjs. It refuses to differ in more than its name and place.
 */
import { take } from "./twins.mjs";

export const saga = take("left");
