/**
 * Links of raw tracepoints and of tracing and lsm programs: BPF_RAW_TRACEPOINT_OPEN and BPF_LINK_CREATE.
 *
 * Errors   EINVAL a program that attaches elsewhere, a target given or missing; ENOENT an unknown raw tracepoint; EBUSY the
 *          program is at this function already; E2BIG the 39th program at one function.
 * Source   bpf_tracing_prog_attach(), bpf_raw_tp_link_attach() of kernel/bpf/syscall.c, kernel/bpf/trampoline.c.
 */
import * as abi from "../../abi/bpf.ts";
import { BpfError, E2BIG, EBUSY, EINVAL, ENOENT } from "../../abi/errno.ts";
import type { LinkCreateAttr, LinkInfo } from "../bpf.ts";
import { FREPLACE_LINK } from "../freplace/link.ts";
import { ITER_LINK } from "../iter/link.ts";
import type { Kernel } from "../kernel.ts";
import { type Attachment, Link, type LinkType } from "../link.ts";
import type { Process } from "../process.ts";
import type { Prog } from "../prog.ts";
import { BTF_TRACE, type FuncHook } from "./hooks.ts";
import { KPROBE_MULTI_LINK, UPROBE_MULTI_LINK } from "./multi_links.ts";
import { PERF_LINK } from "./perf_event.ts";
import { attachToProg, progTarget } from "./prog_target.ts";

/** BPF_MAX_TRAMP_LINKS. */
const MAX_TRAMP_LINKS = 38;
/** Id of vmlinux's BTF object as bpf_link_info has it; it is the first one. */
const VMLINUX_OBJ_ID = 1;

const refuse = (prog: Prog, what: string, context: Record<string, unknown> = {}): never => {
  throw new BpfError(EINVAL, `program '${prog.name}': ${what}`, { progType: prog.type, ...context });
};

function attachRaw(kernel: Kernel, prog: Prog, name: string, cookie: bigint): Attachment {
  if (!kernel.traceHooks.hasTracepoint(name)) {
    throw new BpfError(ENOENT, `program '${prog.name}': there is no tracepoint '${name}'`, { name });
  }
  const words = kernel.traceHooks.tracepointArgs(name);
  if (words !== undefined && prog.verified.maxCtxOffset > 8 * words) {
    const reads = `reads ${prog.verified.maxCtxOffset} bytes`;
    throw new BpfError(EINVAL, `program '${prog.name}' ${reads}; tracepoint '${name}' has ${words} arguments`, {
      name,
    });
  }
  if (prog.verified.bufAccess.tracepoint > 0) {
    throw new BpfError(EINVAL, `program '${prog.name}': tracepoint '${name}' has no buffer to write`, { name });
  }
  const detach = kernel.traceHooks.attachTracepoint(name, { prog, cookie }, false);
  return { detach, info: () => ({ tpName: name, ...(cookie ? { cookie } : {}) }) };
}

const rawTracepointLink = (name: string): LinkType => ({
  type: abi.BPF_LINK_TYPE_RAW_TRACEPOINT,
  progTypes: [abi.BPF_PROG_TYPE_RAW_TRACEPOINT, abi.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE],
  attach: ({ kernel }, prog, attr) => attachRaw(kernel, prog, name, attr.cookie ?? 0n),
});

/** tp_btf: the tracepoint was named at load, as btf_trace_NAME. */
const TP_BTF_LINK: LinkType = {
  type: abi.BPF_LINK_TYPE_RAW_TRACEPOINT,
  progTypes: [abi.BPF_PROG_TYPE_TRACING],
  attachTypes: [abi.BPF_TRACE_RAW_TP],
  attach({ kernel }, prog, attr) {
    checkExpected(prog, attr);
    const name = targetName(prog).slice(BTF_TRACE.length);
    return attachRaw(kernel, prog, name, attr.cookie ?? 0n);
  },
};

const FUNC_HOOKS: Readonly<Record<number, (kernel: Kernel, prog: Prog) => FuncHook>> = {
  [abi.BPF_TRACE_FENTRY]: () => "fentry",
  [abi.BPF_TRACE_FEXIT]: () => "fexit",
  [abi.BPF_MODIFY_RETURN]: () => "fmod_ret",
  // A hook that returns nothing has no result to replace (bpf_attach_type_to_tramp()).
  [abi.BPF_LSM_MAC]: (_kernel, { facts }) => {
    const proto = facts.attachBtf?.ref(facts.attachBtfId) ?? 0;
    return facts.attachBtf?.ref(proto) === 0 ? "lsm_void" : "lsm";
  },
};

