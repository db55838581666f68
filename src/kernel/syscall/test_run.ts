/**
 * bpf(2) as bytes: BPF_PROG_TEST_RUN. Which members a run takes and gives back depends on the kind of program.
 *
 * Source   net/bpf/test_run.c: bpf_test_finish(), bpf_ctx_finish(); bpf_prog_test_run_syscall().
 */
import { TEST_RUN } from "../../abi/attr.ts";
import * as abi from "../../abi/bpf.ts";
import { E2BIG, EINVAL, ENOSPC } from "../../abi/errno.ts";
import type { TestRunKind } from "../../progs/prog_types.ts";
import type { TestRunResult } from "../bpf.ts";
import type { Fd } from "../fd.ts";
import { type Call, checkTail } from "./call.ts";
import { type Command, checkFlags, command, refuse, type Unpacked } from "./command.ts";

type Run = Unpacked<typeof TEST_RUN>;

export const TEST_RUN_COMMAND: Readonly<Record<number, Command>> = {
  [abi.BPF_PROG_TEST_RUN]: command(TEST_RUN, "batch_size", testRun),
};

interface Rules {
  /** Members that must be zero. */
  readonly zero: readonly (keyof Run)[];
  /** BPF_F_TEST_*; absent: none, or as `zero` says. */
  readonly flags?: number;
  /** Bytes of data_in. */
  readonly dataIn?: { readonly min: number; readonly max: number };
  /** Bytes of the context that comes in and goes out; absent: packets have none. A longer one must be zero behind them. */
  readonly ctxBytes?: number;
  /** What else is checked before memory is read. */
  readonly check?: (a: Run) => void;
  /** Longest context that is read. */
  readonly ctxMax?: number;
  /** Contexts are read before packets. */
  readonly ctxFirst?: true;
  /** Whether packets (and contexts of their own) go in and come out. */
  readonly packets: boolean;
  /** The context is changed where it lies. */
  readonly ctxInPlace?: true;
}

const PAGE_SIZE = 4096;
const ETH_HLEN = 14;
const NO_BUFFERS = ["data_in", "data_out", "ctx_out", "duration", "repeat"] as const;

const RULES: Readonly<Record<TestRunKind, Rules>> = {
  skb: {
    zero: ["cpu", "batch_size"],
    flags: abi.BPF_F_TEST_SKB_CHECKSUM_COMPLETE,
    packets: true,
    dataIn: { min: ETH_HLEN, max: PAGE_SIZE },
    ctxBytes: 192,
  },
  xdp: {
    zero: [],
    flags: abi.BPF_F_TEST_XDP_LIVE_FRAMES,
    packets: true,
    dataIn: { min: ETH_HLEN, max: Number.POSITIVE_INFINITY },
    ctxBytes: 24,
    ctxFirst: true,
    check: checkBatch,
  },
  flow_dissector: {
    zero: ["cpu", "batch_size"],
    packets: true,
    dataIn: { min: ETH_HLEN, max: PAGE_SIZE },
    ctxBytes: 56,
  },
  sk_lookup: {
    zero: ["flags", "cpu", "batch_size", "data_in", "data_size_in", "data_out", "data_size_out"],
    packets: true,
    ctxBytes: 72,
  },
  nf: { zero: ["flags", "cpu", "batch_size"], packets: true, dataIn: { min: ETH_HLEN, max: PAGE_SIZE } },
  raw_tp: { zero: [...NO_BUFFERS, "batch_size"], packets: false, ctxMax: 12 * 8 },
  tracing: { zero: ["flags", "cpu", "batch_size"], packets: false },
  syscall: { zero: [...NO_BUFFERS, "flags", "batch_size"], packets: false, ctxInPlace: true, ctxMax: 0xffff },
  struct_ops: { zero: [], packets: false },
};

