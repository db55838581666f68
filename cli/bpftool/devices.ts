/** Network devices of a kernel, as `skep net` shows and changes them. */
import { BpfError, ENODEV, EOPNOTSUPP } from "../../src/abi/errno.ts";
import type { Bpf, Fd } from "../../src/kernel/bpf.ts";
import { Process } from "../../src/kernel/process.ts";
import { NetKernel } from "../../src/net/create.ts";
import type { NetDevice } from "../../src/net/device.ts";
import { type Device, Devices, LinuxBpf, openPath } from "../../src/node/linux/index.ts";

/** The part of skep/linux's Devices that commands use. */
export type DeviceView = Pick<Devices, "list" | "byName" | "filters" | "setXdp"> & Disposable;

/** @throws EOPNOTSUPP a kernel without devices */
export function devicesOf(bpf: Bpf): DeviceView {
  if (bpf instanceof LinuxBpf) return new Devices(bpf.sys);
  if (bpf instanceof Process && bpf.kernel instanceof NetKernel) return new SimulatedDevices(bpf.kernel);
  throw new BpfError(EOPNOTSUPP, "net: this kernel has no devices");
}

export function openOwnNetns(bpf: Bpf): Fd | undefined {
  if (bpf instanceof LinuxBpf) return openPath(bpf, "/proc/thread-self/ns/net");
  return bpf instanceof Process ? bpf.openNetns() : undefined;
}

class SimulatedDevices implements DeviceView {
  readonly #kernel: NetKernel;

  constructor(kernel: NetKernel) {
    this.#kernel = kernel;
  }

  list(): Device[] {
    return [...this.#kernel.net.devices].map(view);
  }

  byName(name: string): Device {
    return view(this.#at(this.#kernel.net.deviceByName(name), name));
  }

  #at(device: NetDevice | undefined, name: string): NetDevice {
    if (!device) throw new BpfError(ENODEV, `there is no device '${name}'`, { name });
    return device;
  }

  filters(): [] {
    return [];
  }

  setXdp(): never {
    throw new BpfError(EOPNOTSUPP, "net: this kernel attaches XDP programs by links only");
  }

  [Symbol.dispose](): void {}
}

function view(d: NetDevice): Device {
  const xdp = d.xdp ? [{ mode: "driver" as const, progId: d.xdp.id }] : [];
  return { ifindex: d.ifindex, name: d.name, up: d.up, xdp };
}
