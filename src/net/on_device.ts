/**
 * What a link on a device has to do with it: the link becomes defunct when the device goes; a link that asked for `hold`
 * keeps the device, and the network namespace in which the device is.
 */

import type { Link } from "../kernel/link.ts";
import type { KObject } from "../kernel/objects.ts";
import type { NetDevice } from "./device.ts";

export interface OnDevice {
  /** The link is detached. */
  leave(): void;
  holds(): readonly KObject[];
}

export function linkOnDevice(device: NetDevice, link: Link): OnDevice {
  const gone = () => link.targetGone();
  device.onRemove.add(gone);
  if (link.hold) {
    device.net.netns.get();
    device.holders.add(link);
  }
  return {
    leave() {
      device.onRemove.delete(gone);
      if (device.holders.delete(link)) device.net.netns.put();
    },
    holds: () => (device.holders.has(link) ? [device.net.netns] : []),
  };
}
