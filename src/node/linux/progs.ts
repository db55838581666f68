/** Commands on programs: load with its log, test run. */

import { PROG_LOAD, TEST_RUN } from "../../abi/attr.ts";
import * as abi from "../../abi/bpf.ts";
import { cString, fromCString } from "../../abi/cstring.ts";
import { ENOSPC, type Errno } from "../../abi/errno.ts";
import {
  type Fd,
  type ProgLoadAttr,
  type ProgLoadResult,
  type TestRunAttr,
  type TestRunResult,
  VerifierError,
  type VerifierStats,
} from "../../kernel/bpf.ts";
import { PROG_TYPES, type TestRunKind } from "../../progs/prog_types.ts";
import { type Commands, commandError } from "./command.ts";
import { checkName } from "./maps.ts";

const FIRST_LOG = (1 << 16) - 1;
/** What kernels before 5.2 take. */
const LAST_LOG = (1 << 24) - 1;

interface Attempt {
  readonly ret: number;
  readonly log: string;
  readonly trueSize: number;
}

/** @throws VerifierError when the log says something, else BpfError */
export function progLoad(cmd: Commands, a: ProgLoadAttr): ProgLoadResult {
  checkName(a.name, "program");
  let level = a.logLevel ?? 0;
  let done = attempt(cmd, a, level, a.logSize ?? FIRST_LOG);
  if (done.ret < 0 && level === 0) {
    // Only a log tells whether the verifier or the command's own checks said no.
    level = 1;
    done = attempt(cmd, a, level, a.logSize ?? FIRST_LOG);
  }
  for (let size = FIRST_LOG; done.ret === -ENOSPC && a.logSize === undefined && size < LAST_LOG; ) {
    size = Math.min(Math.max(done.trueSize, size * 8), LAST_LOG);
    done = attempt(cmd, a, level, size);
  }
  const { ret, log, trueSize } = done;
  const stats = statsOf(log);
  if (ret >= 0) {
    const text = a.logLevel ? log : "";
    return { fd: ret as Fd, log: text, logTrueSize: trueSize || text.length + 1, ...(stats && { stats }) };
  }
  if (log === "") throw commandError(-ret, `program type ${a.progType}`, abi.BPF_PROG_LOAD);
  const context = { logTrueSize: trueSize };
  throw new VerifierError(-ret as Errno, lastLine(log), { log, insnIdx: lastInsn(log), stats, context });
}

function attempt(cmd: Commands, a: ProgLoadAttr, level: number, logSize: number): Attempt {
  const { sys } = cmd;
  const log = level === 0 ? undefined : new Uint8Array(logSize);
  const license = cString(a.license);
  const fds = a.fdArray && new Uint8Array(Int32Array.from(a.fdArray).buffer);
  const { funcInfoRecSize = 8, lineInfoRecSize = 16, coreReloRecSize = 16 } = a;
  const attr = PROG_LOAD.pack(sys, {
    prog_type: a.progType,
    insn_cnt: a.insns.length >> 3,
    insns: a.insns,
    license,
    log_level: level,
    log_size: log?.length,
    log_buf: log,
    kern_version: a.kernVersion,
    prog_flags: (a.progFlags ?? 0) | (a.tokenFd === undefined ? 0 : abi.BPF_F_TOKEN_FD),
    prog_token_fd: a.tokenFd,
    fd_array_cnt: a.fdArrayCnt,
    prog_name: a.name,
    prog_ifindex: a.progIfindex,
    expected_attach_type: a.expectedAttachType,
    prog_btf_fd: a.progBtfFd,
    ...(a.funcInfo && {
      func_info: a.funcInfo,
      func_info_cnt: a.funcInfo.length / funcInfoRecSize,
      func_info_rec_size: funcInfoRecSize,
    }),
    ...(a.lineInfo && {
      line_info: a.lineInfo,
      line_info_cnt: a.lineInfo.length / lineInfoRecSize,
      line_info_rec_size: lineInfoRecSize,
    }),
    ...(a.coreRelos && {
      core_relos: a.coreRelos,
      core_relo_cnt: a.coreRelos.length / coreReloRecSize,
      core_relo_rec_size: coreReloRecSize,
    }),
    attach_btf_id: a.attachBtfId,
    attach_prog_fd: a.attachProgFd ?? a.attachBtfObjFd,
    fd_array: fds,
  });
  const ret = cmd.try(abi.BPF_PROG_LOAD, attr, a, license, log, fds);
  const trueSize = PROG_LOAD.unpack(attr).log_true_size;
  return { ret, log: log ? fromCString(log) : "", trueSize };
}

