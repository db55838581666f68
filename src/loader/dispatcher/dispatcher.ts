/**
 * Several XDP programs on one device, as libxdp runs them: a dispatcher whose functions they replace.
 *
 * Change   the way of libxdp: a new dispatcher with all programs of the new set is built and pinned beside the old one
 *          (`xdp/dispatch-IFINDEX-ID/progN-{prog,link}`), takes its place on the device in one step, and the old one's pins
 *          go. So a packet meets one whole set. xdp_set.ts has the other way, without pins. On an error the old set stays and nothing
 *          of the new one is left.
 * Errors   EBUSY a program that no dispatcher runs is there; E2BIG more than ten programs; ENOENT a program that is not
 *          there; EAGAIN somebody else is changing dispatchers; EINVAL, EPERM ... as loading says.
 * Source   libxdp.c of xdp-tools 1.3 (its pins and its objects fit: either can change what the other made).
 */
import * as abi from "../../abi/bpf.ts";
import { BpfError, E2BIG, EBUSY, ENOENT, EOPNOTSUPP } from "../../abi/errno.ts";
import { parseBtf } from "../../btf/btf.ts";
import { BTF_KIND_FUNC } from "../../btf/kinds.ts";
import type { Bpf, Fd } from "../../kernel/bpf.ts";
import { DISPATCHER_SLOTS, type SlotConfig } from "./config.ts";
import { locked, pinDir, type XdpHost, type XdpMode } from "./host.ts";
import { loadAsExtension, loadDispatcher, only, whyNoDispatcher } from "./object.ts";
import { allFrags, compareXdp, type Ordered, slotConfigOf, type XdpProgram } from "./order.ts";
import { progFacts, withFd, type XdpStatus, xdpStatus } from "./status.ts";

export interface XdpAttachOptions {
  /** Default: what the device can. */
  readonly mode?: XdpMode;
}

const MODE_FLAGS: Readonly<Record<XdpMode, number>> = {
  driver: abi.XDP_FLAGS_DRV_MODE,
  generic: abi.XDP_FLAGS_SKB_MODE,
  offload: abi.XDP_FLAGS_HW_MODE,
};

/** Runs the programs on the device together with those that a dispatcher runs there already. */
export function attachXdp(
  host: XdpHost,
  ifindex: number,
  programs: readonly XdpProgram[],
  options: XdpAttachOptions = {},
): XdpStatus {
  const reason = xdpStatus(host, ifindex).kind === "none" ? whyAlone(host) : undefined;
  if (reason) {
    const [first] = programs;
    if (!first || programs.length > 1) throw reason;
    attachAlone(host, ifindex, first, options);
    return xdpStatus(host, ifindex);
  }
  return exchange(host, ifindex, () => [], programs, options);
}

/** @param progIds those of the programs to take off; absent: all, also one that no dispatcher runs */
export function detachXdp(
  host: XdpHost,
  ifindex: number,
  progIds?: readonly number[],
  options: XdpAttachOptions = {},
): XdpStatus {
  const before = xdpStatus(host, ifindex);
  if (before.kind === "dispatcher") return exchange(host, ifindex, (there) => progIds ?? there, [], options);
  const there = before.kind === "single" ? before.progId : 0;
  const missing = (progIds ?? [there]).find((id) => id === 0 || id !== there);
  if (missing !== undefined) throw notThere(ifindex, missing);
  host.devices.setXdp(ifindex, -1, before.kind === "single" ? MODE_FLAGS[before.mode] : 0);
  return { kind: "none" };
}

/** Takes programs off and puts others on in one change. */
export function replaceXdp(
  host: XdpHost,
  ifindex: number,
  off: readonly number[],
  on: readonly XdpProgram[],
  options: XdpAttachOptions = {},
): XdpStatus {
  if (xdpStatus(host, ifindex).kind !== "dispatcher") {
    throw new BpfError(ENOENT, `device ${ifindex} runs no dispatcher`, { ifindex });
  }
  return exchange(host, ifindex, () => off, on, options);
}

const notThere = (ifindex: number, id: number): BpfError =>
  new BpfError(ENOENT, `device ${ifindex} does not run ${id ? `program ${id}` : "any program"}`, { ifindex, id });

function whyAlone(host: XdpHost): BpfError | undefined {
  if (host.skipDispatcher) return new BpfError(EOPNOTSUPP, "LIBXDP_SKIP_DISPATCHER: one program on each device", {});
  return whyNoDispatcher(host);
}

function attachAlone(host: XdpHost, ifindex: number, { obj, name }: XdpProgram, { mode }: XdpAttachOptions): void {
  const prog = only(obj, name);
  obj.load(host.bpf);
  host.devices.setXdp(ifindex, prog.fd, (mode ? MODE_FLAGS[mode] : 0) | abi.XDP_FLAGS_UPDATE_IF_NOEXIST);
}

/** One program of the new set, and how it comes into the dispatcher. */
interface Member extends Ordered {
  /** An fd of a program of the old set, or one to load. */
  readonly from: { readonly fd: Fd } | XdpProgram;
}

/** @param off of the programs that are there, those to take off */
function exchange(
  host: XdpHost,
  ifindex: number,
  off: (there: readonly number[]) => readonly number[],
  on: readonly XdpProgram[],
  options: XdpAttachOptions,
): XdpStatus {
  return locked(host, () => {
    const before = xdpStatus(host, ifindex);
    if (before.kind === "single") {
      throw new BpfError(
        EBUSY,
        `device ${ifindex} runs program ${before.progId} '${before.name}' without a dispatcher`,
        {
          ifindex,
          progId: before.progId,
        },
      );
    }
    const there = before.kind === "dispatcher" ? before.components.map((c) => c.progId) : [];
    const gone = off(there);
    const missing = gone.find((id) => !there.includes(id));
    if (missing !== undefined) throw notThere(ifindex, missing);
    return exchangeLocked(host, ifindex, before, new Set(gone), on, options);
  });
}

