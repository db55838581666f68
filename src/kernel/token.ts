/**
 * BPF tokens: what the mount options of a bpffs delegate to the processes of its user namespace. Where a token allows a
 * command and what it is about, the capabilities of the caller count in the token's user namespace instead of the first.
 *
 * Errors   EBADF, EINVAL no token; those of tokenCreate() in bpf.ts. A token that does not allow something is ignored.
 * Source   kernel/bpf/token.c.
 */
import { BpfError, EBADF, EINVAL, ENOENT, EOPNOTSUPP, EPERM } from "../abi/errno.ts";
import type { Caps } from "../verifier/platform.ts";
import { OpenPath } from "./bpffs/open_path.ts";
import type { DelegateMasks } from "./bpffs/options.ts";
import type { Bpffs } from "./bpffs/super_block.ts";
import type { Fd } from "./fd.ts";
import { KObject } from "./objects.ts";
import type { Task } from "./task.ts";
import type { UserNs } from "./userns.ts";

/** Values of the enums that 6.18 knows: __MAX_BPF_CMD, __MAX_BPF_MAP_TYPE, ... */
const KNOWN: { readonly [K in keyof DelegateMasks]: number } = {
  delegateCmds: 38,
  delegateMaps: 34,
  delegateProgs: 33,
  delegateAttachs: 58,
};

const has = (mask: bigint, value: number): boolean => ((mask >> BigInt(value)) & 1n) !== 0n;

export class BpfToken extends KObject {
  readonly kind = "token";
  readonly userns: UserNs;
  readonly delegation: DelegateMasks;
  readonly #fs: Bpffs;

  /** The new object has one reference, the caller's. Later changes of the mount do not reach it. */
  constructor(fs: Bpffs) {
    super();
    this.#fs = fs.get();
    this.userns = fs.userns;
    const { delegateCmds, delegateMaps, delegateProgs, delegateAttachs } = fs.options;
    this.delegation = { delegateCmds, delegateMaps, delegateProgs, delegateAttachs };
  }

  allowsCmd(cmd: number): boolean {
    return has(this.delegation.delegateCmds, cmd);
  }

  allowsMap(mapType: number): boolean {
    return mapType < KNOWN.delegateMaps && has(this.delegation.delegateMaps, mapType);
  }

  allowsProg(progType: number, attachType: number): boolean {
    if (progType >= KNOWN.delegateProgs || attachType >= KNOWN.delegateAttachs) return false;
    const { delegateProgs, delegateAttachs } = this.delegation;
    return has(delegateProgs, progType) && has(delegateAttachs, attachType);
  }

  override fdInfo(): Readonly<Record<string, string>> {
    const mask = (key: keyof DelegateMasks) => {
      const all = (1n << BigInt(KNOWN[key])) - 1n;
      const given = this.delegation[key];
      return (given & all) === all ? "any" : `0x${given.toString(16)}`;
    };
    return {
      allowed_cmds: mask("delegateCmds"),
      allowed_maps: mask("delegateMaps"),
      allowed_progs: mask("delegateProgs"),
      allowed_attachs: mask("delegateAttachs"),
    };
  }

  override *holds(): Iterable<KObject> {
    yield this.#fs;
  }

  protected override release(): void {
    this.#fs.put();
  }
}

/** The token of an fd if it allows what `allows` asks, else none: the caller's capabilities decide. @throws EBADF, EINVAL */
export function tokenFor(task: Task, fd: Fd | undefined, allows: (token: BpfToken) => boolean): BpfToken | undefined {
  if (fd === undefined) return undefined;
  const token = task.fdTable.object(fd, "token") as BpfToken;
  return allows(token) ? token : undefined;
}

/** bpf_token_capable() for each capability. */
export function capsWith(task: Task, token: BpfToken | undefined): Caps {
  return task.capsIn(token?.userns ?? task.kernel.initUserns);
}

/** bpf_token_create(). The caller owns the reference. */
export function tokenCreate(task: Task, fd: Fd, flags: number): BpfToken {
  if (flags) throw new BpfError(EINVAL, `token: flags 0x${flags.toString(16)}; wanted 0`, { flags });
  const { obj } = task.fdTable.entry(fd);
  if (obj instanceof OpenPath && obj.pathOnly) throw new BpfError(EBADF, `token: fd ${fd} is open with O_PATH`, { fd });
  const dir = obj instanceof OpenPath ? obj.path.dentry : undefined;
  const fs = dir?.inode.fs;
  if (!fs?.fsType.pins || dir !== fs.root) {
    throw new BpfError(EINVAL, `token: fd ${fd} is a ${obj.kind}; wanted the root of a bpffs`, { fd });
  }
  const own = task.cred.userns;
  if (own !== fs.userns) throw new BpfError(EPERM, "token: the bpffs belongs to another user namespace", { fd });
  if (!task.capsIn(own).bpf) throw new BpfError(EPERM, "token: needs CAP_BPF in the user namespace", { fd });
  if (own.isInit) throw new BpfError(EOPNOTSUPP, "token: none are made in the first user namespace", { fd });
  const token = new BpfToken(fs);
  if (Object.values(token.delegation).some((mask) => mask !== 0n)) return token;
  token.put();
  throw new BpfError(ENOENT, "token: the bpffs delegates nothing", { fd });
}
