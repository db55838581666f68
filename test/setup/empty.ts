/**
 * After every test: the kernels that it made are powered off, and own no objects and no linear memory then. A kernel is
 * known from its first process on.
 */
import { afterEach } from "vitest";
import { Kernel } from "../../src/kernel/kernel.ts";

const made = new Set<Kernel>();
const { spawn } = Kernel.prototype;
Kernel.prototype.spawn = function (this: Kernel, ...args) {
  made.add(this);
  return spawn.apply(this, args);
};

afterEach(() => {
  const kernels = [...made];
  made.clear();
  for (const kernel of kernels) {
    kernel.shutdown();
    kernel.assertEmpty();
  }
});
