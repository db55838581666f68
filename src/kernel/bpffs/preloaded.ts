/**
 * maps.debug and progs.debug: what the iterators of Linux's bpf_preload module print, on mounts with `preload`.
 *
 * Source   kernel/bpf/preload/iterators/iterators.bpf.c: dump_bpf_map(), dump_bpf_prog().
 */
import type { Kernel } from "../kernel.ts";
import { TextFile } from "./readable.ts";
import type { PreloadedFiles } from "./super_block.ts";

export function preloadedFiles(kernel: Kernel): PreloadedFiles {
  return {
    "maps.debug": () =>
      new TextFile(`  id name             max_entries  cur_entries\n${[...mapLines(kernel)].join("")}`),
    "progs.debug": () => new TextFile(`  id name             attached\n${[...progLines(kernel)].join("")}`),
  };
}

function* mapLines(kernel: Kernel): Iterable<string> {
  for (const { id, map } of kernel.maps.values()) {
    const [max, now] = [`${map.maxEntries}`.padStart(10), `${map.count}`.padStart(10)];
    yield `${`${id}`.padStart(4)} ${map.name.padEnd(16)}  ${max}   ${now}\n`;
  }
}

function* progLines(kernel: Kernel): Iterable<string> {
  for (const prog of kernel.progs.values()) {
    const { attachBtf, attachBtfId, attachProg } = prog.facts;
    const func = attachBtf && attachBtfId ? attachBtf.nameOf(attachBtfId) : "";
    yield `${`${prog.id}`.padStart(4)} ${prog.name.padEnd(16)} ${func} ${attachProg?.name ?? ""}\n`;
  }
}
