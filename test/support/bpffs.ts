/** A bpffs that a test mounts itself, on each kernel, and calls on it as another user. */

import { expect } from "vitest";
import * as abi from "../../src/abi/bpf.ts";
import { BpfError, errnoName } from "../../src/abi/errno.ts";
import { assemble } from "../../src/isa/assemble.ts";
import { encode } from "../../src/isa/codec.ts";
import type { Bpf, BpfFs, Fd, MountOptions } from "../../src/kernel/bpf.ts";
import { Process } from "../../src/kernel/process.ts";
import { LinuxBpf } from "../../src/node/linux/linux_bpf.ts";
import { onKernels } from "./kernels.ts";

/** What a call gives: its result, or the name of its errno. */
export function outcome<T>(call: () => T): T | string {
  try {
    return call();
  } catch (e) {
    if (e instanceof BpfError) return errnoName(e.errno);
    throw e;
  }
}

export class PinScene {
  readonly bpf: Bpf;
  /** The mount point. */
  readonly dir: string;
  readonly #mounts: string[] = [];
  readonly #dirs: string[] = [];

  constructor(bpf: Bpf, options: MountOptions = {}) {
    this.bpf = bpf;
    this.dir = this.newDir();
    this.mount(this.dir, options);
  }

  get fs(): BpfFs {
    return this.bpf.fs;
  }

  /** An empty directory outside of bpffs. */
  newDir(): string {
    const dir = `/tmp/skep-${globalThis.process.pid}-${Math.random().toString(36).slice(2)}`;
    this.fs.mkdir(dir);
    this.#dirs.push(dir);
    return dir;
  }

  /** Mounts what end() unmounts. */
  mount(at: string, options: MountOptions = {}): void {
    this.fs.mount(at, options);
    this.#mounts.push(at);
  }

  bind(from: string, at: string): void {
    this.fs.bind(from, at);
    this.#mounts.push(at);
  }

  /** A path in the mount. */
  at(rel: string): string {
    return `${this.dir}/${rel}`;
  }

  map(mapFlags = 0): Fd {
    const { bpf } = this;
    return bpf.mapCreate({ mapType: abi.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 4, maxEntries: 1, mapFlags });
  }

  /** A program that returns `ret`. */
  prog(ret = 0, progType: number = abi.BPF_PROG_TYPE_XDP): Fd {
    const insns = encode(assemble(`r0 = ${ret}\nexit`).insns);
    return this.bpf.progLoad({ progType, insns, license: "GPL" }).fd;
  }

  /** A link that cannot be opened as a file. */
  rawTracepoint(): Fd {
    return this.bpf.rawTracepointOpen(this.prog(0, abi.BPF_PROG_TYPE_RAW_TRACEPOINT), "sys_enter");
  }

  /** A pinned map; the fd is closed. */
  pin(rel: string): void {
    const fd = this.map();
    this.bpf.objPin(fd, this.at(rel));
    this.bpf.close(fd);
  }

  /** Opens a pin and closes it again. @returns "ok" or the errno */
  get(rel: string, flags = 0): string {
    return outcome(() => {
      this.bpf.close(this.bpf.objGet(this.at(rel), flags));
      return "ok";
    });
  }

  /** Names of a directory but the preloaded ones, sorted. */
  ls(rel = ""): string[] {
    return this.fs
      .readdir(this.at(rel))
      .filter((name) => !name.includes("."))
      .sort();
  }

  /** Runs calls with another owner and without the capabilities over files; CAP_BPF and CAP_SYS_ADMIN stay. */
  asUser<T>(uid: number, gid: number, body: () => T): T {
    const { bpf } = this;
    if (bpf instanceof Process) {
      const { cred } = bpf;
      bpf.setCred({ uid, gid, caps: { ...cred.caps, dacOverride: false, fowner: false, chown: false } });
      try {
        return body();
      } finally {
        bpf.setCred(cred);
      }
    }
    if (!(bpf instanceof LinuxBpf)) throw new Error("no such kernel");
    const groups = Uint32Array.from(globalThis.process.getgroups!());
    const { sys } = bpf;
    // Of this thread alone, as raw system calls are; fsuid is what checks on files go by.
    sys.must("setgroups", "setgroups", 0, 0);
    sys.call("setfsgid", gid);
    sys.call("setfsuid", uid);
    try {
      return body();
    } finally {
      sys.call("setfsuid", 0);
      sys.call("setfsgid", 0);
      sys.must("setgroups", "setgroups", groups.length, sys.addressOf(new Uint8Array(groups.buffer)));
    }
  }

  /** Unmounts what is still mounted. */
  end(): void {
    for (const at of this.#mounts.reverse()) outcome(() => this.fs.umount(at, { detach: true }));
    for (const dir of this.#dirs.reverse()) this.fs.rmdir(dir);
  }
}

/** A body with a bpffs of its own. */
export function withBpffs<T>(bpf: Bpf, body: (scene: PinScene) => T, options: MountOptions = {}): T {
  const scene = new PinScene(bpf, options);
  try {
    return body(scene);
  } finally {
    scene.end();
  }
}

export type BpffsStep = readonly [what: string, wanted: unknown, call: (s: PinScene) => unknown];

/** Steps on each kernel, which build on those before: what each gives, or its errno; undefined = it succeeds. */
export function bpffsTests(title: string, steps: readonly BpffsStep[], options: MountOptions = {}): void {
  onKernels(title, (bpf: Bpf) =>
    withBpffs(
      bpf,
      (scene) => {
        for (const [what, wanted, call] of steps)
          expect(
            outcome(() => call(scene)),
            what,
          ).toEqual(wanted);
      },
      options,
    ),
  );
}
