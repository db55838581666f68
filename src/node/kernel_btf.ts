/**
 * Where the BTF of a kernel is found: the file that was named, else the running kernel's, else the built-in one.
 *
 * A file may be raw BTF (/sys/kernel/btf/vmlinux) or an ELF file with a .BTF section (a vmlinux with debug information).
 */
import { existsSync } from "node:fs";
import { release } from "node:os";
import { BpfError, EINVAL } from "../abi/errno.ts";
import { type Btf, parseBtf } from "../btf/btf.ts";
import { builtinBtf } from "../btf/builtin/index.ts";
import { readElf } from "../elf/elf.ts";
import { readFile } from "./files.ts";

/** The paths that libbpf tries, in its order. */
function candidates(): string[] {
  const r = release();
  return [
    "/sys/kernel/btf/vmlinux",
    `/boot/vmlinux-${r}`,
    `/lib/modules/${r}/vmlinux-${r}`,
    `/lib/modules/${r}/build/vmlinux`,
    `/usr/lib/modules/${r}/kernel/vmlinux`,
    `/usr/lib/debug/boot/vmlinux-${r}`,
    `/usr/lib/debug/boot/vmlinux-${r}.debug`,
    `/usr/lib/debug/lib/modules/${r}/vmlinux`,
  ];
}

export interface KernelBtf {
  readonly btf: Btf;
  /** The path it came from, or "built-in". */
  readonly source: string;
}

/**
 * @param path the file to use; undefined = look for the running kernel's, then take the built-in one
 * @throws BpfError when a named file cannot be read or holds no BTF
 */
export function loadKernelBtf(path?: string): KernelBtf {
  if (path !== undefined) return { btf: readBtfFile(path), source: path };
  const found = process.platform === "linux" ? candidates().find((p) => existsSync(p)) : undefined;
  return found === undefined ? { btf: builtinBtf(), source: "built-in" } : { btf: readBtfFile(found), source: found };
}

/** BTF of a raw BTF file or of an ELF file's .BTF section. */
export function readBtfFile(path: string, base?: Btf): Btf {
  const bytes = readFile(path);
  const isElf = bytes[0] === 0x7f && bytes[1] === 0x45;
  const raw = isElf ? btfSection(bytes, path) : bytes;
  return parseBtf(raw, base === undefined ? {} : { base });
}

function btfSection(bytes: Uint8Array, path: string): Uint8Array {
  const section = readElf(bytes, path).sections.find((s) => s.name === ".BTF");
  if (!section) throw new BpfError(EINVAL, `${path}: no section .BTF seen; BTF wanted (compile with -g)`, { path });
  return section.bytes;
}
