/**
 * Forms a part in press b.
 * The idea: one of two, see twins.mjs. It refuses to differ in more than its name and place.
 */
import { formAt } from "./twins.mjs";

export const saga = formAt("press-b", "500 mm");
