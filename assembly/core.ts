/** core.wasm: everything of the kernel that is hot and lives in linear memory. */
export * from "./memory/heap";