function testRun(call: Call, a: Run): number {
  if ((a.ctx_size_in === 0) !== (a.ctx_in === 0n)) refuse(EINVAL, `ctx_in of ${a.ctx_size_in} bytes and its address`);
  if ((a.ctx_size_out === 0) !== (a.ctx_out === 0n))
    refuse(EINVAL, `ctx_out of ${a.ctx_size_out} bytes and its address`);
  const { proc } = call;
  const prog = proc.progAt(a.prog_fd as Fd);
  const kind = proc.kernel.platform.progTypes[prog.type]?.testRun;
  const rules = kind && RULES[kind];
  // Without a kind the command says why not.
  if (!rules) {
    proc.progTestRun(a.prog_fd as Fd);
    return 0;
  }
  for (const member of rules.zero) {
    if (a[member]) refuse(EINVAL, `test run of '${prog.name}': ${member} ${a[member]}; wanted 0`, { member });
  }
  if (rules.flags !== undefined) checkFlags(`test run of '${prog.name}'`, a.flags, rules.flags);
  rules.check?.(a);
  const context = () => {
    const { ctxMax = a.ctx_size_in } = rules;
    if (a.ctx_size_in > ctxMax) refuse(EINVAL, `ctx_in of ${a.ctx_size_in} bytes; wanted at most ${ctxMax}`);
    return a.ctx_size_in && kind !== "tracing" ? { ctxIn: contextIn(call, a, rules) } : {};
  };
  const data = () => {
    const { min, max } = rules.dataIn ?? { min: 0, max: a.data_size_in };
    if (a.data_size_in < min || a.data_size_in > max) {
      refuse(EINVAL, `test run of '${prog.name}': ${a.data_size_in} bytes of data; wanted ${min} to ${max}`);
    }
    return a.data_size_in && rules.packets ? { dataIn: call.read(a.data_in, a.data_size_in) } : {};
  };
  const given = rules.ctxFirst ? { ...context(), ...data() } : { ...data(), ...context() };
  const run = proc.progTestRun(a.prog_fd as Fd, {
    ...given,
    ...(a.ctx_out ? { ctxSizeOut: WHOLE_CTX } : {}),
    repeat: a.repeat,
    flags: a.flags,
    cpu: kind === "xdp" ? 0 : a.cpu,
    batchSize: a.batch_size,
  });
  if (!rules.packets) {
    if (rules.ctxInPlace) call.write(a.ctx_in, run.ctxOut);
    call.put(TEST_RUN, { retval: run.retval });
    return 0;
  }
  // Live frames leave by themselves; what is given back is the frame that came in.
  const live = kind === "xdp" && (a.flags & abi.BPF_F_TEST_XDP_LIVE_FRAMES) !== 0;
  // struct xdp_md: data_end says where the first piece ends.
  const linear = kind === "xdp" && run.ctxOut.length ? u32At(run.ctxOut, 4) : run.dataOut.length;
  return finish(call, a, live && given.dataIn ? { ...run, dataOut: given.dataIn } : run, linear);
}

function u32At(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
}

/** TEST_XDP_MAX_BATCH. */
const MAX_BATCH = 256;

/** Frames go in batches only where they are really sent. */
function checkBatch(a: Run): void {
  if (!(a.flags & abi.BPF_F_TEST_XDP_LIVE_FRAMES)) {
    if (a.batch_size) refuse(EINVAL, `batch_size ${a.batch_size} without BPF_F_TEST_XDP_LIVE_FRAMES`);
  } else if (a.batch_size > MAX_BATCH) refuse(E2BIG, `batch_size ${a.batch_size}; wanted at most ${MAX_BATCH}`);
}

/** Arguments of a traced function are skep's own: Linux calls its test functions, and does not look. */
function contextIn(call: Call, a: Run, { ctxBytes }: Rules): Uint8Array {
  if (ctxBytes === undefined) return call.read(a.ctx_in, a.ctx_size_in);
  checkTail(ctxBytes, a.ctx_size_in, (off, n) => call.read(a.ctx_in + BigInt(off), n));
  return call.read(a.ctx_in, Math.min(a.ctx_size_in, ctxBytes));
}

/** More than any context has: all of it is wanted. */
const WHOLE_CTX = 0x10000;

/** @param linear bytes of the packet that are in one piece: where not even the other pieces fit, nothing is written */
function finish(call: Call, a: Run, run: TestRunResult, linear: number): number {
  const { dataOut, ctxOut } = run;
  // Without room given, all is copied.
  const cut = a.data_size_out !== 0 && dataOut.length > a.data_size_out;
  const noRoom = () => refuse(ENOSPC, `${dataOut.length} bytes of data; there is room for ${a.data_size_out}`);
  if (a.data_out && cut && a.data_size_out < dataOut.length - linear) noRoom();
  try {
    if (a.data_out) call.write(a.data_out, cut ? dataOut.subarray(0, a.data_size_out) : dataOut);
  } catch (e) {
    // That it would not have fitted counts more than that there is no memory.
    if (cut) noRoom();
    throw e;
  }
  call.put(TEST_RUN, { data_size_out: dataOut.length, retval: run.retval, duration: run.durationNs });
  if (cut) noRoom();
  if (a.ctx_out && ctxOut.length) {
    call.write(a.ctx_out, ctxOut.subarray(0, a.ctx_size_out));
    call.put(TEST_RUN, { ctx_size_out: ctxOut.length });
    if (ctxOut.length > a.ctx_size_out)
      refuse(ENOSPC, `a context of ${ctxOut.length} bytes; room for ${a.ctx_size_out}`);
  }
  return 0;
}