/** fentry, fexit, fmod_ret, lsm: the function was named at load, by attach_btf_id. */
const TRACING_LINK: LinkType = {
  type: abi.BPF_LINK_TYPE_TRACING,
  progTypes: [abi.BPF_PROG_TYPE_TRACING, abi.BPF_PROG_TYPE_LSM],
  attachTypes: Object.keys(FUNC_HOOKS).map(Number),
  attach({ kernel }, prog, attr): Attachment {
    checkExpected(prog, attr);
    if (attr.targetFd || attr.targetBtfId) refuse(prog, "only extensions take a target when they attach");
    const func = targetName(prog);
    const hookOf = FUNC_HOOKS[prog.facts.expectedAttachType]!;
    const cookie = attr.cookie ?? 0n;
    const { attachProg, attachBtfId, expectedAttachType } = prog.facts;
    const at = attachProg && progTarget(prog);
    const place = at?.place ?? func;
    checkRoom(kernel, prog, place, func);
    const slot = { prog, cookie };
    const hook = hookOf(kernel, prog);
    const { traceHooks } = kernel;
    const detach = at ? attachToProg(traceHooks, at, hook, slot) : traceHooks.attach(place, hook, slot);
    const info: Partial<LinkInfo> = {
      attachType: expectedAttachType,
      targetObjId: at ? at.target.id : VMLINUX_OBJ_ID,
      targetBtfId: attachBtfId,
      ...(cookie ? { cookie } : {}),
    };
    return { detach, info: () => info, holds: () => (at ? [at.target] : []) };
  },
};

export const TRACING_LINKS: readonly LinkType[] = [
  TP_BTF_LINK,
  TRACING_LINK,
  PERF_LINK,
  KPROBE_MULTI_LINK,
  UPROBE_MULTI_LINK,
  ITER_LINK,
];

function checkExpected(prog: Prog, attr: LinkCreateAttr): void {
  const { expectedAttachType } = prog.facts;
  if (attr.attachType !== expectedAttachType) {
    refuse(prog, `attach type ${attr.attachType}; it was loaded for ${expectedAttachType}`);
  }
}

function targetName(prog: Prog): string {
  const { attachBtf, attachBtfId } = prog.facts;
  if (!attachBtf || !attachBtfId) return refuse(prog, "it names no function to attach to");
  return attachBtf.nameOf(attachBtfId);
}

function checkRoom(kernel: Kernel, prog: Prog, place: string, func: string): void {
  const there = kernel.traceHooks.at(place).filter((s) => s.hook in TRAMPOLINE_HOOKS);
  if (there.some((s) => s.prog === prog)) {
    throw new BpfError(EBUSY, `program '${prog.name}' is attached to ${func} already`, { func });
  }
  if (there.length >= MAX_TRAMP_LINKS) {
    throw new BpfError(E2BIG, `program '${prog.name}': ${func} has ${there.length} programs, which is the limit`, {
      func,
    });
  }
}

const TRAMPOLINE_HOOKS = { fentry: 1, fexit: 1, fmod_ret: 1, lsm: 1, lsm_void: 1 } as const satisfies Partial<
  Record<FuncHook, 1>
>;

/** BPF_RAW_TRACEPOINT_OPEN. */
export function rawTracepointOpen(proc: Process, prog: Prog, name: string | undefined, cookie: bigint): Link {
  const attr: LinkCreateAttr = {
    progFd: 0 as LinkCreateAttr["progFd"],
    attachType: prog.facts.expectedAttachType,
    cookie,
  };
  const raw = prog.type === abi.BPF_PROG_TYPE_RAW_TRACEPOINT || prog.type === abi.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE;
  if (raw) {
    if (!name) refuse(prog, "a raw tracepoint needs a name");
    return new Link(proc, rawTracepointLink(name!), prog, attr);
  }
  if (name) refuse(prog, "the target was named at load; wanted no name", { name });
  if (prog.type === abi.BPF_PROG_TYPE_EXT) return new Link(proc, FREPLACE_LINK, prog, attr);
  const type = TRACING_LINKS.find((t) => t.progTypes.includes(prog.type) && t.attachTypes?.includes(attr.attachType));
  if (!type) refuse(prog, "it does not attach to raw tracepoints", { attachType: attr.attachType });
  return new Link(proc, type!, prog, attr);
}
