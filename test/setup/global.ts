/** Once per run: build the WebAssembly modules whose sources changed, and what runs in processes of its own. */
export default async function setup(): Promise<void> {
  const { buildWasm } = (await import("../../scripts/build-wasm.mjs" as string)) as { buildWasm(): boolean };
  buildWasm();
  const { buildObjects } = (await import("../../scripts/build-objects.mjs" as string)) as { buildObjects(): boolean };
  buildObjects();
  const { buildWorld } = (await import("../../scripts/build-world.mjs" as string)) as { buildWorld(): boolean };
  buildWorld();
}