function exchangeLocked(
  host: XdpHost,
  ifindex: number,
  before: Exclude<XdpStatus, { kind: "single" }>,
  off: ReadonlySet<number>,
  on: readonly XdpProgram[],
  { mode }: XdpAttachOptions,
): XdpStatus {
  const { bpf, devices } = host;
  const undo: (() => void)[] = [];
  const done: (() => void)[] = [];
  const old = before.kind === "dispatcher" ? before : undefined;
  try {
    const oldFd = old && bpf.progGetFdById(old.progId);
    if (oldFd !== undefined) done.push(() => bpf.close(oldFd));
    const members = [...(old ? keptMembers(host, ifindex, old, off, done) : []), ...on.map(newMember)].sort(compareXdp);
    if (members.length > DISPATCHER_SLOTS) {
      throw new BpfError(E2BIG, `device ${ifindex}: ${members.length} programs; wanted at most ${DISPATCHER_SLOTS}`, {
        ifindex,
      });
    }
    const flags = modeFlags(mode ?? old?.mode, oldFd);
    if (members.length === 0) devices.setXdp(ifindex, -1, flags, oldFd);
    else {
      const main = build(host, ifindex, members, undo, done);
      devices.setXdp(ifindex, main, flags, oldFd);
    }
  } catch (e) {
    for (const step of undo.reverse()) step();
    throw e;
  } finally {
    for (const step of done.reverse()) step();
  }
  if (old) unpin(bpf, pinDir(host, ifindex, old.progId));
  // nobody else has changed it yet
  return xdpStatus(host, ifindex);
}

const modeFlags = (mode: XdpMode | undefined, oldFd: Fd | undefined): number =>
  (mode ? MODE_FLAGS[mode] : 0) | (oldFd === undefined ? abi.XDP_FLAGS_UPDATE_IF_NOEXIST : abi.XDP_FLAGS_REPLACE);

function keptMembers(
  host: XdpHost,
  ifindex: number,
  old: Extract<XdpStatus, { kind: "dispatcher" }>,
  off: ReadonlySet<number>,
  done: (() => void)[],
): Member[] {
  const { bpf } = host;
  const dir = pinDir(host, ifindex, old.progId);
  return old.components.flatMap(({ progId, name, config }, n): Member[] => {
    if (off.has(progId)) return [];
    const fd = bpf.objGet(`${dir}/prog${n}-prog`);
    done.push(() => bpf.close(fd));
    const { tag, loadTimeNs } = bpf.progInfo(fd);
    return [{ name, config, loaded: { tag, loadTimeNs }, from: { fd } }];
  });
}

function newMember(program: XdpProgram): Member {
  const insns = program.obj.progs[program.name]?.spec.insns.length;
  return {
    name: program.name,
    config: slotConfigOf(program),
    from: program,
    ...(insns === undefined ? {} : { insns }),
  };
}

/** A dispatcher with its programs, pinned and attached nowhere. @returns its fd, closed by `done` */
function build(
  host: XdpHost,
  ifindex: number,
  members: readonly Member[],
  undo: (() => void)[],
  done: (() => void)[],
): Fd {
  const { bpf } = host;
  const slots: SlotConfig[] = members.map((m) => m.config);
  const { obj, main } = loadDispatcher(host, { frags: allFrags(slots), slots });
  done.push(() => obj.close());
  const { progId } = progFacts(bpf, main.fd);
  const dir = pinDir(host, ifindex, progId);
  bpf.fs.mkdir(dir, 0o700);
  undo.push(() => unpin(bpf, dir));
  members.forEach(({ from }, n) => {
    const { prog, link } = intoSlot(bpf, from, n, main.fd, undo);
    done.push(() => bpf.close(link));
    bpf.objPin(link, `${dir}/prog${n}-link`);
    bpf.objPin(prog, `${dir}/prog${n}-prog`);
  });
  return main.fd;
}

function intoSlot(
  bpf: Bpf,
  from: Member["from"],
  slot: number,
  target: Fd,
  undo: (() => void)[],
): { prog: Fd; link: Fd } {
  const func = `prog${slot}`;
  if ("obj" in from) {
    undo.push(() => from.obj.close());
    const prog = loadAsExtension(bpf, from, func, { fd: target }).fd;
    return { prog, link: bpf.linkCreate({ progFd: prog, attachType: 0 }) };
  }
  const targetBtfId = functionId(bpf, target, func);
  return { prog: from.fd, link: bpf.linkCreate({ progFd: from.fd, attachType: 0, targetFd: target, targetBtfId }) };
}

/** Id of a function in the BTF of a program. @throws ENOENT */
export function functionId(bpf: Bpf, prog: Fd, func: string): number {
  const { btfId, name } = bpf.progInfo(prog);
  const btf = withFd(bpf, bpf.btfGetFdById(btfId), (fd) => parseBtf(bpf.btfInfo(fd).bytes));
  const id = btf.byName(func, BTF_KIND_FUNC);
  if (!id) throw new BpfError(ENOENT, `program '${name}' has no function '${func}'`, { func });
  return id;
}

/** The pins of a dispatcher; its links end with theirs. */
function unpin(bpf: Bpf, dir: string): void {
  for (const name of bpf.fs.readdir(dir)) bpf.fs.unlink(`${dir}/${name}`);
  bpf.fs.rmdir(dir);
}
