/**
 * getsockopt() and setsockopt() through the programs of a socket's cgroup.
 *
 * A setsockopt program runs first: it may change level, name, value and length, refuse, or say that it has dealt with the
 * option (optlen -1). A getsockopt program runs after the kernel, sees its result, and may change value, length and result.
 *
 * Errors   what a program says, else EPERM where one says no; EFAULT an optlen that does not fit the buffer; EINVAL a
 *          negative length.
 * Source   __cgroup_bpf_run_filter_setsockopt() and _getsockopt() in kernel/bpf/cgroup.c.
 */
import * as abi from "../../abi/bpf.ts";
import { BpfError, EFAULT, EINVAL, type Errno } from "../../abi/errno.ts";
import type { Cgroup } from "../../kernel/cgroup/cgroup.ts";
import { effectiveProgs, runCgroupProgs } from "../../kernel/cgroup/run.ts";
import type { VAddr } from "../../memory/memory.ts";
import type { Net } from "../net.ts";
import type { SockOptions } from "./options.ts";

/** struct bpf_sockopt, uapi. */
const CTX = { sk: 0, optval: 8, optvalEnd: 16, level: 24, optname: 28, optlen: 32, retval: 36 } as const;
const CTX_BYTES = 40;
/** Programs get at most a page, and setsockopt programs at least this much room. */
const PAGE_SIZE = 4096;
const MIN_ROOM = 16;
const DONE_BY_PROG = -1;

/** The socket of a call, and who calls. */
export interface SockoptCall {
  readonly net: Net;
  readonly cgroup: Cgroup;
  /** struct bpf_sock. */
  readonly sk: number;
  readonly options: SockOptions;
  readonly netAdmin: boolean;
  readonly level: number;
  readonly optname: number;
}

interface Seen {
  readonly retval: number;
  readonly level: number;
  readonly optname: number;
  readonly optlen: number;
  /** What is in the buffer now. */
  readonly value: Uint8Array;
}

export function setsockopt(call: SockoptCall, value: Uint8Array): void {
  const { net, cgroup, options, netAdmin, level, optname } = call;
  const asked = effectiveProgs(net.kernel, cgroup, abi.BPF_CGROUP_SETSOCKOPT).length > 0;
  if (!asked) {
    options.set(level, optname, value, netAdmin);
    return;
  }
  const room = Math.min(Math.max(MIN_ROOM, value.length), PAGE_SIZE);
  const seen = run(call, abi.BPF_CGROUP_SETSOCKOPT, { value, room, optlen: value.length, retval: 0 });
  if (seen.retval) refuse(seen.retval, "setsockopt");
  if (seen.optlen === DONE_BY_PROG) return;
  const fits = seen.optlen >= 0 && seen.optlen <= room;
  if (!fits && !(value.length > PAGE_SIZE && seen.optlen >= 0)) unfit("setsockopt", seen.optlen, room);
  // 0: as the caller had it.
  const changed = fits && seen.optlen ? seen.value.subarray(0, seen.optlen) : value;
  options.set(seen.level, seen.optname, changed, netAdmin);
}

/** @param optlen bytes that the caller has room for */
export function getsockopt(call: SockoptCall, optlen: number): Uint8Array {
  const { net, cgroup, options, level, optname } = call;
  if (optlen < 0) throw new BpfError(EINVAL, `getsockopt: a length of ${optlen}`, { optlen });
  const asked = effectiveProgs(net.kernel, cgroup, abi.BPF_CGROUP_GETSOCKOPT).length > 0;
  if (!asked) return options.get(level, optname, optlen);
  const { retval, value } = kernelSays(() => options.get(level, optname, optlen));
  const room = Math.min(optlen, PAGE_SIZE);
  const given = retval === 0 ? value.length : optlen;
  const seen = run(call, abi.BPF_CGROUP_GETSOCKOPT, { value, room, optlen: given, retval });
  if (seen.retval < 0) refuse(seen.retval, "getsockopt");
  if (seen.optlen < 0 || seen.optlen > room) {
    if (given > PAGE_SIZE && seen.optlen >= 0) return value;
    unfit("getsockopt", seen.optlen, room);
  }
  return seen.optlen ? seen.value.subarray(0, seen.optlen) : value;
}

/** What the kernel gives, and its errno: programs are asked in any case. */
function kernelSays(get: () => Uint8Array): { readonly retval: number; readonly value: Uint8Array } {
  try {
    return { retval: 0, value: get() };
  } catch (e) {
    if (e instanceof BpfError) return { retval: -e.errno, value: new Uint8Array() };
    throw e;
  }
}

function run(
  { net, cgroup, sk, level, optname }: SockoptCall,
  attachType: number,
  from: { readonly value: Uint8Array; readonly room: number; readonly optlen: number; readonly retval: number },
): Seen {
  const { memory } = net.kernel;
  const ctx = memory.alloc(CTX_BYTES);
  const buffer = memory.alloc(Math.max(from.room, 8));
  try {
    memory.writeBytes(buffer, from.value.subarray(0, from.room));
    memory.writeU64(ctx + CTX.sk, BigInt(sk));
    memory.writeU64(ctx + CTX.optval, BigInt(buffer));
    memory.writeU64(ctx + CTX.optvalEnd, BigInt(buffer + from.room));
    memory.writeU32(ctx + CTX.level, level);
    memory.writeU32(ctx + CTX.optname, optname);
    memory.writeU32(ctx + CTX.optlen, from.optlen);
    const options = { retval: from.retval, retvalAt: (ctx + CTX.retval) as VAddr };
    const { retval } = net.nets.run(net, () => runCgroupProgs(net.kernel, cgroup, attachType, ctx, options));
    return {
      retval,
      level: memory.readU32(ctx + CTX.level) | 0,
      optname: memory.readU32(ctx + CTX.optname) | 0,
      optlen: memory.readU32(ctx + CTX.optlen) | 0,
      value: memory.readBytes(buffer, from.room),
    };
  } finally {
    memory.free(buffer);
    memory.free(ctx);
  }
}

function unfit(call: string, optlen: number, room: number): never {
  throw new BpfError(EFAULT, `${call}: a program left optlen ${optlen}; there is room for ${room}`, { optlen, room });
}

function refuse(retval: number, call: string): never {
  throw new BpfError(-retval as Errno, `${call}: a program of the cgroup refused`, { retval });
}
