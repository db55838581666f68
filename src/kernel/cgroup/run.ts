/**
 * Running the programs that are effective in a cgroup.
 *
 * All of them run; the result is 0, or a negative errno when one said no. bpf_set_retval() changes it for those that run
 * later and for the caller.
 *
 * Source   bpf_prog_run_array_cg() in kernel/bpf/cgroup.c.
 */
import { EPERM } from "../../abi/errno.ts";
import type { Memory } from "../../memory/memory.ts";
import type { Kernel } from "../kernel.ts";
import type { Prog } from "../prog.ts";
import type { Cgroup } from "./cgroup.ts";
import { type CgroupEntry, hookOf } from "./progs.ts";

/** Programs that run in the cgroup for an attach type, in their order. */
export function effectiveProgs(
  kernel: Kernel,
  cgroup: Cgroup,
  attachType: number,
  attachBtfId = 0,
): readonly CgroupEntry[] {
  const hook = hookOf(attachType, attachBtfId);
  return kernel.cgroupProgs.idle(hook) ? [] : kernel.cgroupProgs.effective(cgroup, hook);
}

export interface CgroupVerdict {
  /** 0 or -errno. */
  readonly retval: number;
  /** Bits of r0 above the first, of all programs: 1 is BPF_RET_SET_CN or BPF_RET_BIND_NO_CAP_NET_BIND_SERVICE. */
  readonly bits: number;
}

export interface CgroupRunOptions {
  /** What bpf_get_retval() gives to the first program; default 0. */
  readonly retval?: number;
  /** The hook has more than one bit of result: egress, bind, connect. */
  readonly bits?: boolean;
  readonly attachBtfId?: number;
  /** Address of the member of the context that is the result, too: s32, which programs may read and write. */
  readonly retvalAt?: number;
}

const ALLOWED: CgroupVerdict = { retval: 0, bits: 0 };

/** IS_ERR_VALUE(). */
const isError = (n: number): boolean => n < 0 && n >= -4095;

/** @param ctx  address of the context that the programs get, or what makes it for each */
export function runCgroupProgs(
  kernel: Kernel,
  cgroup: Cgroup,
  attachType: number,
  ctx: number | ((prog: Prog) => number),
  options: CgroupRunOptions = {},
): CgroupVerdict {
  const { retval: first = 0, bits: hasBits = false, retvalAt } = options;
  const list = effectiveProgs(kernel, cgroup, attachType, options.attachBtfId);
  if (list.length === 0) return first === 0 ? ALLOWED : { retval: first, bits: 0 };
  const outer = kernel.cgroupRun;
  const run = retvalAt ? retvalIn(kernel.memory, retvalAt) : { retval: first };
  run.retval = first;
  kernel.cgroupRun = run;
  let bits = 0;
  try {
    kernel.running(() => {
      for (const { prog } of [...list]) {
        let ret = prog.run(typeof ctx === "number" ? ctx : ctx(prog));
        if (hasBits) {
          bits |= ret >>> 1;
          ret &= 1;
        }
        if (!ret && !isError(run.retval)) run.retval = -EPERM;
      }
    });
  } finally {
    kernel.cgroupRun = outer;
  }
  return { retval: run.retval, bits };
}

/** The helpers and the member of the context are the same result. */
function retvalIn(memory: Memory, addr: number): { retval: number } {
  return {
    get retval() {
      return memory.readU32(addr) | 0;
    },
    set retval(value) {
      memory.writeU32(addr, value);
    },
  };
}

/** NET_XMIT_* of egress programs, which may ask for congestion (bit 1). */
const NET_XMIT_DROP = 1;
const NET_XMIT_CN = 2;

/** 0 sent, NET_XMIT_DROP, NET_XMIT_CN, or -errno (BPF_PROG_CGROUP_INET_EGRESS_RUN_ARRAY). */
export function egressResult({ retval, bits }: CgroupVerdict): number {
  const congested = (bits & 1) !== 0;
  if (retval === 0) return congested ? NET_XMIT_CN : 0;
  return congested ? NET_XMIT_DROP : retval;
}
