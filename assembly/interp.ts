/** interp.wasm: the reference interpreter, beside core.wasm over the same memory. */
export * from "./interp/loop";
