/**
 * createKernel(): the in-process kernel with everything plugged in: objects, verifier, engines, network.
 *
 *     const kernel = createKernel({ cpus: 2 });
 *     const eth0 = kernel.net.addDevice({ name: "eth0" });
 *     using proc = kernel.spawn();
 *     const { fd } = proc.progLoad({ ... });
 */
import { Kernel, type KernelOptions } from "../kernel/kernel.ts";
import type { NetNs } from "../kernel/netns.ts";
import type { NetDevice } from "./device.ts";
import type { Net } from "./net.ts";
import { netfilterLinkType } from "./netfilter.ts";
import { Nets } from "./nets.ts";
import { tcxAttachPoint, tcxLinkType, tcxRoots } from "./tcx.ts";
import { testRunners } from "./test_run.ts";
import { xdpLinkType } from "./xdp_link.ts";
import { xdpRoots } from "./xdp_set.ts";

export class NetKernel extends Kernel {
  readonly nets: Nets;

  constructor(options: KernelOptions = {}) {
    super(options);
    this.nets = new Nets(this);
    this.deviceExists = (ifindex) => this.netOf(this.current?.netns).device(ifindex) !== undefined;
    Object.assign(this.testRunners, testRunners(this.nets));
    this.linkTypes.register(xdpLinkType(this.nets));
    this.linkTypes.register(tcxLinkType(this.nets));
    this.linkTypes.register(netfilterLinkType(this.nets));
    this.attachPoints.register(tcxAttachPoint(this.nets));
    this.roots.push(() => xdpRoots(this.nets.devices()));
    this.roots.push(() => [...this.nets.devices()].flatMap((device) => [...tcxRoots(device)]));
    this.onShutdown.push(() => this.nets.shutdown());
    this.settle();
  }

  /** The network of the first namespace. */
  get net(): Net {
    return this.nets.init;
  }

  /** @throws EINVAL the namespace has ended */
  netOf(netns: NetNs = this.initNetns): Net {
    return this.nets.of(netns);
  }

  /** Moves a device to another namespace. @throws EINVAL lo, EEXIST its name is taken there */
  moveDevice(device: NetDevice, netns: NetNs): void {
    this.nets.move(device, netns);
  }
}

export function createKernel(options: KernelOptions = {}): NetKernel {
  return new NetKernel(options);
}
