/** The running Linux kernel behind the library's API. */
import { LinuxBpf } from "./linux_bpf.ts";

export { isBpffs } from "./bpffs.ts";
export { type Device, Devices, type TcFilter } from "./devices.ts";
export { LinuxBpf } from "./linux_bpf.ts";
export { mountPoints } from "./mounts.ts";
export { cgroupRoot, inNetns, newNetns, openPath } from "./namespaces.ts";

/** @throws BpfError in one line when this is no Linux, koffi is not installed, or bpf(2) is not permitted */
export function linux(): LinuxBpf {
  return new LinuxBpf();
}
