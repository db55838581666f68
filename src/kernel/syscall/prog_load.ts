/**
 * bpf(2) as bytes: BPF_PROG_LOAD. Buffers are read when the load comes to them, so that what Linux checks before is
 * checked before.
 */
import { PROG_LOAD } from "../../abi/attr.ts";
import * as abi from "../../abi/bpf.ts";
import { E2BIG, EINVAL, EOPNOTSUPP } from "../../abi/errno.ts";
import { VerifierError } from "../bpf.ts";
import type { Fd } from "../fd.ts";
import type { Call } from "./call.ts";
import { type Command, command, refuse, type Unpacked } from "./command.ts";
import { checkLogRoom, type LogRoom, logNeeds, logTooShort, writeLog } from "./log.ts";

type Load = Unpacked<typeof PROG_LOAD>;

export const PROG_LOAD_COMMAND: Readonly<Record<number, Command>> = {
  [abi.BPF_PROG_LOAD]: command(PROG_LOAD, "keyring_id", progLoad),
};

/** With the NUL. */
const LICENSE_BYTES = 128;
const FUNC_INFO_BYTES = 8;
const LINE_INFO_BYTES = 16;
const CORE_RELO_BYTES = 16;
const MAX_RECORD = 252;
/** More than this is refused by the load. */
const MAX_FD_ARRAY = 1 << 20;
const LD_IMM64 = 0x18;
const CALL = 0x85;

function progLoad(call: Call, a: Load): number {
  const room: LogRoom = { level: a.log_level, size: a.log_size, addr: a.log_buf };
  const infos = a.func_info_cnt > 0 || a.line_info_cnt > 0;
  const target = a.attach_prog_fd ? attachTarget(call, a.attach_prog_fd) : {};
  let insns: Uint8Array | undefined;
  let fds: readonly Fd[] | undefined;
  const finish = (log: string) => {
    const whole = writeLog(call, room, log);
    if (call.size >= PROG_LOAD.endOf("log_true_size")) call.put(PROG_LOAD, { log_true_size: logNeeds(room, log) });
    return whole;
  };
  try {
    const { fd, log } = call.proc.progLoad({
      progType: a.prog_type,
      insnCnt: a.insn_cnt,
      get insns() {
        insns ??= call.read(a.insns, a.insn_cnt * 8);
        return insns;
      },
      get license() {
        const license = call.text(a.license, LICENSE_BYTES - 1);
        if (a.signature) refuse(EOPNOTSUPP, "signed programs: there are no keyrings here");
        return license;
      },
      name: a.prog_name,
      progFlags: a.prog_flags & ~abi.BPF_F_TOKEN_FD,
      ...(a.prog_flags & abi.BPF_F_TOKEN_FD ? { tokenFd: a.prog_token_fd as Fd } : {}),
      kernVersion: a.kern_version,
      progIfindex: a.prog_ifindex,
      expectedAttachType: a.expected_attach_type,
      get logLevel() {
        checkLogRoom(room);
        return a.log_level;
      },
      ...(infos ? { progBtfFd: a.prog_btf_fd as Fd } : {}),
      get funcInfo() {
        return records(call, "func_info", a.func_info, a.func_info_cnt, a.func_info_rec_size, FUNC_INFO_BYTES);
      },
      get lineInfo() {
        return records(call, "line_info", a.line_info, a.line_info_cnt, a.line_info_rec_size, LINE_INFO_BYTES);
      },
      get coreRelos() {
        // Without records of functions or lines Linux does not look at the BTF.
        if (!infos) return new Uint8Array();
        return records(call, "core_relos", a.core_relos, a.core_relo_cnt, a.core_relo_rec_size, CORE_RELO_BYTES);
      },
      attachBtfId: a.attach_btf_id,
      ...target,
      get fdArray() {
        fds ??= fdArray(call, a, this.insns);
        return fds;
      },
      fdArrayCnt: a.fd_array_cnt,
    });
    if (finish(log)) return fd;
    call.proc.close(fd);
    return logTooShort(room, log);
  } catch (e) {
    if (e instanceof VerifierError && !finish(e.log)) logTooShort(room, e.log);
    throw e;
  }
}

/** attach_prog_fd is a program's or a BTF's. */
function attachTarget(call: Call, fd: number): { attachProgFd: Fd } | { attachBtfObjFd: Fd } {
  return call.proc.fdTable.find(fd)?.kind === "prog" ? { attachProgFd: fd as Fd } : { attachBtfObjFd: fd as Fd };
}

/**
 * Records of the size that the kernel knows, of a caller that may know longer ones: what is more must be zero
 * (check_btf_info(), check_core_relo()).
 */
function records(call: Call, what: string, addr: bigint, count: number, recSize: number, known: number): Uint8Array {
  if (count === 0) return new Uint8Array();
  if (recSize < known || recSize > MAX_RECORD || recSize % 4) {
    refuse(EINVAL, `${what}: records of ${recSize} bytes; wanted ${known} to ${MAX_RECORD}`, { recSize });
  }
  const all = call.read(addr, count * recSize);
  if (recSize === known) return all;
  const out = new Uint8Array(count * known);
  for (let n = 0; n < count; n++) {
    const record = all.subarray(n * recSize, (n + 1) * recSize);
    if (record.subarray(known).some((byte) => byte !== 0)) {
      refuse(E2BIG, `${what}: record ${n} of ${recSize} bytes, of which this kernel knows ${known}`, { record: n });
    }
    out.set(record.subarray(0, known), n * known);
  }
  return out;
}

/** Without a count the array is as long as the instructions make it. */
function fdArray(call: Call, a: Load, insns: Uint8Array): readonly Fd[] | undefined {
  if (a.fd_array === 0n && a.fd_array_cnt === 0) return undefined;
  if (a.fd_array_cnt > MAX_FD_ARRAY) return [];
  const bytes = call.read(a.fd_array, 4 * (a.fd_array_cnt || namedFds(insns)));
  return [...new Int32Array(bytes.buffer)] as Fd[];
}

/** One more than the highest index into fd_array that instructions have. */
function namedFds(insns: Uint8Array): number {
  const view = new DataView(insns.buffer, insns.byteOffset, insns.length);
  let n = 0;
  for (let at = 0; at < insns.length; at += 8) {
    const src = insns[at + 1]! >> 4;
    if (insns[at] === LD_IMM64) {
      if (src === abi.BPF_PSEUDO_MAP_IDX || src === abi.BPF_PSEUDO_MAP_IDX_VALUE) {
        n = Math.max(n, view.getInt32(at + 4, true) + 1);
      }
      at += 8;
    } else if (insns[at] === CALL && src === abi.BPF_PSEUDO_KFUNC_CALL && view.getInt16(at + 2, true) > 0) {
      n = Math.max(n, view.getInt16(at + 2, true) + 1);
    }
  }
  return n;
}
