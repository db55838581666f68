/** The in-process kernel: every program marks the packets that it sees, and packets say which programs ran. */
import * as abi from "../../src/abi/bpf.ts";
import { assemble } from "../../src/isa/assemble.ts";
import { encode } from "../../src/isa/codec.ts";
import type { Bpf, Fd } from "../../src/kernel/bpf.ts";
import { BPFFS_ROOT } from "../../src/kernel/bpffs/super_block.ts";
import { checkReferences } from "../../src/kernel/holders.ts";
import { Process } from "../../src/kernel/process.ts";
import { createKernel, type NetKernel } from "../../src/net/create.ts";
import type { NetDevice } from "../../src/net/device.ts";
import { type Admin, objName, World } from "./world.ts";

const frame = new Uint8Array(64).fill(1, 0, 12);
frame[12] = 8;

export class SkepWorld extends World {
  readonly kernel: NetKernel;
  readonly device: NetDevice;
  /** Holds the map in which packets are marked. */
  override readonly host: Process;
  override readonly bpffs = BPFFS_ROOT;
  readonly #marks: Fd;
  /** Names by bit of the mark. */
  readonly #names: string[] = [];

  constructor() {
    super();
    // The interpreter: a program that lives for a few steps is not worth a WebAssembly module.
    this.kernel = createKernel({ random: () => 7, engine: "interp" });
    this.host = this.kernel.spawn({ comm: "host" });
    this.device = this.kernel.net.addDevice({ name: "eth0" });
    this.#marks = this.host.mapCreate({ mapType: abi.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 8, maxEntries: 1 });
  }

  get ifindex(): number {
    return this.device.ifindex;
  }

  admin(comm: string): Admin & { readonly bpf: Process } {
    const bpf = this.kernel.spawn({ comm });
    return { bpf, exit: () => bpf.exit() };
  }

  load(bpf: Bpf, progType: number, ...names: readonly string[]): Fd {
    if (!(bpf instanceof Process)) throw new Error("a process of another kernel");
    let bits = 0;
    for (const name of names) {
      if (!this.#names.includes(name)) this.#names.push(name);
      bits |= 1 << this.#names.indexOf(name);
    }
    const marks = this.host.sendFd(this.#marks, bpf);
    const ret = progType === abi.BPF_PROG_TYPE_XDP ? abi.XDP_PASS : abi.TCX_NEXT;
    const text = `r1 = map[m][0] ll\nr2 = *(u64 *)(r1 + 0)\nr2 |= ${bits}\n*(u64 *)(r1 + 0) = r2\nr0 = ${ret}\nexit`;
    const { insns } = assemble(text, { symbol: () => ({ src: abi.BPF_PSEUDO_MAP_VALUE, imm: marks }) });
    try {
      return bpf.progLoad({ progType, insns: encode(insns), license: "GPL", name: objName(names) }).fd;
    } finally {
      bpf.close(marks);
    }
  }

  packet(): string[] {
    const key = new Uint8Array(4);
    this.host.mapUpdateElem(this.#marks, key, new Uint8Array(8));
    this.device.receive(frame.slice());
    this.device.delivered.length = 0;
    const [bits] = this.host.mapLookupElem(this.#marks, key);
    return this.#names.filter((_, i) => bits! & (1 << i)).sort();
  }

  /** @throws Error when references do not add up or something is left */
  [Symbol.dispose](): void {
    checkReferences(this.kernel);
    this.kernel.shutdown();
    this.kernel.assertEmpty();
  }
}
