/**
 * What administrators replace a program set on: a device and a bpffs, of the in-process kernel (skep_world.ts) or of the
 * running Linux (linux_world.ts).
 *
 * A set is named by its version ("a", "b", ...), a program by its part and version ("xdp-a").
 */
import { BpfError } from "../../src/abi/errno.ts";
import type { Bpf, Fd } from "../../src/kernel/bpf.ts";

/** What is there when everyone is gone. */
export interface State {
  /** Programs that a packet meets, sorted. */
  readonly runs: readonly string[];
  /** Path below bpffs to the name of the program, or of the link's program. Directories end in "/". */
  readonly pins: Readonly<Record<string, string>>;
}

/** An administrator: what it has open goes with it. */
export interface Admin {
  readonly bpf: Bpf;
  exit(): void;
}

export abstract class World implements Disposable {
  /** Where bpffs is mounted. */
  abstract readonly bpffs: string;
  /** Of the device. */
  abstract readonly ifindex: number;
  /** Looks on. */
  abstract readonly host: Bpf;

  abstract admin(name: string): Admin;

  /** A program that lets packets pass and is known by its names. */
  abstract load(bpf: Bpf, progType: number, ...names: readonly string[]): Fd;

  /** Programs that a packet meets now, sorted. */
  abstract packet(): string[];

  abstract [Symbol.dispose](): void;

  state(): State {
    const pins: Record<string, string> = {};
    this.#walk("", pins);
    return { runs: this.packet(), pins };
  }

  #walk(rel: string, pins: Record<string, string>): void {
    const { fs } = this.host;
    // Where Linux has the bpf_preload module, names with a dot are its own.
    const names = fs.readdir(`${this.bpffs}/${rel}`).filter((name) => !name.includes("."));
    if (names.length === 0 && rel) pins[`${rel}/`] = "an empty directory";
    for (const name of names) {
      const path = rel ? `${rel}/${name}` : name;
      if (fs.lstat(`${this.bpffs}/${path}`).type === "dir") this.#walk(path, pins);
      else pins[path] = this.#nameOf(`${this.bpffs}/${path}`);
    }
  }

  #nameOf(path: string): string {
    const fd = this.host.objGet(path);
    try {
      const info = this.host.objGetInfo(fd);
      if (info.kind === "prog") return this.progName(info.prog.id);
      if (info.kind !== "link") return `a ${info.kind}`;
      return `${info.link.ifindex === 0 ? "defunct " : ""}link of ${this.progName(info.link.progId)}`;
    } finally {
      this.host.close(fd);
    }
  }

  /** "xdp-a" */
  protected progName(id: number): string {
    let fd: Fd;
    try {
      fd = this.host.progGetFdById(id);
    } catch (e) {
      if (e instanceof BpfError) return "?";
      throw e;
    }
    const { name } = this.host.progInfo(fd);
    this.host.close(fd);
    return name.replaceAll("_", "-");
  }
}

/** BPF_OBJ_NAME_LEN less the NUL. */
const NAME_MAX = 15;

export function objName(names: readonly string[]): string {
  return names.join("_").replaceAll("-", "_").slice(0, NAME_MAX);
}
