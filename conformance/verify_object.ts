import { BpfError } from "../src/abi/errno.ts";
import type { Btf } from "../src/btf/btf.ts";
import { Kernel } from "../src/kernel/kernel.ts";
import { loadAlone } from "../src/loader/load_alone.ts";
import { readFile } from "../src/node/files.ts";
import { runningKernelFacts } from "../src/node/kernel_facts.ts";
import { openSpec } from "../src/object/open.ts";
import type { ObjectSpec } from "../src/object/spec.ts";
import { linux618 } from "../src/verifier/profile.ts";
import { Workspaces } from "../src/verifier/workspace.ts";
import type { VerdictRow } from "./compare.ts";
import { RECORDED } from "./recorded.ts";
import type { Job } from "./worker.ts";

/** Some objects ask for the kernel's configuration and symbols. */
const facts = runningKernelFacts();

/** A kernel is made for each program, their verifier's room once. */
const workspaces = new Workspaces();

/** Verifies each program of the job alone. A crash of ours becomes a row whose message begins with "crash: ". */
export function verifyObject(job: Job, kernelBtf: Btf): VerdictRow[] {
  let spec: ObjectSpec;
  try {
    spec = openSpec(readFile(job.path), job.file);
  } catch (e) {
    return job.progs.map((p) => failed(job, p, e));
  }
  const options = { ...facts, kernelBtf };
  const platform = linux618(kernelBtf, RECORDED);
  return job.progs.map((p) => {
    // A kernel for each program: nothing one leaves behind changes the next.
    const kernel = new Kernel({ platform, workspaces });
    try {
      const {
        log: _,
        insnIdx: __,
        stats: ___,
        message: ____,
        explain: _____,
        ...row
      } = loadAlone(spec, p.prog, kernel.spawn(), options);
      return { ...row, sec: p.sec };
    } catch (e) {
      return failed(job, p, e);
    }
  });
}

function failed(job: Job, p: Job["progs"][number], e: unknown): VerdictRow {
  const known = e instanceof BpfError;
  const msg = known ? e.message : `crash: ${(e as Error).stack?.split("\n").slice(0, 3).join(" | ")}`;
  const base = { file: job.file, prog: p.prog, sec: p.sec, type: p.type, insns: 0, states: 0, us: 0 };
  return { ...base, verdict: "failure", stage: "loader", errno: known ? e.errno : 0, msg };
}
