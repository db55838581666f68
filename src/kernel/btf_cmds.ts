/** BTF objects: BPF_BTF_LOAD and what maps and programs refer to. */
import { BpfError, E2BIG, EINVAL } from "../abi/errno.ts";
import { type Btf, parseBtf } from "../btf/btf.ts";
import type { Kernel } from "./kernel.ts";
import { KObject } from "./objects.ts";

/** BTF_MAX_SIZE. */
export const BTF_MAX_BYTES = 16 * 1024 * 1024;

export class KBtf extends KObject {
  readonly kind = "btf";
  readonly btf: Btf;
  readonly bytes: Uint8Array;
  readonly name: string;
  readonly kernelBtf: boolean;
  readonly #kernel: Kernel;

  constructor(kernel: Kernel, bytes: Uint8Array, btf: Btf, name = "", kernelBtf = false) {
    super();
    this.#kernel = kernel;
    this.bytes = bytes;
    this.btf = btf;
    this.name = name;
    this.kernelBtf = kernelBtf;
    kernel.btfs.add(this);
  }

  protected override release(): void {
    this.#kernel.btfs.remove(this);
  }
}

/** The caller owns the reference. */
export function loadBtf(kernel: Kernel, bytes: Uint8Array): KBtf {
  if (bytes.length > BTF_MAX_BYTES) {
    throw new BpfError(E2BIG, `BTF of ${bytes.length} bytes; wanted at most ${BTF_MAX_BYTES}`, { size: bytes.length });
  }
  if (bytes.length === 0) throw new BpfError(EINVAL, "BTF of 0 bytes", {});
  const own = bytes.slice();
  const btf = parseBtf(own);
  checkSections(own);
  return new KBtf(kernel, own, btf);
}

/** btf_check_sec_info(): types and strings fill what follows the header, without a gap. */
function checkSections(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer);
  const [hdrLen = 0, typeOff, typeLen = 0, strOff, strLen = 0] = [4, 8, 12, 16, 20].map((off) =>
    view.getUint32(off, true),
  );
  if (typeOff === 0 && strOff === typeLen && hdrLen + typeLen + strLen === bytes.length) return;
  const seen = `types at ${typeOff}, strings at ${strOff}, in ${bytes.length - hdrLen} bytes`;
  throw new BpfError(EINVAL, `BTF: ${seen}; wanted types and strings without a gap, and nothing else`, {});
}
