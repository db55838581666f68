/**
 * Programs on cgroups and on a device, on each kernel: the same steps, what each gives or its errno. What a scene makes
 * (cgroups below one of its own, a device in a namespace of its own) goes with it.
 */
import { mkdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import * as abi from "../../src/abi/bpf.ts";
import { assemble } from "../../src/isa/assemble.ts";
import { encode } from "../../src/isa/codec.ts";
import type { Bpf, Fd, LinkCreateAttr, ProgAttachAttr } from "../../src/kernel/bpf.ts";
import { Process } from "../../src/kernel/process.ts";
import type { NetKernel } from "../../src/net/create.ts";
import { cgroupRoot, Devices, inNetns, type LinuxBpf, newNetns, openPath } from "../../src/node/linux/index.ts";
import { outcome } from "./bpffs.ts";
import { onKernels } from "./kernels.ts";

const ENTRY = {
  skb: { progType: abi.BPF_PROG_TYPE_CGROUP_SKB, expectedAttachType: abi.BPF_CGROUP_INET_EGRESS },
  sock: { progType: abi.BPF_PROG_TYPE_CGROUP_SOCK, expectedAttachType: abi.BPF_CGROUP_INET_SOCK_CREATE },
  connect4: { progType: abi.BPF_PROG_TYPE_CGROUP_SOCK_ADDR, expectedAttachType: abi.BPF_CGROUP_INET4_CONNECT },
  cls: { progType: abi.BPF_PROG_TYPE_SCHED_CLS, expectedAttachType: 0 },
} as const;

type Kind = keyof typeof ENTRY;

type Extra = Partial<Omit<ProgAttachAttr & LinkCreateAttr, "relativeFd" | "relativeId" | "replaceFd">> & {
  /** Names of programs or links. */
  readonly relative?: string;
  readonly replace?: string;
  /** By id instead of fd. */
  readonly byId?: boolean;
};

export class AttachScene {
  readonly bpf: Bpf;
  /** "" is the cgroup that all others are in. */
  readonly #cgroups = new Map<string, Fd>();
  readonly #paths: string[] = [];
  readonly #progs = new Map<string, Fd>();
  readonly #links = new Map<string, Fd>();
  readonly #names = new Map<number, string>();
  readonly #linkNames = new Map<number, string>();
  readonly #base: string;
  ifindex = 0;

  constructor(bpf: Bpf) {
    this.bpf = bpf;
    this.#base = `skep-${globalThis.process.pid}-${Math.random().toString(36).slice(2)}`;
    this.mkdir("");
  }

  // --- cgroups

  /** Below the root of all cgroups. */
  path(rel: string): string {
    return rel ? `${this.#base}/${rel}` : this.#base;
  }

  cgroupFd(rel: string): Fd {
    return this.#cgroups.get(rel)!;
  }

  mkdir(rel: string): void {
    const path = this.path(rel);
    if (this.bpf instanceof Process) {
      const { cgroups } = this.bpf.kernel;
      const at = path.lastIndexOf("/");
      const made = cgroups.create(cgroups.byPath(path.slice(0, Math.max(at, 0)))!, path.slice(at + 1));
      this.#cgroups.set(rel, this.bpf.openCgroup(made));
    } else {
      const full = join(cgroupRoot(), path);
      mkdirSync(full);
      this.#cgroups.set(rel, openPath(this.bpf as LinuxBpf, full, true));
    }
    this.#paths.push(rel);
  }

  rmdir(rel: string): void {
    if (this.bpf instanceof Process) {
      const { cgroups } = this.bpf.kernel;
      cgroups.remove(cgroups.byPath(this.path(rel))!);
    } else rmdirSync(join(cgroupRoot(), this.path(rel)));
    this.#paths.splice(this.#paths.indexOf(rel), 1);
  }

  // --- programs and links, by name

  /** A program of that name, loaded when it is first asked for. The part before "." is its kind: "skb.1". */
  prog(name: string): Fd {
    let fd = this.#progs.get(name);
    if (fd === undefined) {
      const { insns } = assemble("r0 = 1\nexit");
      fd = this.bpf.progLoad({ ...ENTRY[name.split(".")[0] as Kind], license: "GPL", insns: encode(insns) }).fd;
      this.#progs.set(name, fd);
      this.#names.set(this.bpf.progInfo(fd).id, name);
    }
    return fd;
  }

  #extra({ relative, replace, byId, ...attr }: Extra): object {
    const out: Record<string, unknown> = { ...attr };
    if (replace !== undefined) out["replaceFd"] = this.prog(replace);
    if (relative === undefined) return out;
    const link = this.#links.get(relative);
    const fd = link ?? this.prog(relative);
    if (byId) out["relativeId"] = link ? this.bpf.linkInfo(fd).id : this.bpf.progInfo(fd).id;
    else out["relativeFd"] = fd;
    return out;
  }

  #target(at: string): { targetFd: Fd } | { targetIfindex: number } {
    return at === "dev" ? { targetIfindex: this.ifindex } : { targetFd: this.#cgroups.get(at)! };
  }

  #type(at: string, name: string): number {
    const kind = name.split(".")[0] as Kind;
    return at === "dev" ? abi.BPF_TCX_INGRESS : ENTRY[kind].expectedAttachType;
  }

  attach(at: string, name: string, flags = 0, extra: Extra = {}): void {
    const attr = { ...this.#target(at), progFd: this.prog(name), attachType: this.#type(at, name), flags };
    this.bpf.progAttach!({ ...attr, ...this.#extra(extra) });
  }

  detach(at: string, name: string | undefined, flags = 0, extra: Extra = {}): void {
    const attachType = this.#type(at, name ?? (at === "dev" ? "cls" : "skb"));
    const attr = { ...this.#target(at), attachType, flags, ...this.#extra(extra) };
    this.bpf.progDetach!(name === undefined ? attr : { ...attr, progFd: this.prog(name) });
  }

  link(at: string, link: string, name: string, flags = 0, extra: Extra = {}): void {
    const attr = { ...this.#target(at), progFd: this.prog(name), attachType: this.#type(at, name), flags };
    const fd = this.bpf.linkCreate({ ...attr, ...this.#extra(extra) });
    this.#links.set(link, fd);
    this.#linkNames.set(this.bpf.linkInfo(fd).id, link);
  }

  update(link: string, name: string, old?: string): void {
    const fd = this.#links.get(link)!;
    this.bpf.linkUpdate(fd, this.prog(name), old === undefined ? {} : { oldProgFd: this.prog(old) });
  }

  endLink(link: string): void {
    this.bpf.linkDetach(this.#links.get(link)!);
  }

  hasLink(link: string): boolean {
    return this.#links.has(link);
  }

  closeLink(link: string): void {
    this.bpf.close(this.#links.get(link)!);
    this.#links.delete(link);
  }

  /** What the link says: its program, and whether it has a target still. */
  info(link: string): string {
    const { progId, cgroupId, ifindex } = this.bpf.linkInfo(this.#links.get(link)!);
    return `${this.#names.get(progId)} ${cgroupId || ifindex ? "attached" : "defunct"}`;
  }

  /** "skb.1 skb.2, flags 2, revision 3"; links in parentheses behind their programs, on a device. */
  query(at: string, kind: Kind = at === "dev" ? "cls" : "skb"): string {
    const found = this.bpf.progQuery!({ ...this.#target(at), attachType: this.#type(at, kind) });
    const { attachFlags, revision } = found;
    return `${this.#list(found.progs)}, flags ${attachFlags}, revision ${revision}`;
  }

  effective(at: string, kind: Kind = "skb"): string {
    const attachType = this.#type(at, kind);
    return this.#list(this.bpf.progQuery!({ ...this.#target(at), attachType, queryFlags: 1 }).progs);
  }

  #list(progs: readonly { readonly id: number; readonly linkId: number }[]): string {
    const name = ({ id, linkId }: { id: number; linkId: number }) =>
      `${this.#names.get(id)}${linkId ? ` (${this.#linkNames.get(linkId)})` : ""}`;
    return progs.length ? progs.map(name).join(" ") : "nothing";
  }

  /** Removes its cgroups; on Linux attachments of removed cgroups end soon after. */
  end(): void {
    for (const fd of this.#links.values()) this.bpf.close(fd);
    for (const rel of [...this.#paths].reverse()) this.rmdir(rel);
  }
}

export type AttachStep = readonly [what: string, wanted: unknown, call: (s: AttachScene) => unknown];

function runSteps(scene: AttachScene, steps: readonly AttachStep[]): void {
  try {
    for (const [what, wanted, call] of steps)
      expect(
        outcome(() => call(scene)),
        what,
      ).toEqual(wanted);
  } finally {
    scene.end();
  }
}

/** Steps on the cgroups of a scene; undefined = it succeeds. */
export function cgroupTests(title: string, steps: readonly AttachStep[], options: { notLinux?: string } = {}): void {
  onKernels(title, (bpf) => runSteps(new AttachScene(bpf), steps), options);
}

/** Steps on a device, which is named "dev". */
export function deviceTests(title: string, steps: readonly AttachStep[]): void {
  onKernels(title, (bpf) => {
    const scene = new AttachScene(bpf);
    if (bpf instanceof Process) {
      const { net } = bpf.kernel as NetKernel;
      const device = net.addDevice();
      scene.ifindex = device.ifindex;
      runSteps(scene, steps);
      net.removeDevice(device);
      return;
    }
    const netns = newNetns(bpf as LinuxBpf);
    inNetns(bpf as LinuxBpf, netns, () => {
      using devices = new Devices((bpf as LinuxBpf).sys);
      scene.ifindex = devices.addVeth("one", "two")[0].ifindex;
      runSteps(scene, steps);
    });
    bpf.close(netns);
  });
}
