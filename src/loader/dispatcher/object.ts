/** Dispatcher objects: libxdp's xdp-dispatcher.o where the host has one, else our own; and programs made to fit a slot. */
import { BPF_F_XDP_HAS_FRAGS, BPF_PROG_TYPE_EXT } from "../../abi/bpf.ts";
import { BpfError, EINVAL } from "../../abi/errno.ts";
import { base64Decode } from "../../bytes/base64.ts";
import { XDP_DISPATCHER } from "../../generated/dispatcher_objects.ts";
import type { Bpf, Fd } from "../../kernel/bpf.ts";
import { type BpfObject, openObject } from "../object.ts";
import type { BpfProg } from "../prog.ts";
import { configValue, type DispatcherConfig } from "./config.ts";
import type { XdpHost } from "./host.ts";
import type { XdpProgram } from "./order.ts";

const MAIN = "xdp_dispatcher";

/** A dispatcher that says what `config` says. @throws EINVAL an object that is none */
export function loadDispatcher(host: XdpHost, config: DispatcherConfig): { obj: BpfObject; main: BpfProg } {
  const obj = openDispatcher(host);
  const main = only(obj, MAIN);
  obj.rodata["conf"] = configValue(config);
  if (config.frags) main.progFlags |= BPF_F_XDP_HAS_FRAGS;
  obj.load(host.bpf);
  return { obj, main };
}

function openDispatcher(host: XdpHost): BpfObject {
  return openObject(host.dispatcher ?? base64Decode(XDP_DISPATCHER), { name: "xdp-dispatcher.o" });
}

/** Of an object that is not loaded, only this program will be. @throws EINVAL */
export function only(obj: BpfObject, name: string): BpfProg {
  const prog = obj.progs[name];
  if (!prog) {
    throw new BpfError(EINVAL, `${obj.spec.file}: there is no program '${name}'; wanted one of it`, {
      progs: Object.keys(obj.progs),
    });
  }
  for (const each of Object.values(obj.progs)) each.autoload = each === prog;
  return prog;
}

/** Loads a program as an extension of a function. */
export function loadAsExtension(
  bpf: Bpf,
  { obj, name }: XdpProgram,
  func: string,
  target: { readonly fd: Fd },
): BpfProg {
  const prog = only(obj, name);
  prog.type = BPF_PROG_TYPE_EXT;
  prog.expectedAttachType = 0;
  prog.progFlags &= ~BPF_F_XDP_HAS_FRAGS;
  prog.setAttachTarget(func, target);
  obj.load(bpf);
  return prog;
}

/** Why this kernel runs no dispatcher; undefined: it does. libxdp's check, with the same function. */
export function whyNoDispatcher(host: XdpHost): BpfError | undefined {
  const open: { close(): void }[] = [];
  try {
    const { obj, main } = loadDispatcher(host, {
      frags: false,
      slots: [{ priority: 0, chainCallActions: 0, flags: 0 }],
    });
    open.push(obj);
    const probe = openDispatcher(host);
    open.push(probe);
    const ext = loadAsExtension(host.bpf, { obj: probe, name: "xdp_pass" }, "compat_test", main);
    const { bpf } = host;
    const link = bpf.linkCreate({ progFd: ext.fd, attachType: 0 });
    open.push({ close: () => bpf.close(link) });
    return undefined;
  } catch (e) {
    if (e instanceof BpfError) return e;
    throw e;
  } finally {
    for (const each of open.reverse()) each.close();
  }
}
