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
import type { Net } from "./net.ts";

/** ifindex of every namespace's first device. */
const LO = 1;

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

export function xdpLinkType(net: Net): LinkType {
  return {
    type: abi.BPF_LINK_TYPE_XDP,
    progTypes: [abi.BPF_PROG_TYPE_XDP],
    attachTypes: [abi.BPF_XDP],
    attach(_proc, prog, attr, link): Attachment {
      const flags = attr.flags ?? 0;
      const modes = [abi.XDP_FLAGS_SKB_MODE, abi.XDP_FLAGS_DRV_MODE, abi.XDP_FLAGS_HW_MODE].filter((m) => flags & m);
      if (flags & ~MODES || modes.length > 1)
        throw new BpfError(EINVAL, `xdp: flags 0x${flags.toString(16)}`, { flags });
      const device = net.device(attr.targetIfindex ?? 0);
      if (!device)
        throw new BpfError(EINVAL, `xdp: no device has ifindex ${attr.targetIfindex}`, { ifindex: attr.targetIfindex });
      checkXdp(prog);
      if (device.xdp)
        throw new BpfError(EBUSY, `xdp: ${device.name} has program ${device.xdp.id}`, { ifindex: device.ifindex });
      // lo has no driver, and no device here runs programs in hardware.
      if (flags & abi.XDP_FLAGS_HW_MODE || (flags & abi.XDP_FLAGS_DRV_MODE && device.ifindex === LO))
        throw new BpfError(EOPNOTSUPP, `xdp: ${device.name} cannot in mode 0x${flags.toString(16)}`, { flags });
      device.xdp = prog;
      const gone = () => link.targetGone();
      device.onRemove.add(gone);
      let ifindex = device.ifindex;
      return {
        forcedDetach: true,
        update(next) {
          checkXdp(next);
          device.xdp = next;
        },
        detach() {
          device.xdp = undefined;
          device.onRemove.delete(gone);
          ifindex = 0;
        },
        info: () => ({ ifindex }),
      };
    },
  };
}
