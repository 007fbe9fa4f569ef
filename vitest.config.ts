/**
 * How the tests find the rooms: the package imports point at the build, the tests at the source.
 * The idea: one alias per room, so that a test sees the same line as the code. Refuses retries.
 */
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const root = fileURLToPath(new URL(".", import.meta.url));
const room = (name: string, folder: string) => ({
  find: new RegExp(`^#${name}/(.*)\\.js$`),
  replacement: `${root}${folder}/$1.ts`,
});

// biome-ignore lint/style/noDefaultExport: vitest reads its configuration from the default export.
export default defineConfig({
  resolve: {
    alias: [
      room("drivers", "drivers"),
      room("kernel", "services/kernel"),
      room("simulators", "simulators"),
    ],
  },
  test: {
    include: ["test/**/*.test.ts", "test/**/*.sim.ts"],
    // Bounds for what hangs, and no measure of anything: a busy machine is waited for.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 10_000 } },
    retry: 0,
  },
});