const PROCESSED =
  /^processed (\d+) insns \(limit \d+\) max_states_per_insn (\d+) total_states (\d+) peak_states (\d+) mark_read (\d+)/m;

function statsOf(log: string): VerifierStats | undefined {
  const tail = log.slice(-4096);
  const m = PROCESSED.exec(tail);
  if (!m) return undefined;
  const [insnsProcessed, maxStatesPerInsn, totalStates, peakStates, markRead] = m.slice(1).map(Number);
  const stackDepth = /^stack depth (\S*)/m.exec(tail)?.[1] ?? "";
  const timeUs = Number(/^verification time (\d+) usec/m.exec(tail)?.[1] ?? 0);
  return { insnsProcessed, maxStatesPerInsn, totalStates, peakStates, markRead, stackDepth, timeUs };
}

function lastLine(log: string): string {
  const lines = log.split("\n").filter((l) => l !== "" && !/^(processed \d|verification time |stack depth )/.test(l));
  return lines.at(-1) ?? "refused";
}

/** The last instruction that the log shows. */
function lastInsn(log: string): number | undefined {
  const tail = log.slice(-65536);
  const at = [...tail.matchAll(/^(\d+): \([0-9a-f]{2}\)/gm)].at(-1);
  return at && Number(at[1]);
}

/** Packets grow by what helpers add; no test run gives more. */
const DATA_ROOM = 1 << 18;
const CTX_ROOM = 1 << 12;

/** Kinds of test runs that refuse room for a context, or write it back to where it came from. */
const NO_CTX_OUT: ReadonlySet<TestRunKind | undefined> = new Set(["raw_tp", "tracing", "syscall", "struct_ops"]);

/** Runs of one process reuse the buffers, which the kernel fills as far as its answer says. */
export class TestRuns {
  readonly #cmd: Commands;
  readonly #data = new Uint8Array(DATA_ROOM);
  readonly #ctx = new Uint8Array(CTX_ROOM);

  constructor(cmd: Commands) {
    this.#cmd = cmd;
  }

  /** @param progType BPF_PROG_TYPE_* */
  run(fd: Fd, progType: number, a: TestRunAttr): TestRunResult {
    const kind = PROG_TYPES[progType]?.testRun;
    const live = ((a.flags ?? 0) & abi.BPF_F_TEST_XDP_LIVE_FRAMES) !== 0;
    const wantsData = a.dataIn !== undefined && !live;
    const wantsCtx = (a.ctxIn !== undefined || a.ctxSizeOut !== undefined) && !live && !NO_CTX_OUT.has(kind);
    const { sys } = this.#cmd;
    const data = (a.dataSizeOut ?? 0) > DATA_ROOM ? new Uint8Array(a.dataSizeOut!) : this.#data;
    // a copy: syscall programs write to it
    const ctxIn = a.ctxIn?.slice();
    const attr = TEST_RUN.pack(sys, {
      prog_fd: fd,
      data_size_in: a.dataIn?.length,
      data_in: a.dataIn?.length ? a.dataIn : 0,
      data_size_out: a.dataSizeOut ?? (wantsData ? data.length : 0),
      data_out: wantsData ? data : 0,
      ctx_size_in: ctxIn?.length,
      ctx_in: ctxIn?.length ? ctxIn : 0,
      ctx_size_out: a.ctxSizeOut ?? (wantsCtx ? CTX_ROOM : 0),
      ctx_out: wantsCtx ? this.#ctx : 0,
      repeat: a.repeat,
      flags: a.flags,
      cpu: a.cpu,
      batch_size: a.batchSize,
    });
    const ret = this.#cmd.try(abi.BPF_PROG_TEST_RUN, attr, a, ctxIn, data);
    const out = TEST_RUN.unpack(attr);
    const dataOut = wantsData
      ? data.slice(0, Math.min(out.data_size_out, a.dataSizeOut || data.length))
      : new Uint8Array();
    if (ret < 0) {
      const context = { retval: out.retval, dataOut, dataSizeOut: out.data_size_out };
      throw commandError(-ret, `program fd ${fd}`, abi.BPF_PROG_TEST_RUN, -ret === ENOSPC ? context : {});
    }
    const ctxOut = kind === "syscall" ? ctxIn : wantsCtx ? this.#ctx.slice(0, out.ctx_size_out) : undefined;
    return { retval: out.retval, dataOut, ctxOut: ctxOut ?? new Uint8Array(), durationNs: out.duration };
  }
}
