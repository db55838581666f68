/** Makes a failing program shorter: takes out instructions as long as it goes on failing. */
import { decode, encode } from "../../src/isa/codec.ts";
import { newInsns } from "../../src/isa/insns.ts";
import type { FuzzCase } from "./case.ts";

/** The program without an instruction (both slots of a ld_imm64); jumps over it are mended. */
export function without(c: FuzzCase, slot: number): FuzzCase {
  const old = decode(c.insns);
  const gone = old.code[slot] === 0x18 ? 2 : 1;
  const out = newInsns(Math.max(old.length - gone, 0));
  const moved = (i: number): number => (i <= slot ? i : Math.max(slot, i - gone));
  for (let i = 0, n = 0; i < old.length; i++) {
    if (i >= slot && i < slot + gone) continue;
    const code = old.code[i];
    const cls = code & 7;
    out.code[n] = code;
    out.dst[n] = old.dst[i];
    out.src[n] = old.src[i];
    out.off[n] = old.off[i];
    out.imm[n] = old.imm[i];
    if (cls === 5 || cls === 6) {
      if (code === 0x85) {
        if (old.src[i] === 1) out.imm[n] = moved(i + 1 + old.imm[i]) - n - 1;
      } else if (code === 0x06) out.imm[n] = moved(i + 1 + old.imm[i]) - n - 1;
      else if (code !== 0x95) out.off[n] = moved(i + 1 + old.off[i]) - n - 1;
    }
    n++;
    // the second slot of a ld_imm64 is copied as it is
    if (code === 0x18 && i + 1 < old.length) {
      i++;
      out.imm[n++] = old.imm[i];
    }
  }
  const mapRefs = c.mapRefs.filter(([at]) => at !== slot).map(([at, map]) => [moved(at), map] as const);
  return { ...c, insns: encode(out), mapRefs };
}

/** @param tries programs looked at, at most */
export function minimise(c: FuzzCase, fails: (c: FuzzCase) => boolean, tries = 600): FuzzCase {
  let best = c;
  for (let again = true; again; ) {
    again = false;
    for (let slot = best.insns.length / 8 - 1; slot >= 0 && tries > 0; slot--) {
      // not the second half of a ld_imm64
      if (slot > 0 && best.insns[8 * (slot - 1)] === 0x18) continue;
      const shorter = without(best, slot);
      tries--;
      if (shorter.insns.length === 0 || !fails(shorter)) continue;
      best = shorter;
      again = true;
    }
  }
  return best;
}
