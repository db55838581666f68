/**
 * What administrators replace a program set on: a device and a bpffs, of the in-process kernel (skep_world.ts) or of the
 * running Linux (linux_world.ts).
 *
 * A set is named by its version ("a", "b", ...), a program by its part and version ("xdp-a"). Every program of a set marks
 * its bit in a map when it runs.
 */
import * as abi from "../../src/abi/bpf.ts";
import { BpfError } from "../../src/abi/errno.ts";
import type { Bpf, Fd } from "../../src/kernel/bpf.ts";
import { assembleMarker, type Stages, stagesBtf } from "./progs.ts";

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

  /** The XDP program of the device. */
  abstract xdpId(): number | undefined;

  /** A packet meets what is attached to the device. */
  protected abstract receive(): void;

  abstract [Symbol.dispose](): void;

  #markMap: Fd | undefined;
  /** Names by bit of the mark. */
  readonly #names: string[] = [];

  get #marks(): Fd {
    const attr = { mapType: abi.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 8, maxEntries: 1 };
    this.#markMap ??= this.host.mapCreate(attr);
    return this.#markMap;
  }

  /** Programs that run in the body, sorted. */
  marked(body: () => void): string[] {
    const key = new Uint8Array(4);
    this.host.mapUpdateElem(this.#marks, key, new Uint8Array(8));
    body();
    const [bits] = this.host.mapLookupElem(this.#marks, key);
    return this.#names.filter((_, i) => bits! & (1 << i)).sort();
  }

  /** Programs that a packet meets now, sorted. */
  packet(): string[] {
    return this.marked(() => this.receive());
  }

  /** A program that lets packets pass and is known by its names. */
  load(bpf: Bpf, progType: number, ...names: readonly string[]): Fd {
    const ret = progType === abi.BPF_PROG_TYPE_XDP ? abi.XDP_PASS : abi.TCX_NEXT;
    return this.#withMarks(bpf, (marks) => {
      const insns = assembleMarker(marks, this.#bits(names), ret);
      return bpf.progLoad({ progType, insns, license: "GPL", name: objName(names) }).fd;
    });
  }

  /** An XDP program that calls a global function for each stage, which does nothing until it is replaced. */
  loadDispatcher(bpf: Bpf, stages: Stages, name: string): Fd {
    const { bytes, ...attr } = stages.dispatcher;
    const progBtfFd = bpf.btfLoad(bytes);
    try {
      return bpf.progLoad({
        ...attr,
        progType: abi.BPF_PROG_TYPE_XDP,
        progBtfFd,
        license: "GPL",
        name: objName([name]),
      }).fd;
    } finally {
      bpf.close(progBtfFd);
    }
  }

  /** A program for one stage of a dispatcher, known by its name. */
  loadExtension(bpf: Bpf, dispatcher: Fd, btfId: number, name: string): Fd {
    const { bytes, funcInfo, funcInfoRecSize } = stagesBtf([]).extension;
    const progBtfFd = bpf.btfLoad(bytes);
    try {
      return this.#withMarks(bpf, (marks) => {
        const attr = { progType: abi.BPF_PROG_TYPE_EXT, license: "GPL", name: objName([name]) };
        const target = { attachProgFd: dispatcher, attachBtfId: btfId };
        const insns = assembleMarker(marks, this.#bits([name]), 0);
        return bpf.progLoad({ ...attr, ...target, insns, progBtfFd, funcInfo, funcInfoRecSize }).fd;
      });
    } finally {
      bpf.close(progBtfFd);
    }
  }

  #bits(names: readonly string[]): number {
    let bits = 0;
    for (const name of names) {
      if (!this.#names.includes(name)) this.#names.push(name);
      bits |= 1 << this.#names.indexOf(name);
    }
    return bits;
  }

  #withMarks<T>(bpf: Bpf, body: (marks: Fd) => T): T {
    const marks = bpf.mapGetFdById(this.host.mapInfo(this.#marks).id);
    try {
      return body(marks);
    } finally {
      bpf.close(marks);
    }
  }

  state(runs = this.packet()): State {
    const pins: Record<string, string> = {};
    this.#walk("", pins);
    return { runs, pins };
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

/** An Ethernet frame with the beginning of an IPv4 header. */
export function testFrame(): Uint8Array {
  const frame = new Uint8Array(64).fill(1, 0, 12);
  frame[12] = 8;
  return frame;
}
