/** A map value dies or is overwritten: what its special fields own is let go (bpf_obj_free_fields). */
import type { VAddr } from "../memory/memory.ts";
import type { Kernel } from "./kernel.ts";

export function freeFields(kernel: Kernel, mapAddr: VAddr, value: VAddr): void {
  const map = kernel.mapAt(mapAddr) ?? kernel.dyingMap(mapAddr);
  for (const field of map?.record?.fields ?? []) {
    const at = value + field.offset;
    if (field.kind === "timer" || field.kind === "wq") kernel.timers.forget(at);
    else kernel.objects.freeField(field, at);
  }
}
