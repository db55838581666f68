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

/** Names of the runs of one scenario that skep makes; the reason stands in parentheses when it makes none. */
const ON_SKEP = /^skep( \(|$)/;

const reasonIn = (title) => /^\w+ \((.*)\)$/.exec(title)?.[1];

/** What ran on which kernel: each scenario with one body for both, then other tests that ask the running Linux, by file. */
function reportKernels(files) {
  const reasons = new Map();
  const scenarios = [];
  const others = [];
  for (const file of files) {
    const path = relative(root, file.name).replaceAll("\\", "/");
    const asked = file.assertionResults.filter((t) => ON_LINUX.test(t.title));
    const left = new Set(path.startsWith("test/linux/") ? file.assertionResults : asked);
    for (const onLinux of asked) {
      const name = onLinux.ancestorTitles.join(" > ");
      const onSkep = file.assertionResults.find((t) => ON_SKEP.test(t.title) && t.ancestorTitles.join(" > ") === name);
      const skipped = onLinux.status !== "passed" && onLinux.status !== "failed";
      const reason = skipped ? (reasonIn(onLinux.title) ?? "the running Linux cannot be asked") : undefined;
      if (reason) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      if (!onSkep) continue;
      left.delete(onLinux);
      left.delete(onSkep);
      const ran = [onSkep, onLinux].filter((t) => t.status === "passed").map((t) => (t === onSkep ? "skep" : "Linux"));
      const why = reason ?? (onSkep.status === "passed" ? undefined : reasonIn(onSkep.title));
      scenarios.push({ path, name, ran: ran.join(" + ") || "nowhere", why });
    }
    const ran = [...left].filter((t) => t.status === "passed").length;
    if (left.size > 0) others.push([path, ran, left.size]);
  }
  const both = scenarios.filter((s) => s.ran === "skep + Linux").length;
  console.log(`\nscenarios: ${scenarios.length}; on both kernels: ${both}`);
  let last;
  for (const { path, name, ran, why } of scenarios.sort((a, b) => a.path.localeCompare(b.path))) {
    if (path !== last) console.log(`  ${path}`);
    last = path;
    console.log(`    ${ran.padEnd(12)}  ${name}${why ? ` (${why})` : ""}`);
  }
  const total = others.reduce((n, [, ran]) => n + ran, 0);
  console.log(`other tests that ask the running Linux: ${total}`);
  for (const [path, ran, all] of others.sort(([a], [b]) => a.localeCompare(b)))
    console.log(`  ${path.padEnd(46)} ${String(ran).padStart(4)} of ${all}`);
  if (reasons.size > 0) console.log("not on Linux, because:");
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
