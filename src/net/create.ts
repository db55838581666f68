/**
 * createKernel(): the in-process kernel with everything plugged in: objects, verifier, engines, network.
 *
 *     const kernel = createKernel({ cpus: 2 });
 *     const eth0 = kernel.net.addDevice({ name: "eth0" });
 *     using proc = kernel.spawn();
 *     const { fd } = proc.progLoad({ ... });
 */
import { Kernel, type KernelOptions } from "../kernel/kernel.ts";
import { Net } from "./net.ts";
import { tcxAttachPoint, tcxLinkType, tcxRoots } from "./tcx.ts";
import { testRunners } from "./test_run.ts";
import { xdpLinkType } from "./xdp_link.ts";
import { xdpRoots } from "./xdp_set.ts";

/** ifindex of "lo", which is always there. */
const LOOPBACK = 1;

export class NetKernel extends Kernel {
  readonly net: Net;

  constructor(options: KernelOptions = {}) {
    super(options);
    this.net = new Net(this);
    this.provide("net", this.net);
    this.deviceExists = (ifindex) => this.net.device(ifindex) !== undefined;
    Object.assign(this.testRunners, testRunners(this.net));
    this.linkTypes.register(xdpLinkType(this.net));
    this.linkTypes.register(tcxLinkType(this.net));
    this.attachPoints.register(tcxAttachPoint(this.net));
    this.roots.push(() => xdpRoots(this.net));
    this.roots.push(() => [...this.net.devices].flatMap((device) => [...tcxRoots(device)]));
    this.onShutdown.push(() => {
      for (const device of [...this.net.devices]) if (device.ifindex !== LOOPBACK) this.net.removeDevice(device);
      this.net.sockets.clear();
    });
    this.settle();
  }
}

export function createKernel(options: KernelOptions = {}): NetKernel {
  return new NetKernel(options);
}
