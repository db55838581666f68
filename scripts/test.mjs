// npm test: sets itself up, runs every test, prints the skipped ones with their reasons, and ends with the counts.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { build, install, root } from "./setup.mjs";

install();
await build();

const dir = mkdtempSync(join(tmpdir(), "skep-test-"));
const json = join(dir, "results.json");
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const args = [
  vitest,
  "run",
  "--reporter=default",
  "--reporter=json",
  `--outputFile.json=${json}`,
  ...process.argv.slice(2),
];
const run = spawnSync(process.execPath, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });

/** Names of tests that ask the running Linux. */
const ON_LINUX = /^Linux( \(|$)|^Linux:|\(Linux\)$|the running (Linux|kernel)/;

/**
 * What ran on which kernel, by file: tests with one body for both kernels have a run named "Linux", and where it makes no
 * sense there the reason is in that name.
 */
function reportKernels(files) {
  const rows = files.flatMap((file) => {
    const runs = file.assertionResults.filter((t) => ON_LINUX.test(t.title));
    const path = relative(root, file.name).replaceAll("\\", "/");
    const own = path.startsWith("test/linux/") ? file.assertionResults.filter((t) => !runs.includes(t)) : [];
    const ran = [...runs, ...own].filter((t) => t.status === "passed").length;
    return runs.length + own.length > 0 ? [{ path, ran, all: runs.length + own.length, runs }] : [];
  });
  const reasons = new Map();
  for (const { runs } of rows) {
    for (const { status, title } of runs) {
      if (status === "passed" || status === "failed") continue;
      const reason = /^Linux \((.*)\)$/.exec(title)?.[1] ?? "the running Linux cannot be asked";
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    }
  }
  const total = rows.reduce((n, r) => n + r.ran, 0);
  console.log(`\nscenarios that ran on the running Linux, too: ${total}`);
  for (const { path, ran, all } of rows.sort((a, b) => a.path.localeCompare(b.path)))
    console.log(`  ${path.padEnd(46)} ${String(ran).padStart(4)} of ${all}`);
  if (reasons.size > 0) console.log("on skep alone, because:");
  for (const [reason, n] of [...reasons].sort((a, b) => b[1] - a[1]))
    console.log(`  ${String(n).padStart(3)}  ${reason}`);
}

let counts;
try {
  const results = JSON.parse(readFileSync(json, "utf8"));
  const skipped = results.testResults.flatMap((file) =>
    file.assertionResults
      .filter((t) => t.status === "pending" || t.status === "skipped" || t.status === "todo")
      .map((t) => `  ${relative(root, file.name)}: ${t.fullName.trim()}`),
  );
  if (skipped.length > 0)
    console.log(`\nskipped (the reason stands in the name or is printed above):\n${skipped.join("\n")}`);
  reportKernels(results.testResults);
  counts = {
    passed: results.numPassedTests,
    failed: results.numFailedTests,
    skipped: results.numPendingTests + results.numTodoTests,
  };
  // A file that does not load has no tests in it: it counts as one failure.
  const broken = results.testResults.filter((f) => f.status === "failed" && f.assertionResults.length === 0).length;
  counts.failed += broken;
  if (run.status !== 0 && counts.failed === 0) counts.failed = 1;
} catch (e) {
  console.error(`no test results: ${e.message}`);
  counts = { passed: 0, failed: 1, skipped: 0 };
} finally {
  rmSync(dir, { recursive: true, force: true });
}

const tail = counts.skipped > 0 ? `, ${counts.skipped} skipped` : "";
console.log(`\n${counts.passed} passed, ${counts.failed} failed${tail}`);
process.exit(counts.failed > 0 || counts.passed === 0 ? 1 : 0);
