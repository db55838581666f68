/**
 * Who owns which bytes of the first 64 KiB, which no program is ever given.
 *
 *     0 ..  1023   never used: NULL and small offsets from it
 *  1024 .. 16383   static data of core.wasm
 * 16384 .. 32767   heap state (heap.ts)
 * 32768 .. 49151   static data of interp.wasm
 * 49152 .. 65535   CPU context records, 256 bytes each (cpu_ctx.ts)
 *
 * State of the kernel lives at fixed addresses and never in wasm globals: each CPU has its own instance of core.wasm.
 */
export const HEAP_STATE: u32 = 16384;
export const CPU_CTX_BASE: u32 = 49152;
export const HEAP_BASE: u32 = 65536;
