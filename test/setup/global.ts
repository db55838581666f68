/** Once per run: build the WebAssembly modules whose sources changed. */
export default async function setup(): Promise<void> {
  const { buildWasm } = (await import("../../scripts/build-wasm.mjs" as string)) as { buildWasm(): boolean };
  buildWasm();
}
