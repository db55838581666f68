/**
 * Verification time against Linux, both in one run on one machine: every program that both accept, in one warmed process.
 *
 * Each file's first program is verified once before, to warm up; Linux is asked right after, so that both meet the
 * same load. Times are those that verifiers report: skep's own clock, and "verification time" of Linux's log.
 */
import { join } from "node:path";
import { Kernel } from "../src/kernel/kernel.ts";
import { loadAlone } from "../src/loader/load_alone.ts";
import { readFile } from "../src/node/files.ts";
import { loadKernelBtf } from "../src/node/kernel_btf.ts";
import { runningKernelFacts } from "../src/node/kernel_facts.ts";
import { linux } from "../src/node/linux/index.ts";
import { openSpec } from "../src/object/open.ts";
import type { ObjectSpec } from "../src/object/spec.ts";
import { linux618 } from "../src/verifier/profile.ts";
import { RECORDED } from "./recorded.ts";

export interface Timed {
  readonly file: string;
  readonly prog: string;
  readonly insns: number;
  readonly skepUs: number;
  readonly linuxUs: number;
}

/** @throws BpfError where bpf(2) is not permitted */
export function timeAgainstLinux(
  objects: string,
  programs: readonly { readonly file: string; readonly prog: string }[],
  onProgress: (done: number) => void,
): Timed[] {
  const real = linux();
  const kernelBtf = loadKernelBtf().btf;
  const options = { ...runningKernelFacts(), kernelBtf };
  const platform = linux618(kernelBtf, RECORDED);
  const timed: Timed[] = [];
  // One kernel and one reading of each file: what is thrown away between programs would be collected on the clock.
  const kernel = new Kernel({ platform });
  let spec: ObjectSpec | undefined;
  for (const [done, { file, prog }] of programs.entries()) {
    onProgress(done);
    const ours = (of: ObjectSpec) => {
      const proc = kernel.spawn();
      const verdict = loadAlone(of, prog, proc, options);
      proc.exit();
      return verdict;
    };
    if (spec?.file !== file) {
      spec = openSpec(readFile(join(objects, file)), file);
      ours(spec);
    }
    const [skep, theirs] = [ours(spec), loadAlone(spec, prog, real, options)];
    if (skep.verdict === "success" && theirs.verdict === "success") {
      timed.push({ file, prog, insns: skep.insns, skepUs: skep.us, linuxUs: theirs.us });
    }
  }
  return timed;
}
