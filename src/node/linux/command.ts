/** bpf(2) itself: one command with one attr, and what its errors say. */

import { MAP_CREATE } from "../../abi/attr.ts";
import * as abi from "../../abi/bpf.ts";
import { BPF_CMD_NAMES } from "../../abi/enum_names.ts";
import { BpfError, EACCES, EINVAL, ENOSYS, EPERM, type Errno, errnoName } from "../../abi/errno.ts";
import { Sys } from "./sys.ts";

const RLIMIT_MEMLOCK = 8;

/** Commands whose memory counted as locked before Linux 5.11. */
const LOCKS_MEMORY: ReadonlySet<number> = new Set([abi.BPF_MAP_CREATE, abi.BPF_PROG_LOAD, abi.BPF_BTF_LOAD]);

export class Commands {
  readonly sys: Sys;
  #raised = false;

  /** @throws EPERM, ENOSYS in one line when bpf(2) cannot be used here */
  constructor() {
    this.sys = new Sys();
    const attr = { map_type: abi.BPF_MAP_TYPE_ARRAY, key_size: 4, value_size: 4, max_entries: 1 };
    const fd = this.try(abi.BPF_MAP_CREATE, MAP_CREATE.pack(this.sys, attr));
    if (fd >= 0) this.sys.call("close", fd);
    else if (-fd === EPERM || -fd === EACCES) throw notPermitted();
    else if (-fd === ENOSYS) throw new BpfError(ENOSYS, "this kernel has no bpf(2)");
  }

  /** @returns what bpf(2) returns, or -errno; outputs are in `attr` */
  try(cmd: number, attr: Uint8Array, ...keep: unknown[]): number {
    const { sys } = this;
    sys.keep = [attr, keep];
    const at = sys.addressOf(attr);
    const ret = sys.call("bpf", cmd, at, attr.length);
    if (ret === -EPERM && !this.#raised && LOCKS_MEMORY.has(cmd)) {
      this.#raised = true;
      if (raiseMemlock(sys)) return sys.call("bpf", cmd, at, attr.length);
    }
    return ret;
  }

  /** The system call as it is, with a size of the caller's. */
  raw(cmd: number, attr: Uint8Array, size: number, ...keep: unknown[]): number {
    const { sys } = this;
    sys.keep = [attr, keep];
    return sys.call("bpf", cmd, sys.addressOf(attr), size);
  }

  /** @throws BpfError "what: COMMAND: ERRNO" */
  run(what: string, cmd: number, attr: Uint8Array, ...keep: unknown[]): number {
    const ret = this.try(cmd, attr, keep);
    if (ret < 0) throw commandError(-ret, what, cmd);
    return ret;
  }
}

export function commandError(
  errno: number,
  what: string,
  cmd: number,
  context: Record<string, unknown> = {},
): BpfError {
  return new BpfError(errno as Errno, `${what}: ${BPF_CMD_NAMES[cmd] ?? `command ${cmd}`}`, context);
}

/** Kernels before 5.11 count maps and programs as locked memory; @returns whether the limit was raised */
function raiseMemlock(sys: Sys): boolean {
  const unlimited = new Uint8Array(16).fill(0xff);
  const old = new Uint8Array(16);
  sys.keep = [sys.keep, unlimited, old];
  if (sys.call("prlimit64", 0, RLIMIT_MEMLOCK, sys.addressOf(unlimited), sys.addressOf(old)) < 0) return false;
  return old.some((byte) => byte !== 0xff);
}

function notPermitted(): BpfError {
  const e = new BpfError(EPERM, "bpf(2) is not permitted here");
  e.message = `bpf(2) is not permitted here: ${errnoName(EPERM)} (needs CAP_BPF or root)`;
  return e;
}

/** Bytes for a member that points to `size` of them; none is a null pointer. @throws EINVAL when they are others */
export function exactly(what: string, name: string, bytes: Uint8Array, size: number): Uint8Array | 0 {
  if (bytes.length === 0) return 0;
  if (bytes.length === size) return bytes;
  throw new BpfError(EINVAL, `${what}: ${name} of ${bytes.length} bytes; wanted ${size}`, { size: bytes.length });
}
