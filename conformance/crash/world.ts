/**
 * What administrators replace a program set on: a device whose packets show which programs ran, and bpffs.
 *
 * Every program of a set marks each packet that it sees; a set is named by its version ("a", "b", ...), a program by
 * its part and version ("xdp-a").
 */
import * as abi from "../../src/abi/bpf.ts";
import { assemble } from "../../src/isa/assemble.ts";
import { encode } from "../../src/isa/codec.ts";
import type { Fd } from "../../src/kernel/bpf.ts";
import { checkReferences } from "../../src/kernel/holders.ts";
import type { KObject } from "../../src/kernel/objects.ts";
import type { Process } from "../../src/kernel/process.ts";
import { createKernel, type NetKernel } from "../../src/net/create.ts";
import type { NetDevice } from "../../src/net/device.ts";

export const BPFFS = "/sys/fs/bpf";

const frame = new Uint8Array(64).fill(1, 0, 12);
frame[12] = 8;

/** What is there when everyone is gone. */
export interface State {
  /** Programs that a packet meets, sorted. */
  readonly runs: readonly string[];
  /** Path below bpffs to the name of the program, or of the link's program. Directories end in "/". */
  readonly pins: Readonly<Record<string, string>>;
}

export class World implements Disposable {
  readonly kernel: NetKernel;
  readonly device: NetDevice;
  /** Holds the map in which packets are marked. */
  readonly host: Process;
  readonly #marks: Fd;
  /** Names by bit of the mark. */
  readonly #names: string[] = [];

  constructor() {
    // The interpreter: a program that lives for a few steps is not worth a WebAssembly module.
    this.kernel = createKernel({ random: () => 7, engine: "interp" });
    this.host = this.kernel.spawn({ comm: "host" });
    this.device = this.kernel.net.addDevice({ name: "eth0" });
    this.#marks = this.host.mapCreate({ mapType: abi.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 8, maxEntries: 1 });
  }

  admin(name: string): Process {
    return this.kernel.spawn({ comm: name });
  }

  /** Loads a program that marks packets with its names and lets them pass. */
  load(proc: Process, progType: number, ...names: readonly string[]): Fd {
    let bits = 0;
    for (const name of names) {
      if (!this.#names.includes(name)) this.#names.push(name);
      bits |= 1 << this.#names.indexOf(name);
    }
    const marks = this.host.sendFd(this.#marks, proc);
    const ret = progType === abi.BPF_PROG_TYPE_XDP ? abi.XDP_PASS : abi.TCX_NEXT;
    const text = `r1 = map[m][0] ll\nr2 = *(u64 *)(r1 + 0)\nr2 |= ${bits}\n*(u64 *)(r1 + 0) = r2\nr0 = ${ret}\nexit`;
    const { insns } = assemble(text, { symbol: () => ({ src: abi.BPF_PSEUDO_MAP_VALUE, imm: marks }) });
    try {
      const name = names.join("_").replaceAll("-", "_").slice(0, 15);
      return proc.progLoad({ progType, insns: encode(insns), license: "GPL", name }).fd;
    } finally {
      proc.close(marks);
    }
  }

  /** Programs that a packet meets now. */
  packet(): string[] {
    const key = new Uint8Array(4);
    this.host.mapUpdateElem(this.#marks, key, new Uint8Array(8));
    this.device.receive(frame.slice());
    this.device.delivered.length = 0;
    const [bits] = this.host.mapLookupElem(this.#marks, key);
    return this.#names.filter((_, i) => bits! & (1 << i)).sort();
  }

  state(): State {
    const pins: Record<string, string> = {};
    for (const [rel, obj] of this.kernel.bpffs.entries()) pins[rel] = this.#nameOf(obj);
    for (const dir of this.#emptyDirs("")) pins[`${dir}/`] = "an empty directory";
    return { runs: this.packet(), pins };
  }

  #nameOf(obj: KObject): string {
    const prog = obj.kind === "link" ? this.kernel.links.at(obj.id).prog : this.kernel.progs.find(obj.id);
    const attached = obj.kind === "link" && !this.kernel.links.at(obj.id).defunct;
    return `${obj.kind === "link" ? (attached ? "link of " : "defunct link of ") : ""}${prog?.name.replaceAll("_", "-") ?? "?"}`;
  }

  #emptyDirs(rel: string): string[] {
    const at = (name: string) => (rel ? `${rel}/${name}` : name);
    const dirs = this.host.fs
      .readdir(`${BPFFS}/${rel}`)
      .map(at)
      .filter((path) => this.host.fs.lstat(`${BPFFS}/${path}`).type === "dir");
    return dirs.flatMap((dir) => (this.host.fs.readdir(`${BPFFS}/${dir}`).length ? this.#emptyDirs(dir) : [dir]));
  }

  /** For the next run: everyone is gone, no name is left. @throws Error when references do not add up */
  [Symbol.dispose](): void {
    checkReferences(this.kernel);
    this.kernel.shutdown();
    this.kernel.assertEmpty();
  }
}
