/**
 * The profiles that are delivered: each passes the lint, and what is only from memory is said.
 * The idea: loaded as the product loads them. Refuses a profile with an error, however small.
 */
import { describe, expect, it } from "vitest";
import { loadProfile, profileIds } from "#drivers/profile-loader.js";
import { formatProblem } from "#drivers/yaml-source.js";

describe("profiles of the package", () => {
  it("are these", () => {
    const first = ["abb/drives-profile", "kinco/fd5p", "robotiq/2f"];
    expect(profileIds()).toEqual(expect.arrayContaining(first));
  });
  it.each(profileIds())("%s passes schema and lint", (id) => {
    const loaded = loadProfile(id);
    expect(
      loaded.ok ? [] : loaded.problems.filter((p) => p.severity === "error").map(formatProblem),
    ).toEqual([]);
    if (!loaded.ok) return;
    for (const warning of loaded.warnings)
      expect(warning.message).toMatch(/from memory|contradicted|cannot be verified/);
  });
  it("an unknown id is a problem with the nearest one", () => {
    const loaded = loadProfile("kinko/fd5p");
    expect(loaded).toMatchObject({
      ok: false,
      problems: [{ suggestion: "did you mean kinco/fd5p?" }],
    });
  });
});
