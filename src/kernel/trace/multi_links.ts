/**
 * kprobe.multi and uprobe.multi, and sessions: one link for many functions.
 *
 * Errors   EINVAL flags, no targets, symbols and addresses together, a program of another attach type; ESRCH an unknown or
 *          repeated symbol, an unknown pid; ENOENT no such file; E2BIG more than 2^20 targets.
 * Source   bpf_kprobe_multi_link_attach(), bpf_uprobe_multi_link_attach() of kernel/trace/bpf_trace.c.
 */
import * as abi from "../../abi/bpf.ts";
import { BpfError, E2BIG, EINVAL, type Errno, ESRCH } from "../../abi/errno.ts";
import type { LinkCreateAttr } from "../bpf.ts";
import type { Attachment, LinkType } from "../link.ts";
import type { Process } from "../process.ts";
import type { Prog } from "../prog.ts";
import type { FuncHook } from "./hooks.ts";
import type { UprobeHook } from "./uprobes.ts";

const MAX_TARGETS = 1 << 20;
/** BPF_F_KPROBE_MULTI_RETURN, BPF_F_UPROBE_MULTI_RETURN. */
const AT_RETURN = 1;

const fail = (errno: Errno, prog: Prog, why: string, context: Record<string, unknown> = {}): never => {
  throw new BpfError(errno, `program '${prog.name}': ${why}`, context);
};

/** What both kinds check. */
function checkMulti(prog: Prog, attr: LinkCreateAttr, count: number): { flags: number; cookies: readonly bigint[] } {
  const { flags = 0, cookies = [] } = attr.multi ?? {};
  if (attr.flags) fail(EINVAL, prog, "links of many probes have no flags of their own", { flags: attr.flags });
  if (prog.facts.expectedAttachType !== attr.attachType) {
    fail(EINVAL, prog, `attach type ${attr.attachType}; it was loaded for ${prog.facts.expectedAttachType}`);
  }
  if (flags & ~AT_RETURN) fail(EINVAL, prog, `flags 0x${flags.toString(16)}; wanted 0 or 1`, { flags });
  if (count === 0) fail(EINVAL, prog, "it names nothing to attach to");
  if (count > MAX_TARGETS) fail(E2BIG, prog, `${count} targets; wanted at most ${MAX_TARGETS}`, { count });
  if (cookies.length && cookies.length !== count) {
    fail(EINVAL, prog, `${cookies.length} cookies for ${count} targets`, { count });
  }
  return { flags, cookies };
}

/** Takes all away; what was attached before an error, too. */
function all(attach: readonly (() => () => void)[]): () => void {
  const done: (() => void)[] = [];
  const undo = () => {
    for (const detach of done.splice(0)) detach();
  };
  try {
    for (const one of attach) done.push(one());
  } catch (e) {
    undo();
    throw e;
  }
  return undo;
}

export const KPROBE_MULTI_LINK: LinkType = {
  type: abi.BPF_LINK_TYPE_KPROBE_MULTI,
  progTypes: [abi.BPF_PROG_TYPE_KPROBE],
  attachTypes: [abi.BPF_TRACE_KPROBE_MULTI, abi.BPF_TRACE_KPROBE_SESSION],
  attach(proc, prog, attr): Attachment {
    const { symbols = [], addrs = [] } = attr.multi ?? {};
    if (symbols.length && addrs.length) fail(EINVAL, prog, "wanted symbols or addresses, not both");
    const { flags, cookies } = checkMulti(prog, attr, symbols.length || addrs.length);
    if (prog.verified.sleepable) fail(EINVAL, prog, "only uprobes may sleep");
    const targets = symbols.length ? bySymbol(proc, prog, symbols) : byAddress(proc, prog, addrs);
    const hook: FuncHook =
      attr.attachType === abi.BPF_TRACE_KPROBE_SESSION ? "session" : flags & AT_RETURN ? "multi_ret" : "multi";
    const { traceHooks } = proc.kernel;
    const before = prog.recursionMisses;
    const detach = all(
      targets.map(
        ({ func }, i) =>
          () =>
            traceHooks.attach(func, hook, { prog, cookie: cookies[i] ?? 0n }),
      ),
    );
    // Info lists them by address, with their cookies.
    const sorted = targets
      .map(({ addr }, i) => ({ addr, cookie: cookies[i] ?? 0n }))
      .sort((a, b) => (a.addr < b.addr ? -1 : 1));
    return {
      detach,
      info: () => ({
        kprobeMulti: {
          count: targets.length,
          flags,
          missed: prog.recursionMisses - before,
          addrs: sorted.map((t) => t.addr),
          cookies: cookies.length ? sorted.map((t) => t.cookie) : [],
        },
      }),
    };
  },
};

interface KernelTarget {
  readonly func: string;
  readonly addr: bigint;
}

function bySymbol({ kernel }: Process, prog: Prog, symbols: readonly string[]): KernelTarget[] {
  const { kallsyms } = kernel.traceHooks;
  return symbols.map((func, i) => {
    if (!kallsyms.exists(func)) fail(ESRCH, prog, `the kernel has no function '${func}'`, { func });
    if (symbols.indexOf(func) !== i) fail(ESRCH, prog, `'${func}' is named twice`, { func });
    return { func, addr: kallsyms.addressOf(func) };
  });
}

function byAddress({ kernel }: Process, prog: Prog, addrs: readonly bigint[]): KernelTarget[] {
  return addrs.map((addr) => {
    const func = kernel.traceHooks.kallsyms.nameAt(addr);
    return { func: func ?? fail(EINVAL, prog, `no function begins at 0x${addr.toString(16)}`, { addr }), addr };
  });
}

export const UPROBE_MULTI_LINK: LinkType = {
  type: abi.BPF_LINK_TYPE_UPROBE_MULTI,
  progTypes: [abi.BPF_PROG_TYPE_KPROBE],
  attachTypes: [abi.BPF_TRACE_UPROBE_MULTI, abi.BPF_TRACE_UPROBE_SESSION],
  attach({ kernel }, prog, attr): Attachment {
    const { path, offsets = [], refCtrOffsets = [], pid = 0 } = attr.multi ?? {};
    const { flags, cookies } = checkMulti(prog, attr, offsets.length);
    if (path === undefined || pid < 0) fail(EINVAL, prog, `path '${path}', pid ${pid}; wanted a file`, { path, pid });
    for (const offset of offsets) kernel.uprobes.check(path!, Number(offset));
    if (pid && ![...kernel.processes].some((p) => p.pid === pid)) fail(ESRCH, prog, `no process ${pid}`, { pid });
    const hook: UprobeHook =
      attr.attachType === abi.BPF_TRACE_UPROBE_SESSION ? "session" : flags & AT_RETURN ? "uretprobe" : "uprobe";
    const detach = all(
      offsets.map(
        (offset, i) => () =>
          kernel.uprobes.attach(path!, Number(offset), {
            prog,
            cookie: cookies[i] ?? 0n,
            hook,
            pid: pid || undefined,
          }),
      ),
    );
    return {
      detach,
      info: () => ({
        uprobeMulti: { path: path!, count: offsets.length, flags, pid, offsets, refCtrOffsets, cookies },
      }),
    };
  },
};
