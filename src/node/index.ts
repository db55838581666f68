/** What only Node has: files and the running kernel's BTF. */
export { AtomicFile, fileSize, readChunks, readFile } from "./files.ts";
export { type KernelBtf, loadKernelBtf, readBtfFile } from "./kernel_btf.ts";
