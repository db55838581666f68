/**
 * BPF_RAW_TRACEPOINT_OPEN, and BPF_LINK_CREATE of tracing types: programs wait at a named hook until something fires it.
 *
 * Errors   EINVAL a program that attaches elsewhere or lacks a target.
 */
import * as abi from "../abi/bpf.ts";
import { BpfError, EINVAL } from "../abi/errno.ts";
import type { LinkCreateAttr, LinkInfo } from "./bpf.ts";
import type { Kernel } from "./kernel.ts";
import { type Attachment, Link, type LinkType } from "./link.ts";
import type { Process } from "./process.ts";
import type { Prog } from "./prog.ts";
import { withArgs } from "./test_run.ts";

interface Attached {
  prog: Prog;
  readonly cookie: bigint;
}

/** Programs by hook name: "raw_tp/NAME", "fentry/FUNC", ... */
export class TraceHooks {
  readonly #kernel: Kernel;
  readonly #hooks = new Map<string, Set<Attached>>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  add(hook: string, prog: Prog, cookie = 0n): Attachment {
    const slot: Attached = { prog, cookie };
    const set = this.#hooks.get(hook) ?? new Set();
    this.#hooks.set(hook, set.add(slot));
    return {
      update: (next) => {
        slot.prog = next;
      },
      detach: () => {
        set.delete(slot);
        if (set.size === 0) this.#hooks.delete(hook);
      },
      info: () => ({ tpName: hook.slice(hook.indexOf("/") + 1), ...(cookie ? { cookie } : {}) }),
    };
  }

  /** Runs everything attached to the hook with u64 arguments; the results, in order of attachment. */
  fire(hook: string, args: readonly bigint[]): number[] {
    return this.#run(hook, args, args.length);
  }

  /**
   * A traced function is called: fentry programs, then fmod_ret programs (a result other than 0 replaces the function's),
   * the function, fexit programs.
   */
  call(func: string, args: readonly bigint[], body: () => bigint): bigint {
    this.#run(`fentry/${func}`, args, args.length);
    let ret = 0n;
    for (const slot of this.#hooks.get(`fmod_ret/${func}`) ?? []) {
      ret = BigInt(this.#runOne(slot, [...args, ret], args.length) | 0);
      if (ret) break;
    }
    if (!ret) ret = body();
    this.#run(`fexit/${func}`, [...args, ret], args.length);
    return ret;
  }

  #run(hook: string, words: readonly bigint[], nArgs: number): number[] {
    return [...(this.#hooks.get(hook) ?? [])].map((slot) => this.#runOne(slot, words, nArgs));
  }

  #runOne(slot: Attached, words: readonly bigint[], nArgs: number): number {
    const bytes = new Uint8Array(BigUint64Array.from(words, (w) => BigInt.asUintN(64, w)).buffer);
    return withArgs(this.#kernel, bytes, nArgs, (ctx, setCookie) => {
      setCookie(slot.cookie);
      return this.#kernel.running(() => slot.prog.run(ctx));
    });
  }
}

const TRACE_KIND: Readonly<Record<number, string>> = {
  [abi.BPF_TRACE_RAW_TP]: "tp_btf",
  [abi.BPF_TRACE_FENTRY]: "fentry",
  [abi.BPF_TRACE_FEXIT]: "fexit",
  [abi.BPF_MODIFY_RETURN]: "fmod_ret",
  [abi.BPF_LSM_MAC]: "lsm",
};

const rawTracepointLink = (name: string): LinkType => ({
  type: abi.BPF_LINK_TYPE_RAW_TRACEPOINT,
  progTypes: [abi.BPF_PROG_TYPE_RAW_TRACEPOINT, abi.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE],
  attach: (proc, prog, attr) => proc.kernel.traceHooks.add(`raw_tp/${name}`, prog, attr.cookie),
});

/** The target was named at load, by attach_btf_id. */
export const TRACING_LINK: LinkType = {
  type: abi.BPF_LINK_TYPE_TRACING,
  progTypes: [abi.BPF_PROG_TYPE_TRACING, abi.BPF_PROG_TYPE_LSM],
  attachTypes: [
    abi.BPF_TRACE_RAW_TP,
    abi.BPF_TRACE_FENTRY,
    abi.BPF_TRACE_FEXIT,
    abi.BPF_MODIFY_RETURN,
    abi.BPF_LSM_MAC,
  ],
  attach(proc, prog, attr): Attachment {
    const { attachBtf, attachBtfId, attachProg, expectedAttachType } = prog.facts;
    const kind = TRACE_KIND[expectedAttachType];
    if (!kind || !attachBtf || !attachBtfId) {
      throw new BpfError(EINVAL, `program '${prog.name}' names no function to attach to`, {
        attachType: attr.attachType,
      });
    }
    const hook = `${kind}/${attachProg ? `prog${attachProg.id}/` : ""}${attachBtf.nameOf(attachBtfId)}`;
    const at = proc.kernel.traceHooks.add(hook, prog, attr.cookie);
    const info: Partial<LinkInfo> = { attachType: expectedAttachType, targetBtfId: attachBtfId };
    const { update: _, ...fixed } = at;
    return { ...fixed, info: () => info };
  },
};

export function rawTracepointOpen(proc: Process, prog: Prog, name: string | undefined, cookie: bigint): Link {
  const attr: LinkCreateAttr = {
    progFd: 0 as LinkCreateAttr["progFd"],
    attachType: prog.facts.expectedAttachType,
    cookie,
  };
  const raw = prog.type === abi.BPF_PROG_TYPE_RAW_TRACEPOINT || prog.type === abi.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE;
  if (raw) {
    if (!name) throw new BpfError(EINVAL, `program '${prog.name}': a raw tracepoint needs a name`, {});
    return new Link(proc, rawTracepointLink(name), prog, attr);
  }
  const tracing = prog.type === abi.BPF_PROG_TYPE_TRACING || prog.type === abi.BPF_PROG_TYPE_LSM;
  if (!tracing || name) {
    throw new BpfError(EINVAL, `program '${prog.name}' does not attach to raw tracepoints`, { type: prog.type });
  }
  return new Link(proc, TRACING_LINK, prog, attr);
}
