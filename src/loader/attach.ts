/**
 * Attaching a program where its section says, and the link that comes of it.
 *
 * One entry per way of attaching (SecDef.attach). Kprobes, uprobes and classic tracepoints attach through perf events,
 * which a kernel may lack (Bpf.perfAttach): EOPNOTSUPP then.
 */

import * as abi from "../abi/bpf.ts";
import { BpfError, EINVAL, ENOENT, EOPNOTSUPP } from "../abi/errno.ts";
import type { Bpf, Fd, LinkCreateAttr, LinkInfo, PerfTarget } from "../kernel/bpf.ts";
import type { SecAttach } from "../progs/sec.ts";
import { pinAt } from "./pin.ts";

/** Where to attach, as far as the section does not say. */
export interface AttachOptions {
  /** Device, for xdp, tcx and netkit. */
  readonly ifindex?: number;
  /** fd of a cgroup or network namespace; of a program, for an extension that replaces a function of another one. */
  readonly targetFd?: Fd;
  /** freplace: the function of that program, by its id in the program's BTF. */
  readonly targetBtfId?: number;
  /** tc programs without a direction in their section. */
  readonly direction?: "ingress" | "egress";
  /** Flags of BPF_LINK_CREATE: XDP_FLAGS_*, BPF_F_BEFORE, ... */
  readonly flags?: number;
  readonly relativeFd?: Fd;
  readonly relativeId?: number;
  readonly expectedRevision?: bigint;
  readonly cookie?: bigint;
  /** Name of the raw tracepoint, when the section has none. */
  readonly name?: string;
  readonly netfilter?: NonNullable<LinkCreateAttr["netfilter"]>;
  /** Kprobes, uprobes and tracepoints: the target, when the section does not name it. */
  readonly target?: PerfTarget;
  /** Uprobes: only this process. */
  readonly pid?: number;
  /** kprobe.multi: the functions, when the section has a pattern; uprobe.multi: path and file offsets. */
  readonly multi?: NonNullable<LinkCreateAttr["multi"]>;
}

/** What attaching needs to know of a program. */
export interface Attachable {
  readonly where: string;
  readonly bpf: Bpf;
  readonly fd: Fd;
  readonly expectedAttachType: number;
  readonly attachTarget: string;
  readonly section: string;
}

/** An attachment. Closing it detaches, unless it is pinned. */
export class BpfLink {
  readonly fd: Fd;
  readonly #bpf: Bpf;
  #open = true;

  constructor(bpf: Bpf, fd: Fd) {
    this.#bpf = bpf;
    this.fd = fd;
  }

  info(): LinkInfo {
    return this.#bpf.linkInfo(this.fd);
  }

  /** Replaces the program in place. @param old refused with EPERM when another program is attached */
  update(prog: { readonly fd: Fd }, old?: { readonly fd: Fd }): void {
    this.#bpf.linkUpdate(this.fd, prog.fd, old && { oldProgFd: old.fd, flags: abi.BPF_F_REPLACE });
  }

  /** Ends the attachment, also when others hold the link. */
  detach(): void {
    this.#bpf.linkDetach(this.fd);
  }

