/**
 * XDP on a device without a link, as netlink (IFLA_XDP) and bpf_xdp_attach() set it: it stays when its maker is gone, until
 * it is taken off or the device goes.
 *
 * Errors   EPERM without CAP_NET_ADMIN; ENODEV; EINVAL flags, or a program that cannot be on a device; EBUSY a link is there, or NOEXIST was asked for;
 *          EEXIST another program is there than REPLACE expects.
 * Source   dev_change_xdp_fd(), dev_xdp_attach() in net/core/dev.c.
 * Differs  one program for each device, whatever the mode.
 */
import * as abi from "../abi/bpf.ts";
import { BpfError, EBUSY, EEXIST, EINVAL, ENODEV, EPERM } from "../abi/errno.ts";
import type { Fd } from "../kernel/bpf.ts";
import type { Root } from "../kernel/objects.ts";
import type { Process } from "../kernel/process.ts";
import type { NetDevice } from "./device.ts";
import type { Net } from "./net.ts";
import { checkXdp } from "./xdp_link.ts";

const MODES = abi.XDP_FLAGS_SKB_MODE | abi.XDP_FLAGS_DRV_MODE | abi.XDP_FLAGS_HW_MODE;
const FLAGS = MODES | abi.XDP_FLAGS_UPDATE_IF_NOEXIST | abi.XDP_FLAGS_REPLACE;

/**
 * @param progFd -1 takes the program off
 * @param flags XDP_FLAGS_*; with XDP_FLAGS_REPLACE the program of expectedFd (-1: none) must be there
 */
export function setXdp(
  net: Net,
  proc: Process,
  ifindex: number,
  progFd: number,
  flags: number,
  expectedFd?: number,
): void {
  if (!proc.caps.netAdmin) throw new BpfError(EPERM, "xdp: needs CAP_NET_ADMIN", { pid: proc.pid });
  const device = net.device(ifindex);
  if (!device) throw new BpfError(ENODEV, `xdp: no device has ifindex ${ifindex}`, { ifindex });
  const fail = (errno: typeof EBUSY | typeof EEXIST | typeof EINVAL, text: string): never => {
    throw new BpfError(errno, `xdp: ${device.name}: ${text}`, { ifindex });
  };
  const mode = flags & MODES;
  if (flags & ~FLAGS || mode & (mode - 1)) fail(EINVAL, `flags 0x${flags.toString(16)}`);
  const replace = (flags & abi.XDP_FLAGS_REPLACE) !== 0;
  if (replace && expectedFd === undefined) fail(EINVAL, "XDP_FLAGS_REPLACE without a program that is expected");
  if (replace && flags & abi.XDP_FLAGS_UPDATE_IF_NOEXIST) fail(EINVAL, "flags that exclude each other");
  const prog = progFd < 0 ? undefined : proc.progAt(progFd as Fd);
  const expected = replace && expectedFd! >= 0 ? proc.progAt(expectedFd as Fd) : undefined;
  const there = device.xdp;
  if (there && !device.takeOffXdp) fail(EBUSY, `a link holds program ${there.id} there`);
  if (replace && there !== expected) fail(EEXIST, `program ${there?.id ?? 0} is there, not ${expected?.id ?? 0}`);
  if (prog) {
    if (there && flags & abi.XDP_FLAGS_UPDATE_IF_NOEXIST) fail(EBUSY, `program ${there.id} is there`);
    checkXdp(prog);
  }
  if (prog !== there) put(net, device, prog);
}

function put(net: Net, device: NetDevice, prog: NetDevice["xdp"]): void {
  const old = device.xdp;
  device.xdp = prog?.get();
  if (!prog) {
    if (device.takeOffXdp) device.onRemove.delete(device.takeOffXdp);
    device.takeOffXdp = undefined;
  } else if (!device.takeOffXdp) {
    device.takeOffXdp = () => put(net, device, undefined);
    device.onRemove.add(device.takeOffXdp);
  }
  const progId = (prog ?? old)?.id;
  net.kernel.events.emit({
    what: !old ? "attach" : prog ? "replace" : "detach",
    ifindex: device.ifindex,
    attachType: abi.BPF_XDP,
    ...(progId === undefined ? {} : { progId }),
  });
  old?.put();
}

/** What devices hold. */
export function* xdpRoots(devices: Iterable<NetDevice>): Iterable<Root> {
  for (const device of devices) {
    if (!device.xdp || !device.takeOffXdp) continue;
    yield { who: `XDP of device ${device.name}`, obj: device.xdp, release: device.takeOffXdp };
  }
}

/** The devices of a network as a process sees and changes them: the part of netlink that XDP needs. */
export class XdpDeviceView {
  readonly #net: Net;
  readonly #proc: Process;

  constructor(net: Net, proc: Process) {
    this.#net = net;
    this.#proc = proc;
  }

  list(): { ifindex: number; name: string; up: boolean; xdp: { mode: "driver"; progId: number }[] }[] {
    return Array.from(this.#net.devices, ({ ifindex, name, up, xdp }) => ({
      ifindex,
      name,
      up,
      xdp: xdp ? [{ mode: "driver", progId: xdp.id }] : [],
    }));
  }

  setXdp(ifindex: number, progFd: number, flags = 0, expectedFd?: number): void {
    this.#proc.as(() => setXdp(this.#net, this.#proc, ifindex, progFd, flags, expectedFd));
  }
}
