/** Network devices of a kernel, as `skep net` shows and changes them. */
import { BpfError, ENODEV, EOPNOTSUPP } from "../../src/abi/errno.ts";
import type { Bpf, Fd } from "../../src/kernel/bpf.ts";
import { Process } from "../../src/kernel/process.ts";
import { NetKernel } from "../../src/net/create.ts";
import { XdpDeviceView } from "../../src/net/xdp_set.ts";
import { type Device, Devices, LinuxBpf, openPath } from "../../src/node/linux/index.ts";

/** The part of skep/linux's Devices that commands use. */
export type DeviceView = Pick<Devices, "list" | "byName" | "filters" | "setXdp"> & Disposable;

/** @throws EOPNOTSUPP a kernel without devices */
export function devicesOf(bpf: Bpf): DeviceView {
  if (bpf instanceof LinuxBpf) return new Devices(bpf.sys);
  if (bpf instanceof Process && bpf.kernel instanceof NetKernel)
    return new SimulatedDevices(bpf.kernel.netOf(bpf.netns), bpf);
  throw new BpfError(EOPNOTSUPP, "net: this kernel has no devices");
}

export function openOwnNetns(bpf: Bpf): Fd | undefined {
  if (bpf instanceof LinuxBpf) return openPath(bpf, "/proc/thread-self/ns/net");
  return bpf instanceof Process ? bpf.openNetns() : undefined;
}

class SimulatedDevices extends XdpDeviceView implements DeviceView {
  byName(name: string): Device {
    const found = this.list().find((d) => d.name === name);
    if (!found) throw new BpfError(ENODEV, `there is no device '${name}'`, { name });
    return found;
  }

  filters(): [] {
    return [];
  }

  [Symbol.dispose](): void {}
}
