/**
 * The running Linux: a network namespace with a veth pair and a bpffs of its own, all gone at the end.
 *
 * An administrator is a LinuxBpf: when it dies, its fds are closed. Which programs a packet meets is what is attached to
 * the device's hooks. The calling thread is in the namespace until dispose(), and must not wait.
 */
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as abi from "../../src/abi/bpf.ts";
import { assemble } from "../../src/isa/assemble.ts";
import { encode } from "../../src/isa/codec.ts";
import type { Bpf, Fd } from "../../src/kernel/bpf.ts";
import { Devices, inNetns, type LinuxBpf, linux, newNetns } from "../../src/node/linux/index.ts";
import { type Admin, objName, World } from "./world.ts";

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

  load(bpf: Bpf, progType: number, ...names: readonly string[]): Fd {
    const ret = progType === abi.BPF_PROG_TYPE_XDP ? abi.XDP_PASS : abi.TCX_NEXT;
    const insns = encode(assemble(`r0 = ${ret}\nexit`).insns);
    return bpf.progLoad({ progType, insns, license: "GPL", name: objName(names) }).fd;
  }

  packet(): string[] {
    const [xdp] = this.#devices.list().filter((d) => d.ifindex === this.ifindex);
    const tc = this.host.progQuery({ attachType: abi.BPF_TCX_INGRESS, targetIfindex: this.ifindex });
    const ids = [...xdp!.xdp.map((x) => x.progId), ...tc.progs.map((p) => p.id)];
    // One program may stand for several parts: "xdp-a-tc-a".
    return ids.flatMap((id) => this.progName(id).match(/[a-z]+-[a-z]/g) ?? []).sort();
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
