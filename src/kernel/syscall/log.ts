/**
 * Logs of the verifier and of BTF checks in the caller's memory.
 *
 * The end of a log that does not fit is kept, or with BPF_LOG_FIXED its start; either is ENOSPC, whatever else happened.
 * Source   kernel/bpf/log.c: bpf_vlog_init(), bpf_vlog_finalize().
 */
import { EINVAL, ENOSPC } from "../../abi/errno.ts";
import type { Call } from "./call.ts";
import { refuse } from "./command.ts";

const BPF_LOG_FIXED = 8;
const BPF_LOG_MASK = 15;
/** UINT_MAX >> 2. */
const MAX_SIZE = 0x3fffffff;

export interface LogRoom {
  readonly level: number;
  readonly size: number;
  readonly addr: bigint;
}

/** @throws EINVAL */
export function checkLogRoom({ level, size, addr }: LogRoom): void {
  if ((addr === 0n) !== (size === 0)) refuse(EINVAL, `log of ${size} bytes at 0x${addr.toString(16)}`, { size });
  if (addr !== 0n && level === 0) refuse(EINVAL, "a log buffer with log_level 0");
  if (level & ~BPF_LOG_MASK) refuse(EINVAL, `log_level ${level}; wanted at most ${BPF_LOG_MASK}`, { level });
  if (size > MAX_SIZE) refuse(EINVAL, `log of ${size} bytes; wanted at most ${MAX_SIZE}`, { size });
}

/** Bytes that the log needs, with its NUL (log_true_size); 0 when none was asked for. */
export function logNeeds(room: LogRoom, log: string): number {
  return room.level ? log.length + 1 : 0;
}

/** @returns whether all of it was there for the caller @throws EFAULT */
export function writeLog(call: Call, room: LogRoom, log: string): boolean {
  if (!room.level || room.addr === 0n) return true;
  const bytes = new TextEncoder().encode(`${log}\0`);
  const cut = bytes.length > room.size;
  const kept = room.level & BPF_LOG_FIXED ? bytes.slice(0, room.size) : bytes.slice(-room.size);
  kept[kept.length - 1] = 0;
  call.write(room.addr, kept);
  return !cut;
}

export function logTooShort(room: LogRoom, log: string): never {
  return refuse(ENOSPC, `a log of ${log.length + 1} bytes; there is room for ${room.size}`, { size: room.size });
}
