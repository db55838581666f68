/**
 * The types of the kernel that programs are loaded into: its BTF, and those of its modules when a name is not there.
 *
 * Module BTFs are read on the first miss. Their fds stay open until close(), because instructions may carry them.
 */
import { BpfError, ENOENT, type Errno } from "../abi/errno.ts";
import { type Btf, parseBtf } from "../btf/btf.ts";
import { CoreTargets } from "../btf/core_relo.ts";
import type { Bpf, Fd } from "../kernel/bpf.ts";

export interface ModuleTypes {
  readonly name: string;
  readonly btf: Btf;
  readonly fd: Fd;
}

export interface KernelType {
  readonly btf: Btf;
  readonly id: number;
  /** undefined for the kernel itself. */
  readonly module: ModuleTypes | undefined;
}

export class KernelTypes {
  readonly #bpf: Bpf;
  #vmlinux: Btf | undefined;
  #missing: BpfError | undefined;
  #modules: ModuleTypes[] | undefined;

  /** @param vmlinux the kernel's own BTF if the caller has parsed it already */
  constructor(bpf: Bpf, vmlinux?: Btf) {
    this.#bpf = bpf;
    this.#vmlinux = vmlinux;
  }

  /** @throws ENOENT when the kernel has no BTF */
  get vmlinux(): Btf {
    if (this.#missing) throw this.#missing;
    if (!this.#vmlinux) {
      try {
        this.#vmlinux = parseBtf(this.#bpf.kernelBtf());
      } catch (e) {
        const errno: Errno = e instanceof BpfError ? e.errno : ENOENT;
        const wanted = "wanted /sys/kernel/btf/vmlinux or a file named by the caller";
        this.#missing = new BpfError(errno, `kernel BTF is missing or corrupt; ${wanted}`, {}, e);
        throw this.#missing;
      }
    }
    return this.#vmlinux;
  }

  get modules(): readonly ModuleTypes[] {
    this.#modules ??= this.#readModules();
    return this.#modules;
  }

  #readModules(): ModuleTypes[] {
    const out: ModuleTypes[] = [];
    for (let id = this.#bpf.btfGetNextId(0); id !== undefined; id = this.#bpf.btfGetNextId(id)) {
      const fd = this.#bpf.btfGetFdById(id);
      const info = this.#bpf.btfInfo(fd);
      if (info.kernelBtf && info.name !== "vmlinux") {
        out.push({ name: info.name, btf: parseBtf(info.bytes, { base: this.vmlinux }), fd });
      } else {
        this.#bpf.close(fd);
      }
    }
    return out;
  }

  /** First the kernel, then its modules; `only` restricts the search to one of them ("vmlinux" or a module). */
  find(name: string, kind: number, only?: string): KernelType | undefined {
    if (only === undefined || only === "vmlinux") {
      const id = this.vmlinux.byName(name, kind);
      if (id) return { btf: this.vmlinux, id, module: undefined };
    }
    for (const module of this.modules) {
      if (only !== undefined && module.name !== only) continue;
      const id = module.btf.allByName(name, kind).find((i) => i >= module.btf.firstId);
      if (id) return { btf: module.btf, id, module };
    }
    return undefined;
  }

  /** For CO-RE. */
  coreTargets(): CoreTargets {
    return new CoreTargets(
      this.vmlinux,
      this.modules.map((m) => m.btf),
    );
  }

  close(): void {
    for (const m of this.#modules ?? []) this.#bpf.close(m.fd);
    this.#modules = undefined;
  }
}