  pin(path: string): void {
    pinAt(this.#bpf, this.fd, path);
  }

  close(): void {
    if (this.#open) this.#bpf.close(this.fd);
    this.#open = false;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

export function attach(how: SecAttach, prog: Attachable, options: AttachOptions): BpfLink {
  return new BpfLink(prog.bpf, METHODS[how](prog, options));
}

type Method = (prog: Attachable, o: AttachOptions) => Fd;

const METHODS: Readonly<Record<SecAttach, Method>> = {
  xdp: (p, o) => create(p, o, { targetIfindex: needIfindex(p, o) }),
  tcx: (p, o) => create(p, o, { targetIfindex: needIfindex(p, o), attachType: tcxType(p, o) }),
  netkit: (p, o) => create(p, o, { targetIfindex: needIfindex(p, o) }),
  cgroup: (p, o) => create(p, o, { targetFd: needTarget(p, o, "cgroup") }),
  netns: (p, o) => create(p, o, { targetFd: needTarget(p, o, "network namespace") }),
  netfilter: (p, o) => {
    if (!o.netfilter)
      throw new BpfError(EINVAL, `${p.where}: no hook; wanted attach({ netfilter: { pf, hooknum, ... } })`);
    return create(p, o, { netfilter: o.netfilter });
  },
  iter: (p, o) => create(p, o, {}),
  freplace: (p, o) =>
    create(p, o, {
      attachType: 0,
      ...(o.targetFd === undefined ? {} : { targetFd: o.targetFd }),
      ...(o.targetBtfId === undefined ? {} : { targetBtfId: o.targetBtfId }),
    }),
  raw_tracepoint: (p, o) => {
    const name = o.name ?? p.attachTarget;
    if (!name) throw new BpfError(EINVAL, `${p.where}: no tracepoint; wanted SEC("raw_tp/NAME") or attach({ name })`);
    return p.bpf.rawTracepointOpen(p.fd, name, o.cookie);
  },
  tracing: (p, o) => p.bpf.rawTracepointOpen(p.fd, undefined, o.cookie),
  lsm: (p, o) => p.bpf.rawTracepointOpen(p.fd, undefined, o.cookie),
  kprobe: (p, o) => perfEvent(p, o, kprobeTarget),
  uprobe: (p, o) => perfEvent(p, o, uprobeTarget),
  usdt: (p) => {
    throw new BpfError(EOPNOTSUPP, `${p.where}: USDT probes are not looked up; wanted attach by a uprobe's offset`);
  },
  tracepoint: (p, o) => perfEvent(p, o, tracepointTarget),
  kprobe_multi: multi,
  uprobe_multi: multi,
  struct_ops: (p) => {
    throw new BpfError(
      EOPNOTSUPP,
      `${p.where}: struct_ops programs attach through their map; wanted attachStructOps()`,
    );
  },
  none: (p) => {
    throw new BpfError(EOPNOTSUPP, `${p.where}: its section names no way to attach; wanted a link made by hand`);
  },
};

function create(p: Attachable, o: AttachOptions, more: Partial<LinkCreateAttr>): Fd {
  return p.bpf.linkCreate({
    progFd: p.fd,
    attachType: p.expectedAttachType,
    ...(o.flags !== undefined && { flags: o.flags }),
    ...(o.relativeFd !== undefined && { relativeFd: o.relativeFd }),
    ...(o.relativeId !== undefined && { relativeId: o.relativeId }),
    ...(o.expectedRevision !== undefined && { expectedRevision: o.expectedRevision }),
    ...(o.cookie !== undefined && { cookie: o.cookie }),
    ...more,
  });
}

function needIfindex(p: Attachable, o: AttachOptions): number {
  if (o.ifindex !== undefined && o.ifindex > 0) return o.ifindex;
  throw new BpfError(
    EINVAL,
    `${p.where}: no device (ifindex ${o.ifindex ?? "is missing"}); wanted attach({ ifindex })`,
  );
}

function needTarget(p: Attachable, o: AttachOptions, what: string): Fd {
  if (o.targetFd !== undefined) return o.targetFd;
  throw new BpfError(EINVAL, `${p.where}: no ${what}; wanted attach({ targetFd }) with its fd`);
}

function tcxType(p: Attachable, o: AttachOptions): number {
  if (p.expectedAttachType) return p.expectedAttachType;
  return o.direction === "egress" ? abi.BPF_TCX_EGRESS : abi.BPF_TCX_INGRESS;
}

type Target = (p: Attachable, o: AttachOptions) => PerfTarget | undefined;

function perfEvent(p: Attachable, o: AttachOptions, targetOf: Target): Fd {
  if (!p.bpf.perfAttach) {
    throw new BpfError(EOPNOTSUPP, `${p.where}: attaches through perf events, which bpf(2) has not; wanted testRun()`);
  }
  const target = o.target ?? targetOf(p, o);
  if (!target)
    throw new BpfError(EINVAL, `${p.where}: section '${p.section}' names no target; wanted attach({ target })`);
  return p.bpf.perfAttach(p.fd, target, o.cookie);
}

/** FUNC or FUNC+OFFSET. */
const FUNC = /^([^+]+?)(?:\+(0x[0-9a-fA-F]+|\d+))?$/;

function isRet(section: string): boolean {
  return /^\??(kret|uret)/.test(section);
}

const kprobeTarget: Target = (p) => {
  const [, func, offset] = FUNC.exec(p.attachTarget) ?? [];
  if (!func) return undefined;
  const syscall = /^\??k(ret)?syscall\//.test(p.section);
  return {
    kind: "kprobe",
    symbol: func,
    offset: Number(offset ?? 0),
    retprobe: isRet(p.section),
    ...(syscall && { syscall }),
  };
};

/** PATH:FUNC or PATH:FUNC+OFFSET. */
const uprobeTarget: Target = (p, o) => {
  const colon = p.attachTarget.lastIndexOf(":");
  const [, symbol, offset] = colon < 0 ? [] : (FUNC.exec(p.attachTarget.slice(colon + 1)) ?? []);
  if (!symbol) return undefined;
  const path = p.attachTarget.slice(0, colon);
  const at = { symbol, offset: Number(offset ?? 0), retprobe: isRet(p.section) };
  return { kind: "uprobe", path, ...at, ...(o.pid !== undefined && { pid: o.pid }) };
};

const tracepointTarget: Target = (p) => {
  const [category, name] = p.attachTarget.split("/");
  return category && name ? { kind: "tracepoint", category, name } : undefined;
};

/** The functions that a section names, by name or by a pattern with * and ?. */
function matching(p: Attachable): { readonly symbols: readonly string[] } | undefined {
  const { attachTarget } = p;
  if (attachTarget === "" || attachTarget.includes(":")) return undefined;
  if (!/[*?]/.test(attachTarget)) return { symbols: [attachTarget] };
  if (!p.bpf.kernelFunctions) return undefined;
  const text = attachTarget.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  const pattern = new RegExp(`^${text.replaceAll("*", ".*").replaceAll("?", ".")}$`);
  const symbols = [...p.bpf.kernelFunctions()].map((f) => f.name).filter((name) => pattern.test(name));
  if (symbols.length === 0)
    throw new BpfError(ENOENT, `${p.where}: no function of the kernel is like '${attachTarget}'`);
  return { symbols };
}

function multi(p: Attachable, o: AttachOptions): Fd {
  if (!p.bpf.perfAttach) {
    throw new BpfError(EOPNOTSUPP, `${p.where}: attaches to symbols of a running kernel; wanted testRun()`);
  }
  const ret = isRet(p.section) ? { flags: 1 } : {};
  const chosen = o.multi ?? matching(p);
  if (!chosen) throw new BpfError(EINVAL, `${p.where}: '${p.attachTarget}' is a pattern; wanted attach({ multi })`);
  return create(p, o, { multi: { ...ret, ...chosen } });
}
