/** core.wasm: everything of the kernel that is hot and lives in linear memory. */
export * from "./memory/heap";
export * from "./net/batch";
export * from "./net/csum";
export * from "./net/skb";
export * from "./net/xdp";
export * from "./helpers/cpu";
export * from "./helpers/probe";
export * from "./helpers/dynptr";
export * from "./helpers/spin_lock";
