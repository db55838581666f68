/**
 * XDP on a device, by link: one program per device; while the link lives nobody else can attach there.
 *
 * Errors   EINVAL no such device, EBUSY another link holds the device, flags or a program that cannot be on a device.
 * Source   dev_xdp_attach() in net/core/dev.c.
 */
import * as abi from "../abi/bpf.ts";
import { BpfError, EBUSY, EINVAL, EOPNOTSUPP } from "../abi/errno.ts";
import type { Attachment, LinkType } from "../kernel/link.ts";
import type { Prog } from "../kernel/prog.ts";
import { LOOPBACK_IFINDEX } from "./net.ts";
import type { Nets } from "./nets.ts";
import { linkOnDevice } from "./on_device.ts";

const MODES = abi.XDP_FLAGS_SKB_MODE | abi.XDP_FLAGS_DRV_MODE | abi.XDP_FLAGS_HW_MODE;

/** May it be on a device? @throws EINVAL */
export function checkXdp(prog: Prog): void {
  const { expectedAttachType } = prog.facts;
  if (
    prog.type !== abi.BPF_PROG_TYPE_XDP ||
    expectedAttachType === abi.BPF_XDP_DEVMAP ||
    expectedAttachType === abi.BPF_XDP_CPUMAP
  ) {
    throw new BpfError(EINVAL, `xdp: program '${prog.name}' cannot be attached to a device`, {
      type: prog.type,
      expectedAttachType,
    });
  }
}

export function xdpLinkType(nets: Nets): LinkType {
  return {
    type: abi.BPF_LINK_TYPE_XDP,
    progTypes: [abi.BPF_PROG_TYPE_XDP],
    attachTypes: [abi.BPF_XDP],
    attach(proc, prog, attr, link): Attachment {
      const flags = attr.flags ?? 0;
      const modes = [abi.XDP_FLAGS_SKB_MODE, abi.XDP_FLAGS_DRV_MODE, abi.XDP_FLAGS_HW_MODE].filter((m) => flags & m);
      if (flags & ~MODES || modes.length > 1)
        throw new BpfError(EINVAL, `xdp: flags 0x${flags.toString(16)}`, { flags });
      const device = nets.of(proc.netns).device(attr.targetIfindex ?? 0);
      if (!device)
        throw new BpfError(EINVAL, `xdp: no device has ifindex ${attr.targetIfindex}`, { ifindex: attr.targetIfindex });
      checkXdp(prog);
      if (device.xdp)
        throw new BpfError(EBUSY, `xdp: ${device.name} has program ${device.xdp.id}`, { ifindex: device.ifindex });
      // lo has no driver, and no device here runs programs in hardware.
      if (flags & abi.XDP_FLAGS_HW_MODE || (flags & abi.XDP_FLAGS_DRV_MODE && device.ifindex === LOOPBACK_IFINDEX))
        throw new BpfError(EOPNOTSUPP, `xdp: ${device.name} cannot in mode 0x${flags.toString(16)}`, { flags });
      device.xdp = prog;
      const place = linkOnDevice(device, link);
      return {
        forcedDetach: true,
        update(next) {
          checkXdp(next);
          device.xdp = next;
        },
        detach() {
          device.xdp = undefined;
          place.leave();
        },
        info: () => ({ ifindex: device.ifindex }),
        holds: place.holds,
      };
    },
  };
}
