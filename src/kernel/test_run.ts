/**
 * BPF_PROG_TEST_RUN: one entry per kind of program type (ProgType.testRun). Kinds that need packets are registered by net/.
 *
 * Errors   ENOTSUPP for a type that cannot be test-run; else as net/bpf/test_run.c and kernel/bpf/syscall.c.
 */
import * as abi from "../abi/bpf.ts";
import { BpfError, E2BIG, EFAULT, EINVAL, ENOTSUPP, ENXIO } from "../abi/errno.ts";
import { RunFault } from "../interp/image.ts";
import type { JitProgram } from "../jit/jit.ts";
import { CPU_CTX } from "../memory/cpu_ctx.ts";
import type { VAddr } from "../memory/memory.ts";
import type { TestRunKind } from "../progs/prog_types.ts";
import type { TestRunAttr, TestRunResult } from "./bpf.ts";
import type { Kernel, TestRunner } from "./kernel.ts";
import type { Process } from "./process.ts";
import type { Prog } from "./prog.ts";
import { runStructOps } from "./struct_ops/test_run.ts";
import { callTestFunctions } from "./test_functions.ts";
import { MAX_ARGS_BYTES, withArgs } from "./trace/context.ts";

const U16_MAX = 0xffff;
const NOTHING = new Uint8Array();

export const TEST_RUNNERS: Partial<Record<TestRunKind, TestRunner>> = {
  raw_tp: runRawTracepoint,
  syscall: runSyscall,
  struct_ops: runStructOps,
  tracing: runTracing,
};

export function progTestRun(proc: Process, prog: Prog, attr: TestRunAttr): TestRunResult {
  const { kernel } = proc;
  const kind = kernel.platform.progTypes[prog.type]?.testRun;
  const runner = kind && kernel.testRunners[kind];
  if (!runner) {
    throw new BpfError(ENOTSUPP, `program '${prog.name}': programs of type ${prog.type} cannot be test-run`, {
      type: prog.type,
    });
  }
  return runner(proc, prog, attr);
}

/** Runs repeat times (at least once) and times it; the last result counts. */
export function runRepeated(
  kernel: Kernel,
  prog: Prog,
  ctx: number,
  attr: TestRunAttr,
  before?: () => void,
): { retval: number; durationNs: number } {
  const repeat = Math.max(1, attr.repeat ?? 1);
  const runnable = prog.runnable(attr.engine);
  let retval = 0;
  const run = () => {
    // The JIT repeats inside WebAssembly.
    if (!before && "runRepeat" in runnable) {
      retval = (runnable as JitProgram).runRepeat(ctx, repeat);
      return;
    }
    for (let i = 0; i < repeat; i++) {
      before?.();
      retval = runnable.run(ctx);
    }
  };
  const start = performance.now();
  try {
    kernel.running(run);
  } catch (e) {
    if (e instanceof RunFault) prog.reportFault(e);
    throw e;
  }
  const took = performance.now() - start;
  prog.countRuns(repeat, took);
  return { retval: retval >>> 0, durationNs: Math.round((took * 1e6) / repeat) };
}

export function refuse(prog: Prog, what: string, context: Record<string, unknown> = {}): never {
  throw new BpfError(EINVAL, `test run of '${prog.name}': ${what}`, context);
}

/** Copies bytes into fresh memory of at least `room` bytes for the time of a run. */
function withBytes<T>(kernel: Kernel, bytes: Uint8Array, room: number, body: (addr: VAddr) => T): T {
  const addr = kernel.memory.alloc(Math.max(bytes.length, room, 8));
  try {
    kernel.memory.writeBytes(addr, bytes);
    return body(addr);
  } finally {
    kernel.memory.free(addr);
  }
}

