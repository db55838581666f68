/** What a random sequence acts on: a kernel with processes, devices, cgroups and names, and how a step picks among them. */
import * as abi from "../../src/abi/bpf.ts";
import { assemble } from "../../src/isa/assemble.ts";
import { encode } from "../../src/isa/codec.ts";
import type { Fd } from "../../src/kernel/bpf.ts";
import type { Cgroup } from "../../src/kernel/cgroup/cgroup.ts";
import { checkReferences } from "../../src/kernel/holders.ts";
import type { ObjKind } from "../../src/kernel/objects.ts";
import type { Process } from "../../src/kernel/process.ts";
import { Prog } from "../../src/kernel/prog.ts";
import { createKernel, type NetKernel } from "../../src/net/create.ts";
import type { NetDevice } from "../../src/net/device.ts";
import { ALL_CAPS, NO_CAPS } from "../../src/verifier/platform.ts";
import { checkFileSystems } from "./fs_check.ts";

/** Everything that a step needs to be repeated. */
export interface Step {
  /** Index among the operations. */
  readonly op: number;
  /** What the operation picks by. */
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

export const BPFFS = "/sys/fs/bpf";
const MAX_PROCESSES = 5;

const frame = new Uint8Array(64).fill(1, 0, 12);
frame[12] = 8;

export class Scene implements Disposable {
  readonly kernel: NetKernel;

  constructor() {
    // The interpreter: a program that lives for a few steps is not worth a WebAssembly module.
    this.kernel = createKernel({ random: () => 7, engine: "interp" });
    this.kernel.spawn({ comm: "root" });
    this.kernel.spawn({ comm: "user", caps: NO_CAPS, uid: 1000 });
    this.kernel.net.addDevice();
  }

  proc(n: number): Process {
    if (this.kernel.processes.size === 0) this.kernel.spawn();
    return pick([...this.kernel.processes], n)!;
  }

  spawn(n: number): void {
    if (this.kernel.processes.size >= MAX_PROCESSES) return;
    this.kernel.spawn({ caps: n % 8 ? ALL_CAPS : NO_CAPS, cgroup: this.cgroup(n >> 2) });
  }

  fork(n: number): void {
    if (this.kernel.processes.size < MAX_PROCESSES) this.proc(n).fork();
  }

  /** An fd of that kind; one in sixteen times any fd, and 99 where there is none. */
  fd(proc: Process, kind: ObjKind, n: number): Fd {
    const any = n % 16 === 15;
    const fds = [...proc.fdTable.entries()].filter(([, { obj }]) => any || obj.kind === kind).map(([fd]) => fd);
    return (pick(fds, n >> 4) ?? 99) as Fd;
  }

  /** An fd on a program of that type; one in sixteen times on any. */
  prog(proc: Process, progType: number, n: number): Fd {
    const fits = [...proc.fdTable.entries()].filter(([, { obj }]) => obj instanceof Prog && obj.type === progType);
    const fd = n % 16 === 15 ? undefined : pick(fits, n >> 4)?.[0];
    return fd === undefined ? this.fd(proc, "prog", n) : (fd as Fd);
  }

  device(n: number): NetDevice | undefined {
    return pick([...this.kernel.net.devices].slice(1), n);
  }

  cgroup(n: number): Cgroup {
    return pick([...this.kernel.cgroups.root.descendants()], n)!;
  }

  /** A few names, so that they collide. */
  path(n: number): string {
    return `${BPFFS}/${"abcd"[n % 4]}`;
  }

  /** A packet through every device. */
  packets(): void {
    for (const device of this.kernel.net.devices) {
      device.receive(frame.slice());
      device.send(frame.slice());
      device.delivered.length = 0;
      device.sent.length = 0;
    }
  }

  /** @throws Error when counts do not add up or something is attached without its program */
  check(): void {
    checkReferences(this.kernel);
    checkFileSystems(this.kernel);
    for (const link of this.kernel.links.values()) {
      if (!link.defunct && link.prog && this.kernel.progs.find(link.prog.id) !== link.prog)
        throw new Error(`link ${link.id} is attached, its program ${link.prog.id} is gone`);
    }
    for (const cgroup of this.kernel.cgroups.root.descendants()) {
      for (const type of [abi.BPF_CGROUP_INET_INGRESS, abi.BPF_CGROUP_INET_EGRESS]) {
        for (const { prog } of this.kernel.cgroupProgs.effective(cgroup, type)) {
          if (this.kernel.progs.find(prog.id) !== prog)
            throw new Error(`program ${prog.id} is effective in ${cgroup.path} and gone`);
        }
      }
    }
    for (const list of this.kernel.roots) {
      for (const { who, obj } of list()) if (obj.refs === 0) throw new Error(`${who} holds a ${obj.kind} that is gone`);
    }
  }

  /** Everyone exits, everything is taken down. @throws Error when anything is left */
  [Symbol.dispose](): void {
    const { kernel } = this;
    kernel.shutdown();
    kernel.assertEmpty();
  }
}

export function pick<T>(list: readonly T[], n: number): T | undefined {
  return list[n % list.length];
}

/** Instructions of a program that returns a value and may use a map. */
export function program(retval: number, mapFd?: Fd): Uint8Array {
  const use = mapFd === undefined ? "" : "r1 = map[m] ll\n";
  const { insns } = assemble(`${use}r0 = ${retval}\nexit`, {
    symbol: () => ({ src: abi.BPF_PSEUDO_MAP_FD, imm: mapFd ?? 0 }),
  });
  return encode(insns);
}

/** Tail-calls slot 0 of a prog array. */
export function tailCaller(mapFd: Fd): Uint8Array {
  const { insns } = assemble("r2 = map[m] ll\nr3 = 0\ncall tail_call\nr0 = 1\nexit", {
    symbol: () => ({ src: abi.BPF_PSEUDO_MAP_FD, imm: mapFd }),
  });
  return encode(insns);
}
