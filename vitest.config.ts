import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    setupFiles: ["test/setup/empty.ts"],
    globalSetup: ["test/setup/global.ts"],
    testTimeout: 60_000,
    pool: "threads",
    maxWorkers: 2,
    // Nothing in src/ keeps state in modules, so test files may share them: importing once halves the time.
    isolate: false,
  },
});
