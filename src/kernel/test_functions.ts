/**
 * The kernel functions that exist to be traced: BPF_PROG_TEST_RUN of a tracing program calls them with fixed arguments, and
 * with them every program attached there (net/bpf/test_run.c: bpf_fentry_test1() to 9, bpf_modify_return_test()).
 */
import { BPF_MODIFY_RETURN, BPF_TRACE_FENTRY, BPF_TRACE_FEXIT } from "../abi/bpf.ts";
import type { Memory, VAddr } from "../memory/memory.ts";
import type { Kernel } from "./kernel.ts";

interface TestFunction {
  readonly name: string;
  /** `scratch` is 16 zeroed bytes. */
  readonly args: (scratch: bigint) => readonly bigint[];
  readonly run: (args: readonly bigint[], memory: Memory) => bigint;
}

const sum = (args: readonly bigint[]): bigint => args.reduce((a, b) => a + b, 0n);
const numbers = (...args: bigint[]) => args;

const FENTRY_TESTS: readonly TestFunction[] = [
  { name: "bpf_fentry_test1", args: () => [1n], run: ([a]) => a! + 1n },
  { name: "bpf_fentry_test2", args: () => numbers(2n, 3n), run: sum },
  { name: "bpf_fentry_test3", args: () => numbers(4n, 5n, 6n), run: sum },
  { name: "bpf_fentry_test4", args: () => numbers(7n, 8n, 9n, 10n), run: sum },
  { name: "bpf_fentry_test5", args: () => numbers(11n, 12n, 13n, 14n, 15n), run: sum },
  { name: "bpf_fentry_test6", args: () => numbers(16n, 17n, 18n, 19n, 20n, 21n), run: sum },
  { name: "bpf_fentry_test7", args: () => [0n], run: ([p]) => p! },
  { name: "bpf_fentry_test8", args: (scratch) => [scratch], run: ([p], memory) => memory.readU64(Number(p)) },
  { name: "bpf_fentry_test9", args: (scratch) => [scratch], run: ([p], memory) => BigInt(memory.readU32(Number(p))) },
];

/** Adds one to *b and returns the sum of the arguments, *b for b. */
const modifyReturn = (args: readonly bigint[], memory: Memory): bigint => {
  const [a, b, ...rest] = args;
  const at = Number(b);
  memory.writeU32(at, memory.readU32(at) + 1);
  return a! + BigInt(memory.readU32(at)) + sum(rest);
};

const MODIFY_RETURN_TESTS: readonly TestFunction[] = [
  { name: "bpf_modify_return_test", args: (b) => [1n, b], run: modifyReturn },
  { name: "bpf_modify_return_test2", args: (b) => [1n, b, 3n, 4n, 5n, 6n, 7n], run: modifyReturn },
];

/** The retval of such a test run; undefined for attach types that have no test functions. */
export function callTestFunctions(kernel: Kernel, attachType: number): number | undefined {
  const { memory, traceHooks } = kernel;
  const scratch = memory.alloc(16);
  const call = ({ name, args, run }: TestFunction): bigint => {
    const words = args(BigInt(scratch));
    return traceHooks.call(name, words, () => run(words, memory));
  };
  try {
    if (attachType === BPF_TRACE_FENTRY || attachType === BPF_TRACE_FEXIT) {
      for (const test of FENTRY_TESTS) call(test);
      return 0;
    }
    if (attachType !== BPF_MODIFY_RETURN) return undefined;
    return modifyReturns(memory, scratch, call);
  } finally {
    memory.free(scratch);
  }
}

/** Low half: the sum of the results; high half: how many functions really ran, seen by their side effect. */
function modifyReturns(memory: Memory, b: VAddr, call: (test: TestFunction) => bigint): number {
  let ret = 0n;
  let sideEffects = 0;
  for (const test of MODIFY_RETURN_TESTS) {
    memory.writeU32(b, 2);
    ret += call(test);
    if (memory.readU32(b) !== 2) sideEffects++;
  }
  return ((sideEffects << 16) | Number(ret & 0xffffn)) >>> 0;
}
