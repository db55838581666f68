/** The bench's programs on the Linux kernel below. */
import { toHex } from "../src/bytes/hex.ts";
import { encode } from "../src/isa/codec.ts";
import type { LinuxBpf } from "./linux_bpf.ts";
import { type BenchProgram, packet } from "./programs.ts";
import type { Loaded } from "./skep.ts";

export async function loadOnLinux(linux: LinuxBpf, p: BenchProgram): Promise<Loaded> {
  const prog = await linux.load({
    insns: toHex(encode(p.prog.insns)),
    maps: p.maps.map((m) => ({
      type: m.type,
      key: m.keySize,
      value: m.valueSize,
      max: m.maxEntries,
      flags: m.mapFlags,
    })),
    relocs: p.prog.relocs.flatMap((r) => (r.kind === "map" ? [[r.insnIdx, r.map] as const] : [])),
    elems: p.elements.map((e, map) => ({ map, keys: toHex(e.keys), values: toHex(e.values) })),
    data: toHex(packet()),
  });
  return {
    name: p.name,
    time: async (repeat) => (await linux.run(prog, repeat)).ns,
    retval: async () => (await linux.run(prog)).retval,
  };
}