/** Neither data, nor repeat: ctx_in is the u64 arguments of the tracepoint. */
function runRawTracepoint(proc: Process, prog: Prog, attr: TestRunAttr): TestRunResult {
  const { kernel } = proc;
  const ctx = attr.ctxIn ?? NOTHING;
  if (attr.dataIn || attr.repeat || attr.batchSize) refuse(prog, "raw tracepoints take neither data nor repeat");
  if (ctx.length > MAX_ARGS_BYTES) refuse(prog, `ctx_in of ${ctx.length} bytes; wanted at most ${MAX_ARGS_BYTES}`);
  if (ctx.length < prog.verified.maxCtxOffset) {
    refuse(prog, `ctx_in of ${ctx.length} bytes; the program reads ${prog.verified.maxCtxOffset}`);
  }
  const onCpu = ((attr.flags ?? 0) & abi.BPF_F_TEST_RUN_ON_CPU) !== 0;
  const cpu = attr.cpu ?? 0;
  if (!onCpu && cpu !== 0) refuse(prog, `cpu ${cpu} without BPF_F_TEST_RUN_ON_CPU`);
  if (cpu >= kernel.memory.cpus) throw new BpfError(ENXIO, `test run of '${prog.name}': no cpu ${cpu}`, { cpu });
  const { memory } = kernel;
  const here = memory.readU32(memory.cpuCtx + CPU_CTX.cpu);
  memory.writeU32(memory.cpuCtx + CPU_CTX.cpu, onCpu ? cpu : here);
  try {
    const { retval } = withArgs(kernel.memory, ctx, ctx.length >> 3, (addr) => runRepeated(kernel, prog, addr, attr));
    return { retval, dataOut: NOTHING, ctxOut: NOTHING, durationNs: 0 };
  } finally {
    memory.writeU32(memory.cpuCtx + CPU_CTX.cpu, here);
  }
}

/** The context is what the caller gives, and comes back changed. */
function runSyscall(proc: Process, prog: Prog, attr: TestRunAttr): TestRunResult {
  const { kernel } = proc;
  const ctx = attr.ctxIn ?? NOTHING;
  if (attr.dataIn || attr.repeat || attr.flags || attr.batchSize) refuse(prog, "syscall programs take ctx_in alone");
  if (ctx.length < prog.verified.maxCtxOffset || ctx.length > U16_MAX) {
    refuse(prog, `ctx_in of ${ctx.length} bytes; wanted ${prog.verified.maxCtxOffset} to ${U16_MAX}`);
  }
  return withBytes(kernel, ctx, 0, (addr) => {
    const { retval } = kernel.asCaller(proc, () => runRepeated(kernel, prog, addr, attr));
    return { retval, dataOut: NOTHING, ctxOut: kernel.memory.readBytes(addr, ctx.length), durationNs: 0 };
  });
}

/** Programs that see the result behind the arguments. */
const SEES_RESULT = new Set<number>([abi.BPF_TRACE_FEXIT, abi.BPF_MODIFY_RETURN]);

/**
 * Without ctx_in, as on Linux: calls the kernel's test functions, and with them whatever is attached there. With ctx_in
 * (skep's own): calls this program with those u64 words, the result last where the program sees one.
 */
function runTracing(proc: Process, prog: Prog, attr: TestRunAttr): TestRunResult {
  const { kernel } = proc;
  const ctx = attr.ctxIn ?? NOTHING;
  if (attr.flags || attr.cpu || attr.batchSize || attr.dataIn) {
    refuse(prog, "tracing programs take arguments in ctx_in alone");
  }
  const { expectedAttachType } = prog.facts;
  if (ctx.length === 0) {
    const retval = callTestFunctions(kernel, expectedAttachType);
    if (retval === undefined) {
      throw new BpfError(
        EFAULT,
        `test run of '${prog.name}': no test function for attach type ${expectedAttachType}`,
        {},
      );
    }
    return { retval, dataOut: NOTHING, ctxOut: NOTHING, durationNs: 0 };
  }
  if (ctx.length > MAX_ARGS_BYTES + 8 || ctx.length % 8) {
    const want = `wanted words of 8 bytes, at most ${MAX_ARGS_BYTES}`;
    throw new BpfError(E2BIG, `test run of '${prog.name}': ${ctx.length} bytes of arguments; ${want}`, {});
  }
  const nArgs = (ctx.length >> 3) - (SEES_RESULT.has(expectedAttachType) ? 1 : 0);
  const run = withArgs(kernel.memory, ctx, nArgs, (addr) => runRepeated(kernel, prog, addr, attr));
  return { ...run, dataOut: NOTHING, ctxOut: NOTHING };
}
