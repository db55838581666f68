/**
 * The running Linux: a network namespace with a veth pair and a bpffs of its own, all gone at the end.
 *
 * An administrator is a LinuxBpf: when it dies, its fds are closed. A packet meets what is attached to the device: a test
 * run of each program, in order. The calling thread is in the namespace until dispose(), and must not wait.
 */
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as abi from "../../src/abi/bpf.ts";
import { Devices, inNetns, type LinuxBpf, linux, newNetns } from "../../src/node/linux/index.ts";
import { type Admin, testFrame, World } from "./world.ts";

export class LinuxWorld extends World {
  override readonly host: LinuxBpf;
  override readonly bpffs: string;
  override readonly ifindex: number;
  readonly #devices: Devices;
  readonly #admins: LinuxBpf[] = [];

  /** Called within the network namespace. */
  constructor(host: LinuxBpf) {
    super();
    this.host = host;
    this.#devices = new Devices(host.sys);
    const [device] = this.#devices.addVeth("skep-eth0", "skep-peer");
    this.ifindex = device.ifindex;
    this.bpffs = mkdtempSync(join(tmpdir(), `skep-${process.pid}-crash`));
    host.fs.mount(this.bpffs);
  }

  admin(): Admin {
    const bpf = linux();
    this.#admins.push(bpf);
    return { bpf, exit: () => bpf[Symbol.dispose]() };
  }

  xdpId(): number | undefined {
    return this.#devices.list().find((d) => d.ifindex === this.ifindex)?.xdp[0]?.progId;
  }

  protected receive(): void {
    const tc = this.host.progQuery({ attachType: abi.BPF_TCX_INGRESS, targetIfindex: this.ifindex });
    for (const id of [this.xdpId(), ...tc.progs.map((p) => p.id)]) {
      if (id === undefined) continue;
      const fd = this.host.progGetFdById(id);
      this.host.progTestRun(fd, { dataIn: testFrame() });
      this.host.close(fd);
    }
  }

  [Symbol.dispose](): void {
    for (const bpf of this.#admins) bpf[Symbol.dispose]();
    this.host.fs.umount(this.bpffs, { detach: true });
    rmdirSync(this.bpffs);
    this.#devices.remove(this.ifindex);
    this.#devices[Symbol.dispose]();
  }
}

/** Calls the body, which must not wait, with this thread in a network namespace of its own. */
export function onLinux<T>(body: (newWorld: () => World) => T): T {
  using host = linux();
  return inNetns(host, newNetns(host), () => body(() => new LinuxWorld(host)));
}
