/** The world of a scenario on the in-process kernel. At its end references add up and nothing is left. */

import type { Fd } from "../../src/kernel/bpf.ts";
import { BPFFS_ROOT } from "../../src/kernel/bpffs/super_block.ts";
import type { Cgroup } from "../../src/kernel/cgroup/cgroup.ts";
import { checkReferences } from "../../src/kernel/holders.ts";
import type { KernelOptions } from "../../src/kernel/kernel.ts";
import type { NetNs } from "../../src/kernel/netns.ts";
import type { Process } from "../../src/kernel/process.ts";
import { createKernel, type NetKernel } from "../../src/net/create.ts";
import type { NetDevice } from "../../src/net/device.ts";
import { SocketView } from "../../src/net/socket/view.ts";
import { ALL_CAPS, type Caps, NO_CAPS } from "../../src/verifier/platform.ts";
import type { CapName } from "./privileges.ts";
import {
  type CgroupRef,
  type DeviceRef,
  type NetnsRef,
  type Proc,
  type ProcessOptions,
  procOf,
  type World,
} from "./world.ts";

/** Handles are the kernel's objects. */
const netnsOf = (ref: NetnsRef) => ref as unknown as NetNs;
const cgroupOf = (ref: CgroupRef) => ref as unknown as Cgroup;

export class SkepWorld implements World {
  readonly kind = "skep";
  readonly pinDir = BPFFS_ROOT;
  readonly kernel: NetKernel;
  readonly #top: Cgroup;
  readonly #processes = new Map<Proc, Process>();
  readonly #devices = new Map<DeviceRef, NetDevice>();
  readonly #netns = new Set<NetNs>();
  #names = 0;

  constructor(options: KernelOptions = {}) {
    this.kernel = createKernel({ random: () => 7, unprivilegedBpfDisabled: 2, ...options });
    const { cgroups } = this.kernel;
    this.#top = cgroups.create(cgroups.root, "world");
  }

  get home(): NetnsRef {
    return this.kernel.initNetns as unknown as NetnsRef;
  }

  async process(options: ProcessOptions = {}): Promise<Proc> {
    const { caps, uid = 0, netns = this.home, cgroup } = options;
    const process = this.kernel.spawn({
      caps: caps ? capsOf(caps) : ALL_CAPS,
      uid,
      gid: uid,
      netns: netnsOf(netns),
      cgroup: cgroup ? cgroupOf(cgroup) : this.#top,
    });
    const exit = async () => process.exit();
    const proc = procOf(
      {
        pid: process.pid,
        possibleCpus: process.possibleCpus,
        bpf: process,
        openCgroup: async (cg) => process.openCgroup(cgroupOf(cg)),
        openNetns: async (ns) => process.openNetns(netnsOf(ns)),
        sendFd: async (fd, to) => process.sendFd(fd, this.#processes.get(to)!) as Fd,
        enterCgroup: async (cg) => process.setCgroup(cgroupOf(cg)),
        enterNetns: async (ns) => process.setNetns(netnsOf(ns)),
        exit,
        // how a process ends makes no difference to what it leaves
        kill: exit,
      },
      new SocketView(this.kernel, process),
    );
    this.#processes.set(proc, process);
    return proc;
  }

  async netns(): Promise<NetnsRef> {
    const netns = this.kernel.newNetns();
    this.#netns.add(netns);
    return netns as unknown as NetnsRef;
  }

  async removeNetns(netns: NetnsRef): Promise<void> {
    this.#netns.delete(netnsOf(netns));
    netnsOf(netns).put();
  }

  async veth(a = this.home, b = a): Promise<[DeviceRef, DeviceRef]> {
    const n = this.#names++;
    const { kernel } = this;
    const [first, second] = kernel.netOf(netnsOf(a)).addVethPair({ name: `veth${n}a` }, { name: `veth${n}b` });
    kernel.moveDevice(second, netnsOf(b));
    second.up = true;
    return [this.#ref(first), this.#ref(second)];
  }

  #ref(device: NetDevice): DeviceRef {
    const ref = {
      name: device.name,
      get ifindex() {
        return device.ifindex;
      },
      get netns() {
        return device.net.netns as unknown as NetnsRef;
      },
    };
    this.#devices.set(ref, device);
    return ref;
  }

  #device(ref: DeviceRef): NetDevice {
    return this.#devices.get(ref)!;
  }

  async moveDevice(dev: DeviceRef, to: NetnsRef): Promise<void> {
    this.kernel.moveDevice(this.#device(dev), netnsOf(to));
  }

  async deleteDevice(dev: DeviceRef): Promise<void> {
    const device = this.#device(dev);
    device.net.removeDevice(device);
  }

  async setUp(dev: DeviceRef, up = true): Promise<void> {
    this.#device(dev).up = up;
  }

  async addAddress(dev: DeviceRef, addr: Uint8Array, prefixLen: number): Promise<void> {
    const device = this.#device(dev);
    device.net.addAddress(device, addr, prefixLen);
  }

  async send(dev: DeviceRef, frame: Uint8Array): Promise<void> {
    this.#device(dev).receive(frame.slice());
  }

  async cgroup(parent?: CgroupRef): Promise<CgroupRef> {
    const at = parent ? cgroupOf(parent) : this.#top;
    return this.kernel.cgroups.create(at, `c${this.#names++}`) as unknown as CgroupRef;
  }

  async removeCgroup(cgroup: CgroupRef): Promise<void> {
    this.kernel.cgroups.remove(cgroupOf(cgroup));
  }

  async eventually<T>(body: () => T | Promise<T>): Promise<T> {
    return body();
  }

  async end(): Promise<void> {
    for (const netns of this.#netns) netns.put();
    checkReferences(this.kernel);
    this.kernel.shutdown();
    this.kernel.assertEmpty();
  }
}

function capsOf(names: readonly CapName[]): Caps {
  return { ...NO_CAPS, ...Object.fromEntries(names.map((name) => [name, true])) };
}
